"""What the documents name exists: files, anchors, routes, variables, commands, tests and identifiers."""

import json
import re
import shutil
import subprocess
from functools import cache

import pytest
import yaml

import balances.ops
import wallet.ops
from tests.documents import ALL, ROOT, Document, read

OPS = {"wallet": wallet.ops.main, "balances": balances.ops.main}
NAME = re.compile(r"\b[A-Za-z]+(?:_[A-Za-z0-9]+)+\b")
METHODS = "GET|POST|PUT|DELETE"
OUTPUT_OR_COMMENT = re.compile(r"(^|\s)#|^\$ |^[{\[]")
# Names of other programs, quoted where a document explains or configures them.
FOREIGN = {"OLD_DATABASE", "index_name", "innodb_flush_log_at_trx_commit", "wsrep_sync_wait"}
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)+/?")
PATH_OF_A_MACHINE = re.compile(r"(?<![\w.~-])/(?:home|root|tmp|Users|work)/\S*")
SEQUENCE_LINE = re.compile(r"participant (\w+)( as .+)?|(\w+)--?>>(\w+): .+|Note over (\w+)(?:,(\w+))?: .+")

of_each = pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)


@of_each
def test_every_link_resolves_to_a_file_and_a_heading(document: Document) -> None:
    broken = []
    for target in document.links():
        if target.startswith(("https://", "http://", "../../")):  # `../../` leaves the repository: the badge's page
            continue
        name, _, anchor = target.partition("#")
        path = (document.path.parent / name).resolve() if name else document.path
        if not path.exists() or (anchor and anchor not in read(path).anchors()):
            broken.append(target)

    assert broken == []


def test_every_document_is_linked_from_the_readme() -> None:
    linked = {target.partition("#")[0] for target in read(ROOT / "README.md").links()}

    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} - linked == set()


def test_every_module_has_its_row_in_the_architecture() -> None:
    linked = read(ROOT / "docs" / "architecture.md").links()
    modules = [path for folder in OPS for path in (ROOT / folder).rglob("*.py")]
    modules += (ROOT / "common").rglob("*.py")

    assert {str(path.relative_to(ROOT)) for path in modules if path.name != "__init__.py"} - {
        link.removeprefix("../") for link in linked
    } == set()


@of_each
def test_a_block_of_commands_can_be_pasted_into_any_shell(document: Document) -> None:
    """An interactive zsh takes a comment for a command, and any shell takes output for one."""
    lines = [line for block in document.blocks("sh") for line in block.splitlines()]

    assert [line for line in lines if OUTPUT_OR_COMMENT.search(line)] == []


@of_each
def test_no_command_takes_the_lines_pasted_after_it_as_its_input(document: Document) -> None:
    """`docker compose exec` reads the terminal: what follows it must already be part of the same command."""
    taken = [
        line
        for block in document.blocks("sh")
        for line in block.splitlines()[:-1]
        if re.match(r"docker compose (exec|run)\b", line) and not line.endswith(("&&", "\\", "</dev/null"))
    ]

    assert taken == []


@of_each
def test_a_command_in_a_container_with_another_input_than_the_terminal_asks_for_none(document: Document) -> None:
    """Without -T `docker compose exec` ends with "the input device is not a TTY" where its output is a terminal."""
    redirected = [
        line
        for block in document.blocks("sh")
        for line in block.splitlines()
        if "docker compose exec" in line and "<" in line and "exec -T" not in line
    ]

    assert redirected == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_every_block_of_commands_is_valid_in(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    blocks = [block for document in ALL for block in document.blocks("sh")]

    done = subprocess.run([shell, "-n"], input="\n".join(blocks), capture_output=True, text=True, check=False)

    assert len(blocks) > 30
    assert (done.returncode, done.stderr) == (0, "")


@of_each
def test_every_route_exists(document: Document) -> None:
    named = [
        (method, _without_parameters(path))
        for code in document.inline_code()
        for method, path in re.findall(rf"\b({METHODS}) (/\S*)", code)
    ]

    assert [route for route in named if route not in routes()] == []


@of_each
def test_every_command_of_a_service_exists(document: Document, capsys: pytest.CaptureFixture[str]) -> None:
    unknown = []
    for service, words in _service_commands(document):
        commands = [word for word in words if re.fullmatch(r"[a-z]+(-[a-z]+)*", word)]
        options = [word for word in words if word.startswith("--")]
        with pytest.raises(SystemExit) as end:
            OPS[service]([*commands, "--help"])
        printed = capsys.readouterr().out
        if end.value.code != 0 or not all(option in printed for option in options):
            unknown.append(f"{service} {' '.join(words)}")

    assert unknown == []


@of_each
def test_every_command_of_local_sh_exists(document: Document) -> None:
    known = set(re.findall(r"\./local\.sh (\w+)", (ROOT / "local.sh").read_text(encoding="utf-8")))
    named = re.findall(r"\./local\.sh (\w+)", _all_code(document))

    assert [command for command in named if command not in known] == []


@of_each
def test_every_service_and_file_of_compose_exists(document: Document) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    code = _all_code(document)
    named = re.findall(r"docker compose (?:exec|run|stop|logs|restart)(?: -T| --rm)* (\w+)", code)

    assert [service for service in named if service not in services] == []
    assert [name for name in re.findall(r"-f (\S+\.yml)", code) if not (ROOT / name).exists()] == []


@of_each
def test_every_module_that_is_run_exists(document: Document) -> None:
    for module in re.findall(r"python -m (tests\.\w+)", _all_code(document)):
        assert (ROOT / module.replace(".", "/") / "__main__.py").exists()


@of_each
def test_every_file_named_in_code_exists(document: Document) -> None:
    words = [word for code in document.inline_code() for word in code.split()]
    named = [word for word in words if re.fullmatch(r"[\w.-]+(/[\w.-]+)+\.\w+", word)]

    assert [name for name in named if not (ROOT / name).exists()] == []


@of_each
def test_no_path_is_one_of_the_machine_on_which_a_document_was_written(document: Document) -> None:
    assert PATH_OF_A_MACHINE.findall(document.text) == []


@of_each
def test_every_identifier_named_in_code_occurs_in_the_code(document: Document) -> None:
    """Tests, environment variables, metrics, columns, fields: whatever has an underscore."""
    words = [word for code in document.inline_code() for word in code.split() if not PATH.fullmatch(word)]
    named = {name for word in words for name in NAME.findall(word)}

    assert named - identifiers() - FOREIGN == set()


@of_each
def test_every_mermaid_diagram_is_well_formed(document: Document) -> None:
    for diagram in document.blocks("mermaid"):
        first, *lines = [line.strip() for line in diagram.splitlines() if line.strip()]
        if first == "sequenceDiagram":
            _check_sequence_diagram(lines)
        else:
            assert re.fullmatch(r"flowchart (LR|TB)", first)
            assert sum(line.startswith("subgraph ") for line in lines) == lines.count("end")
            for opening, closing in ("[]", "()"):
                assert diagram.count(opening) == diagram.count(closing)


def _check_sequence_diagram(lines: list[str]) -> None:
    participants: set[str] = set()
    for line in lines:
        match = SEQUENCE_LINE.fullmatch(line)
        assert match, line
        name, _, *used = match.groups()
        if name:
            participants.add(name)
        assert {each for each in used if each} <= participants, line
        assert ";" not in line  # ends a statement in Mermaid


def _all_code(document: Document) -> str:
    return "\n".join([*document.blocks("sh"), *document.inline_code()])


def _service_commands(document: Document) -> list[tuple[str, list[str]]]:
    """(service, words after it) of each command in a block or in the text."""
    inline = [
        match.groups()
        for code in document.inline_code()
        if (match := re.fullmatch(r"(?:\S*entrypoint\.sh )?(wallet|balances) ([a-z-]+.*)", code))
    ]
    pasted = [
        match
        for block in document.blocks("sh")
        for match in re.findall(r"entrypoint\.sh (wallet|balances) (.+)", block)
    ]
    return [(service, rest.removesuffix("&&").split()) for service, rest in [*inline, *pasted]]


def _without_parameters(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path.partition("?")[0])


@cache
def routes() -> set[tuple[str, str]]:
    described = [
        json.loads(path.read_text(encoding="utf-8"))["paths"] for path in (ROOT / "http").glob("*.openapi.json")
    ]
    return {
        (method.upper(), _without_parameters(path)) for paths in described for path in paths for method in paths[path]
    }


@cache
def identifiers() -> set[str]:
    """Every name with an underscore in the code and its settings, documents aside."""
    folders = ("wallet", "balances", "common", "db", "docker", "http", "tests")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    paths += [path for path in ROOT.iterdir() if path.is_file() and path.suffix != ".md"]
    found: set[str] = set()
    for path in paths:
        if "__pycache__" not in path.parts:
            found |= set(NAME.findall(path.read_text("utf-8", errors="replace")))
    return found
