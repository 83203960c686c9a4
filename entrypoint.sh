#!/usr/bin/env bash
# Starts a service, or runs one of its verbs. In the container, and outside it with the virtual environment active.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<TEXT
Usage: entrypoint.sh <wallet|balances> [VERB [ARGUMENTS]]

Without a verb: waits for MySQL, migrates, seeds (SEED_DEMO_DATA=on), then serves until SIGTERM.
With one: entrypoint.sh wallet --help (or balances --help) lists them, each with a --help of its own.

Needs DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS and PORT; .env.example explains these and the others.
TEXT
}

case "${1:-}" in
  wallet | balances) service=$1 && shift ;;
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
esac

[ $# -eq 0 ] || exec python -m "$service.ops" "$@"

# As process 1 of a container bash would sit out a SIGTERM until its child has ended: wait beside it and pass it on.
child=
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true; exit 143' TERM INT
run() {
  "$@" &
  child=$!
  wait "$child"
  child=
}

run python -m "$service.ops" migrate
case "${SEED_DEMO_DATA:-off}" in
  on | true | 1 | yes) run python -m "$service.ops" seed ;;
esac
exec python -m "$service"
