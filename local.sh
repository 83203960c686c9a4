#!/usr/bin/env bash
# Runs the complete system on a machine without Docker: a database server, a Kafka broker and the two services.
#
#   ./local.sh up              start everything, wait until it is ready, print what to try
#   ./local.sh down [--wipe]   stop everything and keep the data; --wipe deletes it, to start over
#   ./local.sh status          print one line for each process; exit 1 unless all are ready
#   ./local.sh logs [NAME]     print the logs, and follow them on a terminal
#   ./local.sh test [ARGS]     run the tests on a system of their own, also while another runs; ARGS go to pytest
#   ./local.sh test --fast     run only those that need no server, in less than a minute
#   ./local.sh bench [ARGS]    run the benchmarks in the same way; --help explains ARGS
#   ./local.sh faults [ARGS]   run the fault suite in the same way; --help explains ARGS
#   ./local.sh lab [NAME]      list the labs, or run one: a fault, what it breaks in a naive service, and the recovery
#   ./local.sh start NAME      start one process and wait until it is ready: mysql, kafka, wallet, balances, or a
#   ./local.sh stop NAME       further instance (wallet-2, balances-3: base port + n - 1, or the next free one)
#
# Data, logs and pids are kept in .local/ (LOCAL_DIR), the Python packages in .venv/. All listen on 127.0.0.1 only, on
# WALLET_PORT 8080, BALANCES_PORT 3003, MYSQL_PORT 13306, KAFKA_PORT 19092 and KAFKA_CONTROLLER_PORT 19093.
# PYTHON, MYSQLD, KAFKA_HOME and JAVA_HOME choose programs; KAFKA_PARTITIONS and the like reach the services.
set -uo pipefail # no -e: each step that can fail reports what failed

main() {
  local command=${1:---help} argument
  [ $# -gt 0 ] && shift
  case $command in
    -h | --help | help) print_help && exit ;;
    test | bench | faults | lab) ;; # each knows its own arguments
    up | down | status | logs | start | stop)
      for argument in "$@"; do case $argument in -h | --help) print_help && exit ;; esac; done
      check_arguments "$command" "$@"
      ;;
    *) die "no such command: $command (see ./local.sh --help)" ;;
  esac
  use_folder "${LOCAL_DIR:-.local}"
  # Output that nobody reads (`| head`) must not end this program half-way: `info` ignores it.
  case $command in status | logs) ;; *) trap '' PIPE ;; esac
  case $command in
    up) lock up && prepare requirements.txt && bring_up && print_what_to_try && unlock up ;;
    down) lock up && take_down && { [ "${1:-}" != --wipe ] || wipe; } && unlock up ;;
    status) print_status ;;
    logs) print_logs "${1:-}" ;;
    start) prepare requirements.txt && begin "$1" && await "$1" ;;
    stop) end "$1" ;;
    test) run_tests "$@" ;;
    bench | faults) run_suite "$command" "$@" ;;
    lab) run_lab "$@" ;;
  esac
}

print_help() { sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"; }

check_arguments() { # check_arguments COMMAND ARGUMENT...: ends with what is allowed unless these are
  case $1 in
    up | status) [ $# = 1 ] || die "$1 takes no arguments, not: ${*:2}" ;;
    down) [ $# = 1 ] || [ "${*:2}" = --wipe ] || die "down takes --wipe or nothing, not: ${*:2}" ;;
    logs) [ $# = 1 ] || check_name "${@:2}" ;;
    start | stop) check_name "${@:2}" ;;
  esac
}

# use_folder FOLDER: the data, logs and pids of this system. Exported, so that a suite's own calls of start and stop use it.
use_folder() {
  local name
  mkdir -p "$1/run" "$1/logs" || die "cannot write to the folder $1"
  LOCAL_DIR=$(cd "$1" && pwd) RUN=$LOCAL_DIR/run LOGS=$LOCAL_DIR/logs
  : "${WALLET_PORT:=8080}" "${BALANCES_PORT:=3003}" "${MYSQL_PORT:=13306}" "${KAFKA_PORT:=19092}"
  for name in WALLET BALANCES MYSQL KAFKA; do check_port "${name}_PORT"; done
  : "${KAFKA_CONTROLLER_PORT:=$((KAFKA_PORT + 1))}" && check_port KAFKA_CONTROLLER_PORT
  [ -z "$(printf '%s\n' "$WALLET_PORT" "$BALANCES_PORT" "$MYSQL_PORT" "$KAFKA_PORT" "$KAFKA_CONTROLLER_PORT" |
    sort | uniq -d)" ] || die "two of the five ports are equal (see ./local.sh --help)"
  export LOCAL_DIR WALLET_PORT BALANCES_PORT MYSQL_PORT KAFKA_PORT KAFKA_CONTROLLER_PORT
}

check_port() { # check_port VARIABLE
  { [[ ${!1} =~ ^[1-9][0-9]{0,4}$ ]] && [ "${!1}" -le 65535 ]; } || die "$1 must be a port from 1 to 65535, not '${!1}'"
}

# ---- the commands

bring_up() {
  local name controller taken="" had_data=no
  [ -d "$LOCAL_DIR/kafka" ] && had_data=yes
  for name in mysql kafka wallet balances; do
    running "$name" || port_is_free "$(wanted_port "$name")" || taken="$taken $(other_port "$name")"
  done
  controller=$KAFKA_CONTROLLER_PORT
  if ! running kafka && ! port_is_free "$controller" && [[ $taken != *KAFKA_PORT=* ]]; then # else it follows KAFKA_PORT
    taken="$taken KAFKA_CONTROLLER_PORT=$(free_port_after "$controller")"
  fi
  [ -z "$taken" ] || die "nothing was started. Stop what holds the ports, or choose others:$taken ./local.sh up"
  begin mysql && begin kafka && await mysql && await kafka || exit 1 # the two slow ones at the same time
  begin wallet && begin balances && await wallet && await balances || exit 1
  [ -z "${KAFKA_PARTITIONS:-}" ] || [ $had_data = no ] || report_partitions
}

report_partitions() { # KAFKA_PARTITIONS counts when a topic is created, and not afterwards
  local partitions
  partitions=$(python -c '
import sys
from kafka.admin import KafkaAdminClient
admin = KafkaAdminClient(bootstrap_servers=sys.argv[1])
print(max(len(topic["partitions"]) for topic in admin.describe_topics(["balances", "transactions", "accounts"])))
admin.close()' "127.0.0.1:$(port_of kafka)" 2>/dev/null)
  [ "${partitions:-$KAFKA_PARTITIONS}" = "$KAFKA_PARTITIONS" ] ||
    info "KAFKA_PARTITIONS=$KAFKA_PARTITIONS has no effect: the topics exist, with $partitions each." \
      "To create them again without the data: ./local.sh down --wipe"
}

print_what_to_try() {
  local wallet balances what from=a0000000-0000-4000-8000-000000000001 to=a0000000-0000-4000-8000-000000000002
  wallet=http://127.0.0.1:$(port_of wallet) balances=http://127.0.0.1:$(port_of balances)
  what="A transfer, and the balance that it leaves:

  curl -s $wallet/transactions -d '{\"account_id_from\": \"$from\", \"account_id_to\": \"$to\", \"amount\": 1}'
  sleep 1; curl -s $balances/balances/$from"
  [ "${SEED_DEMO_DATA:-on}" = on ] || what="SEED_DEMO_DATA=off adds no accounts. Open one on the page of Wallet, or with:

  curl -s $wallet/clients -d '{\"name\": \"Ana Souza\", \"email\": \"ana@example.org\"}'
  curl -s $wallet/accounts -d '{\"client_id\": \"the ID in the answer\"}'"
  info "
Wallet    $wallet
Balances  $balances

$what

Stop it with ./local.sh down"
}

take_down() {
  local name
  for name in $(names | grep -v -x -e mysql -e kafka) kafka mysql; do end "$name"; done
}

wipe() {
  info "deleting the data and the logs in $LOCAL_DIR"
  remove_abandoned_tests
  rm -rf "$LOCAL_DIR"/{mysql,mysql.new,kafka,kafka.new,kafka.properties,failed-logs,labs,logs,run}
  rmdir "$LOCAL_DIR" 2>/dev/null || true # unless a test runs in there
}

print_status() {
  local name answer all_ready=0
  for name in $(names); do
    answer=ready
    if ! running "$name"; then
      printf '%-12s stopped\n' "$name" && all_ready=1
    else
      ready "$name" || { answer="not ready" && all_ready=1; }
      printf '%-12s running  pid %-8s port %-6s %s\n' "$name" "$(pid_of "$name")" "$(port_of "$name")" "$answer"
    fi
  done
  return $all_ready
}

print_logs() {
  local name logs=()
  for name in ${1:-$(names)}; do [ -f "$LOGS/$name.log" ] && logs+=("$LOGS/$name.log"); done
  [ ${#logs[@]} -gt 0 ] || die "no logs yet in $LOGS"
  if [ -t 1 ]; then tail -n 50 -F "${logs[@]}"; else cat "${logs[@]}"; fi
}

# ---- what all parts use

info() { echo "$*" 2>/dev/null || true; } # without a reader it continues
die() { echo "local.sh: $*" >&2; exit 1; }

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) && cd "$ROOT" || exit 1
export PATH="$ROOT/.venv/bin:$PATH"
# shellcheck source=docker/local-machine.sh
. docker/local-machine.sh
# shellcheck source=docker/local-process.sh
. docker/local-process.sh
# shellcheck source=docker/local-suites.sh
. docker/local-suites.sh
main "$@"
