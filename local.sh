#!/usr/bin/env bash
# Runs the whole system on a machine without Docker: a database server, a Kafka broker and the two services.
#
#   ./local.sh up              start everything, wait until it is ready, print what to try
#   ./local.sh down [--wipe]   stop everything and keep the data; --wipe deletes it, to start over
#   ./local.sh status          one line a process; exit 1 unless all are ready
#   ./local.sh logs [NAME]     print the logs, and follow them on a terminal
#   ./local.sh test [ARGS]     run the tests on a system of their own, beside a running one; ARGS go to pytest
#   ./local.sh bench [ARGS]    the same for the benchmarks
#   ./local.sh faults [ARGS]   the same for the fault suite
#   ./local.sh start NAME      start one process and wait until it is ready: mysql, kafka, wallet, balances, or a
#   ./local.sh stop NAME       further instance (wallet-2, balances-3: base port + n - 1, or the next free one)
#
# Data, logs and pids are kept in .local/ (LOCAL_DIR), the Python packages in .venv/. All listen on 127.0.0.1 only, on
# WALLET_PORT 8080, BALANCES_PORT 3003, MYSQL_PORT 13306, KAFKA_PORT 19092 and KAFKA_CONTROLLER_PORT 19093.
# PYTHON, MYSQLD, KAFKA_HOME and JAVA_HOME choose programs; KAFKA_PARTITIONS and the like reach the services.
set -uo pipefail # no -e: each step that can fail says what failed

main() {
  local verb=${1:---help}
  [ $# -gt 0 ] && shift
  case $verb in
    -h | --help | help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}" && exit ;;
    up | down | status | logs | start | stop | test | bench | faults) settle "${LOCAL_DIR:-.local}" ;;
    *) die "no such command: $verb (see ./local.sh --help)" ;;
  esac
  case $verb in
    up) prepare requirements.txt && bring_up && print_what_to_try ;;
    down) take_down "${1:-}" ;;
    status) print_status ;;
    logs) print_logs "${1:-}" ;;
    start) check_name "${1:-}" && prepare requirements.txt && begin "$1" && await "$1" ;;
    stop) check_name "${1:-}" && end "$1" ;;
    test) run_tests "$@" ;;
    bench | faults) beside python -m "tests.$verb" "$@" ;;
  esac
}

settle() { # settle FOLDER: where this system lives; exported, so that a suite's own calls of start and stop mean it too
  mkdir -p "$1/run" "$1/logs" || die "cannot write to the folder $1"
  LOCAL_DIR=$(cd "$1" && pwd) RUN=$LOCAL_DIR/run LOGS=$LOCAL_DIR/logs
  : "${WALLET_PORT:=8080}" "${BALANCES_PORT:=3003}" "${MYSQL_PORT:=13306}" "${KAFKA_PORT:=19092}"
  : "${KAFKA_CONTROLLER_PORT:=$((KAFKA_PORT + 1))}"
  export LOCAL_DIR WALLET_PORT BALANCES_PORT MYSQL_PORT KAFKA_PORT KAFKA_CONTROLLER_PORT
}

# ---- the verbs

bring_up() {
  local name taken=0
  for name in mysql kafka wallet balances; do running "$name" || claim "$(wanted_port "$name")" "$name" || taken=1; done
  running kafka || claim "$KAFKA_CONTROLLER_PORT" kafka_controller || taken=1
  [ $taken = 0 ] || die "nothing was started"
  begin mysql && begin kafka && await mysql && await kafka || exit 1 # the two slow ones side by side
  begin wallet && begin balances && await wallet && await balances || exit 1
}

print_what_to_try() {
  local wallet balances from=a0000000-0000-4000-8000-000000000001 to=a0000000-0000-4000-8000-000000000002
  wallet=http://127.0.0.1:$(port_of wallet) balances=http://127.0.0.1:$(port_of balances)
  printf '%s\n' "" "Wallet    $wallet" "Balances  $balances" "" "A transfer, and the balance that it leaves:" "" \
    "  curl -s $wallet/transactions -d '{\"account_id_from\": \"$from\", \"account_id_to\": \"$to\", \"amount\": 1}'" \
    "  sleep 1; curl -s $balances/balances/$from" "" "Stop it with ./local.sh down"
}

take_down() {
  local name
  for name in $(names | grep -v -x -e mysql -e kafka) kafka mysql; do end "$name"; done
  [ "$1" = --wipe ] || return 0
  say "deleting the data and the logs in $LOCAL_DIR"
  rm -rf "$LOCAL_DIR"/{mysql,mysql.new,kafka,kafka.new,kafka.properties,failed-logs,logs,run}
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
  [ -z "$1" ] || check_name "$1"
  for name in ${1:-$(names)}; do [ -f "$LOGS/$name.log" ] && logs+=("$LOGS/$name.log"); done
  [ ${#logs[@]} -gt 0 ] || die "no logs yet in $LOGS"
  if [ -t 1 ]; then tail -n 50 -F "${logs[@]}"; else cat "${logs[@]}"; fi
}

run_tests() {
  local argument folder folders=()
  for folder in tests/{unit,contract,simulation,integration,security,e2e}; do [ -d "$folder" ] && folders+=("$folder"); done
  for argument in "$@"; do case $argument in tests | tests/* | ./tests*) folders=() ;; esac; done
  beside python -m pytest -q -rs ${folders[@]+"${folders[@]}"} "$@"
}

beside() { # beside COMMAND...: runs it with a system of its own on free ports, and leaves nothing of that system behind
  local suite status base=$LOCAL_DIR
  prepare tests/requirements.txt
  settle "$(mktemp -d "$base/test.XXXXXX")"
  # shellcheck disable=SC2064 # $base is of now
  trap "clean_up \$? '$base'" EXIT
  trap 'exit 129' HUP && trap 'exit 130' INT && trap 'exit 143' TERM
  choose_ports
  bring_up
  export WALLET_URL=http://127.0.0.1:$WALLET_PORT BALANCES_URL=http://127.0.0.1:$BALANCES_PORT
  export TEST_WALLET_DATABASE_URL=mysql://tests:tests@127.0.0.1:$MYSQL_PORT/wallet_test
  export TEST_BALANCES_DATABASE_URL=mysql://tests:tests@127.0.0.1:$MYSQL_PORT/balances_test
  export TEST_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$KAFKA_PORT
  export MYSQLD JAVA KAFKA_LIBS # for a test that starts a server or a broker of its own
  say "running $*"
  set -m # in a process group of its own: a signal reaches us at once, and through us the command and its children
  "$@" </dev/null &
  suite=$!
  set +m
  trap 'kill -INT -- "-$suite"' HUP INT TERM
  while wait "$suite" && status=0 || status=$?; kill -0 "$suite" 2>/dev/null; do :; done
  kill -KILL -- "-$suite" 2>/dev/null
  exit "$status"
}

clean_up() { # clean_up STATUS FOLDER: stops and removes the system of beside(); after a failure its logs go to FOLDER
  trap '' HUP INT TERM
  take_down "" >/dev/null
  rm -rf "$2/failed-logs" # those of an earlier run
  if [ "$1" != 0 ]; then mv "$LOGS" "$2/failed-logs" && say "that system's logs are in $2/failed-logs"; fi
  rm -rf "$LOCAL_DIR"
  rmdir "$2/run" "$2/logs" "$2" 2>/dev/null
}

# ---- one process: begin, await, end

begin() { # begin NAME: starts it without waiting; success if it runs already
  local name=$1 kind port
  running "$name" && say "$name already runs: pid $(pid_of "$name"), port $(port_of "$name")" && return
  [ -f "$RUN/$name.pid" ] && say "$name: its process $(pid_of "$name") is gone, the pid file is stale"
  rm -f "$RUN/$name.pid"
  kind=$(kind_of "$name") port=$(wanted_port "$name")
  if [ "$name" != "$kind" ]; then while in_use "$port"; do port=$((port + 1)); done; fi
  claim "$port" "$name" || exit 1
  say "starting $name on port $port"
  echo "$port" >"$RUN/$name.port"
  "begin_$kind" "$port" "$name"
}

begin_wallet() { begin_service wallet "$@" "${WALLET_DATABASE_URL:-}" "${WALLET_BOOTSTRAP_SERVERS:-}"; }
begin_balances() { begin_service balances "$@" "${BALANCES_DATABASE_URL:-}" "${BALANCES_BOOTSTRAP_SERVERS:-}"; }
begin_service() { # begin_service KIND PORT NAME DATABASE_URL BOOTSTRAP_SERVERS: a test's proxy may be in the last two
  local mysql kafka
  mysql=127.0.0.1:$(port_of mysql) kafka=127.0.0.1:$(port_of kafka)
  launch "$3" env HOST=127.0.0.1 PORT="$2" KAFKA_INSTANCE_ID="$3" KAFKA_BOOTSTRAP_SERVERS="${5:-$kafka}" \
    DATABASE_URL="${4:-mysql://$1:$1@$mysql/$1}" MIGRATIONS_DATABASE_URL="mysql://$1_owner:$1_owner@$mysql/$1" \
    SEED_DEMO_DATA="${SEED_DEMO_DATA:-on}" bash entrypoint.sh "$1"
}

launch() { # launch NAME COMMAND...: in a process group of its own: neither Ctrl-C nor the terminal's end reaches it
  local name=$1
  shift
  set -m
  (trap '' HUP && exec "$@") </dev/null >>"$LOGS/$name.log" 2>&1 &
  echo $! >"$RUN/$name.pid"
  disown
  set +m
  for _ in {1..50}; do running "$name" && break; sleep 0.02; done # until the fork has become the command
}

await() { # await NAME: until it answers; if it dies or takes too long, the end of its log and exit 1
  local limit=$((SECONDS + 90))
  until ready "$1"; do
    running "$1" || give_up "$1" "has ended"
    [ $SECONDS -lt $limit ] || give_up "$1" "is not ready after 90 s"
    sleep 0.1
  done
  say "$1 is ready"
}

end() { # end NAME: SIGTERM, and SIGKILL for what does not end by itself
  local pid limit=$((SECONDS + 20))
  if running "$1"; then
    pid=$(pid_of "$1")
    say "stopping $1 (pid $pid)"
    kill -TERM "$pid" && kill -CONT "$pid" # a halted process must go on in order to end
    while running "$1"; do
      [ $SECONDS -lt $limit ] || { say "$1 has not ended in 20 s: killing it" && kill -KILL "$pid" && sleep 1; }
      sleep 0.1
    done
    kill -KILL -- "-$pid" # the rest of its group, if it left children behind
  else
    say "$1 is not running"
  fi 2>/dev/null
  rm -f "$RUN/$1.pid" "$RUN/$1.port"
}

running() { # its pid lives and is still that program: pids are given out again
  local pid command
  pid=$(pid_of "$1") || return 1
  for _ in {1..5}; do # nothing is told for a moment while one program becomes another
    if [ -d /proc/self ]; then command=$(tr '\0' ' ' <"/proc/$pid/cmdline"); else command=$(ps -ww -o args= -p "$pid"); fi
    { [ -z "$command" ] && kill -0 "$pid"; } || break
    sleep 0.05
  done
  case $(kind_of "$1"):$command in
    mysql:*"--datadir=$LOCAL_DIR/mysql "* | kafka:*" $LOCAL_DIR/kafka.properties"*) ;;
    wallet:*entrypoint.sh\ wallet* | wallet:*-m\ wallet*) ;;
    balances:*entrypoint.sh\ balances* | balances:*-m\ balances*) ;;
    *) return 1 ;;
  esac
} 2>/dev/null

ready() { "ready_$(kind_of "$1")" "$(port_of "$1")" 2>/dev/null; }
ready_wallet() { ready_service "$1"; }
ready_balances() { ready_service "$1"; }
ready_service() { python -c '
import sys, urllib.request as http
http.build_opener(http.ProxyHandler({})).open(f"http://127.0.0.1:{sys.argv[1]}/ready", timeout=2)' "$1"; }

# ---- names and ports

names() { (printf '%s.port\n' mysql kafka wallet balances && ls "$RUN") | sed -n 's/\.port$//p' | awk '!seen[$0]++'; }
kind_of() { echo "${1%%-*}"; }
pid_of() { cat "$RUN/$1.pid"; } 2>/dev/null
port_of() { cat "$RUN/$1.port" 2>/dev/null || wanted_port "$1"; }
wanted_port() { # the kind's own variable; for instance n, n - 1 more
  local n=${1#"$(kind_of "$1")"} variable
  variable=$(kind_of "$1" | tr '[:lower:]' '[:upper:]')_PORT n=${n#-}
  echo $((${!variable} + ${n:-1} - 1))
}
check_name() {
  [[ $1 =~ ^(mysql|kafka|(wallet|balances)(-[2-9])?)$ ]] || die "name one: mysql, kafka, wallet, wallet-2, ..."
}
say() { echo "$*"; }
die() { echo "local.sh: $*" >&2; exit 1; }
give_up() { # give_up NAME WHAT: with the end of its log
  { echo "the end of $LOGS/$1.log:" && grep -v '"path":"/ready"' "$LOGS/$1.log" | tail -n 20; } >&2
  die "$1 $2"
}

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) && cd "$ROOT" || exit 1
export PATH="$ROOT/.venv/bin:$PATH"
# shellcheck source=docker/local-machine.sh
. docker/local-machine.sh
main "$@"
