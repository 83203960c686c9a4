#!/usr/bin/env bash
# Starts a service, or runs one of its commands: in the container, or outside with the packages in .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<TEXT
Usage: entrypoint.sh <wallet|balances> [COMMAND [ARGUMENTS]]

Without a command: waits for MySQL, migrates, seeds (SEED_DEMO_DATA=on), then serves until SIGTERM.

Commands of both: migrate, rollback, seed, status
Commands of wallet: announce, reset-sequences
Commands of balances: dead-letters, events, reconcile, reset-sequences
entrypoint.sh wallet COMMAND --help (or balances COMMAND --help) explains each.

Requires DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS; docs/configuration.md explains every variable.
TEXT
}

die() { echo "entrypoint.sh: $*" >&2; exit 1; }

case "${1:-}" in
  wallet | balances) service=$1 && shift ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
esac

[ ! -x .venv/bin/python ] || export PATH="$PWD/.venv/bin:$PATH"
installed='from importlib.util import find_spec as find; exit(not all(map(find, ("bottle", "kafka", "pymysql"))))'
if ! python -c "$installed" 2>/dev/null; then
  case " $* " in *" --help "* | *" -h "*) usage && exit 0 ;; esac
  die "the Python packages are missing. ./local.sh up installs them into .venv; or: pip install -r requirements.txt"
fi

[ $# -eq 0 ] || exec python -m "$service.ops" "$@"

case "${SEED_DEMO_DATA:-off}" in
  [oO][nN] | [tT][rR][uU][eE] | 1 | [yY][eE][sS]) seed=yes ;;
  [oO][fF][fF] | [fF][aA][lL][sS][eE] | 0 | [nN][oO]) seed=no ;;
  *) die "SEED_DEMO_DATA must be on or off, not '$SEED_DEMO_DATA'" ;;
esac

# As process 1 of a container, bash handles a SIGTERM only after its child has ended: wait in `wait`, and forward it.
child=
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true; exit 143' TERM INT
run() {
  "$@" &
  child=$!
  wait "$child"
  child=
}

run python -m "$service.ops" migrate
[ $seed = no ] || run python -m "$service.ops" seed
exec python -m "$service"
