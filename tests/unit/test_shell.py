"""The shell commands: what they refuse, and that they refuse it at once, before they install or start anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import balances.ops
import wallet.ops

ROOT = Path(__file__).resolve().parents[2]
OPS = {"wallet": wallet.ops.main, "balances": balances.ops.main}


@pytest.fixture
def run(tmp_path):
    """Runs a script of the repository with a folder of its own; gives the finished process."""

    def run(*command, **environment):
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        options = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 30, "check": False}
        own = {**inherited, "LOCAL_DIR": str(tmp_path / "local"), **environment}
        return subprocess.run(["bash", *command], env=own, **options)

    return run


@pytest.fixture
def copied_entrypoint(tmp_path):
    """entrypoint.sh in a folder without .venv, and a PATH on which Python has none of the packages."""
    shutil.copy(ROOT / "entrypoint.sh", tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text('#!/bin/sh\nexec /bin/sh -c "exit 1"\n')
    (programs / "python").chmod(0o755)
    return str(tmp_path / "entrypoint.sh"), f"{programs}:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["up", "extra"], "up takes no arguments, not: extra"),
        (["status", "wallet"], "status takes no arguments, not: wallet"),
        (["down", "--wipee"], "down takes --wipe or nothing, not: --wipee"),
        (["down", "--wipe", "all"], "down takes --wipe or nothing, not: --wipe all"),
        (["logs", "wallets"], "name one of mysql, kafka, wallet, balances, "),
        (["logs", "wallet", "kafka"], "name one of "),
        (["start"], "name one of "),
        (["start", "wallet", "kafka"], "name one of "),
        (["stop", "wallet-1"], "name one of "),
        (["restart"], "no such command: restart"),
    ],
    ids=" ".join,
)
def test_arguments_that_a_command_does_not_know_are_refused(run, arguments, problem):
    done = run("local.sh", *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(f"local.sh: {problem}")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"PYTHON": "/nosuch"}, "PYTHON=/nosuch is no program"),
        ({"MYSQLD": "/nosuch"}, "MYSQLD=/nosuch is no program"),
        ({"KAFKA_HOME": "/nosuch"}, "KAFKA_HOME=/nosuch has no bin/kafka-server-start.sh"),
        ({"WALLET_PORT": "http"}, "WALLET_PORT must be a port from 1 to 65535, not 'http'"),
        ({"KAFKA_PORT": "70000"}, "KAFKA_PORT must be a port from 1 to 65535, not '70000'"),
        ({"WALLET_PORT": "3003"}, "two of the five ports are equal"),
    ],
    ids=str,
)
@pytest.mark.parametrize("command", [["up"], ["start", "wallet"]], ids=" ".join)
def test_a_setting_that_cannot_be_followed_ends_the_start(run, command, setting, problem):
    done = run("local.sh", *command, **setting)

    assert done.returncode == 1
    assert done.stderr.startswith(f"local.sh: {problem}")
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["down", "-h"], []], ids=" ".join)
def test_help_changes_nothing(run, tmp_path, arguments):
    done = run("local.sh", *arguments)

    assert done.returncode == 0
    assert "./local.sh up" in done.stdout
    assert not (tmp_path / "local").exists()


@pytest.mark.parametrize(("seeds", "suggested"), [("on", "/transactions"), ("off", "/clients")])
def test_only_accounts_that_the_seeds_hold_are_suggested(run, seeds, suggested):
    done = run("-c", ". ./local.sh status >&2; print_what_to_try", SEED_DEMO_DATA=seeds)

    assert re.findall(r"curl -s http://127\.0\.0\.1:8080(\S+)", done.stdout)[0] == suggested
    assert ("a0000000-0000-4000-8000-000000000001" in done.stdout) == (seeds == "on")


def test_a_test_system_that_was_abandoned_is_removed_with_the_data(run, tmp_path):
    abandoned = tmp_path / "local" / "test.AbCdEf"
    (abandoned / "run").mkdir(parents=True)
    (abandoned / "mysql").mkdir()

    done = run("local.sh", "down", "--wipe")

    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "local").exists()


def test_a_test_system_whose_run_is_alive_is_kept(run, tmp_path):
    in_use = tmp_path / "local" / "test.AbCdEf"
    (in_use / "run").mkdir(parents=True)
    (in_use / "run" / "owner").write_text(str(os.getpid()))

    run("local.sh", "down", "--wipe")

    assert in_use.exists()


RUNS_A_SUITE = """
. ./local.sh status >/dev/null
prepare() { :; }
bring_up() { info starting mysql on port 1; }
on_own_system sh -c 'echo the table && exit 1'
"""


def test_standard_output_of_a_suite_has_only_what_the_suite_prints(run, tmp_path):
    done = run("-c", RUNS_A_SUITE)

    assert (done.returncode, done.stdout) == (1, "the table\n")
    assert "starting mysql on port 1\n" in done.stderr
    assert f"that system's logs are in {tmp_path}/local/failed-logs\n" in done.stderr


def test_a_second_run_waits_for_the_first(tmp_path):
    lock = tmp_path / "local" / "run" / "up.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(str(os.getpid()))
    environment = {**os.environ, "LOCAL_DIR": str(tmp_path / "local")}
    second = subprocess.Popen(
        ["bash", "local.sh", "down"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )

    waiting = second.stdout.readline()
    lock.unlink()
    rest, _ = second.communicate(timeout=30)

    assert waiting == f"waiting for another ./local.sh (pid {os.getpid()}) to finish with up\n"
    assert "wallet is not running" in rest
    assert second.returncode == 0


def test_a_lock_whose_process_is_gone_keeps_nobody(run, tmp_path):
    ended = subprocess.run(["bash", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout
    lock = tmp_path / "local" / "run" / "up.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(ended)

    done = run("local.sh", "down")

    assert (done.returncode, "waiting" in done.stdout) == (0, False)


# The programs are functions: a container may forbid that files of a test are executed.
STARTS_BOTH_SERVERS = """
set -uo pipefail
. docker/local-process.sh && . docker/local-machine.sh
RUN=$LOCAL_DIR/run LOGS=$LOCAL_DIR/logs ROOT=$PWD KAFKA_CONTROLLER_PORT=2 KAFKA_LIBS=$LOCAL_DIR/libs
info() { :; }
launch() { echo "launch $1 in $2" && printf '%s\\n' "${@:3}"; }
mariadbd() { echo "mariadbd 10.11-MariaDB"; }
mariadb-install-db() {
  local argument data
  for argument; do case $argument in --datadir=*) data=${argument#--datadir=} ;; esac; done
  mkdir $data && chmod 700 $data # without quotes, as the real one calls chown when root runs it
}
java() { mkdir kafka.new; } # what the storage tool does, in the folder that the settings name
begin_mysql 1 && begin_kafka 1
"""


def test_the_servers_start_in_a_clone_whose_path_has_a_space(tmp_path):
    clone, local = tmp_path / "a clone", tmp_path / "a clone/.local"
    (local / "logs").mkdir(parents=True)
    shutil.copytree(ROOT / "docker", clone / "docker")
    own = {"PATH": "/usr/bin:/bin", "LOCAL_DIR": str(local), "MYSQLD": "mariadbd", "JAVA": "java"}

    done = subprocess.run(
        ["bash", "-c", STARTS_BOTH_SERVERS], cwd=clone, env=own, capture_output=True, text=True, timeout=30, check=False
    )

    started = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert {f"launch mysql in {clone}", f"launch kafka in {local}"} <= set(started)
    assert {f"--datadir={local}/mysql", f"--init-file={clone}/docker/mysql/init.sql"} <= set(started)
    assert {f"-Dlocal.dir={local}", f"{local}/libs/*"} <= set(started)
    assert sorted(path.name for path in local.iterdir()) == ["kafka", "kafka.properties", "logs", "mysql"]


def test_the_entrypoint_explains_itself_without_any_package(run, copied_entrypoint):
    script, path = copied_entrypoint

    explained, refused = (
        run(script, *arguments, PATH=path) for arguments in (["wallet", "--help"], ["wallet", "status"])
    )

    assert (explained.returncode, refused.returncode) == (0, 1)
    assert "Usage: entrypoint.sh" in explained.stdout
    assert refused.stderr.startswith("entrypoint.sh: the Python packages are missing. ./local.sh up installs them")


@pytest.mark.parametrize("service", OPS)
def test_the_entrypoint_names_every_command(run, capsys, service):
    with pytest.raises(SystemExit):
        OPS[service](["--help"])
    commands = re.findall(r"^    ([a-z-]+) ", capsys.readouterr().out, re.MULTILINE)

    explained = run("entrypoint.sh", "--help").stdout

    assert commands
    assert [command for command in commands if command not in explained] == []


def test_a_switch_that_is_neither_on_nor_off_ends_the_start(run):
    done = run("entrypoint.sh", "wallet", SEED_DEMO_DATA="perhaps")

    assert (done.returncode, done.stderr) == (1, "entrypoint.sh: SEED_DEMO_DATA must be on or off, not 'perhaps'\n")
