# shellcheck shell=bash
# Sourced by ./local.sh: runs the tests, the benchmarks and the fault suite, each on a system of its own.

run_tests() {
  local argument folder folders=() given=()
  for argument in "$@"; do
    case $argument in
      --fast) folders=(tests/unit tests/contract tests/simulation) ;;
      *) given+=("$argument") ;;
    esac
  done
  for argument in "$@"; do
    case $argument in
      -h | --help) print_help && prepare_python tests/requirements.txt && exec python -m pytest --help ;;
    esac
  done
  if [ ${#folders[@]} -gt 0 ]; then
    prepare_python tests/requirements.txt
    exec python -m pytest -q -rs "${folders[@]}" ${given[@]+"${given[@]}"}
  fi
  for folder in tests/{unit,contract,simulation,integration,toy,security,e2e}; do
    [ -d "$folder" ] && folders+=("$folder")
  done
  for argument in "$@"; do case $argument in tests | tests/* | ./tests*) folders=() ;; esac; done
  on_own_system python -m pytest -q -rs ${folders[@]+"${folders[@]}"} "$@"
}

run_suite() { # run_suite NAME ARGUMENT...: bench or faults
  local argument
  for argument in "${@:2}"; do
    case $argument in -h | --help) prepare_python tests/requirements.txt && exec python -m "tests.$1" --help ;; esac
  done
  on_own_system python -m "tests.$1" "${@:2}"
}

run_lab() { # run_lab ARGUMENT...: without any it lists the labs, and starts nothing
  case "${1:---help}" in
    -h | --help) prepare_python tests/requirements.txt && exec python -m tests.labs ${1+"$1"} ;;
  esac
  export KAFKA_PARTITIONS=3 # events out of order need several
  on_own_system python -m tests.labs --diagrams "$LOCAL_DIR/labs" "$@"
}

# on_own_system COMMAND...: runs COMMAND with a system of its own on free ports, and removes that system. Only COMMAND, which
# may print a table or JSON, has the standard output. The lines of this script are on standard error.
on_own_system() {
  local suite status
  exec 3>&1 >&2
  BASE=$LOCAL_DIR # not local: the trap runs after this function
  remove_abandoned_tests
  prepare tests/requirements.txt
  use_folder "$(mktemp -d "$BASE/test.XXXXXX")"
  echo $$ >"$RUN/owner"
  trap 'clean_up $? "$BASE"' EXIT
  trap 'exit 129' HUP && trap 'exit 130' INT && trap 'exit 143' TERM
  choose_ports
  bring_up 3>&-
  export WALLET_URL=http://127.0.0.1:$WALLET_PORT BALANCES_URL=http://127.0.0.1:$BALANCES_PORT
  export TEST_WALLET_DATABASE_URL=mysql://tests:tests@127.0.0.1:$MYSQL_PORT/wallet_test
  export TEST_BALANCES_DATABASE_URL=mysql://tests:tests@127.0.0.1:$MYSQL_PORT/balances_test
  export TEST_TOY_ORDERS_DATABASE_URL=mysql://tests:tests@127.0.0.1:$MYSQL_PORT/toy_orders_test
  export TEST_TOY_STOCK_DATABASE_URL=mysql://tests:tests@127.0.0.1:$MYSQL_PORT/toy_stock_test
  export TEST_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$KAFKA_PORT
  export MYSQLD JAVA KAFKA_LIBS # for a test that starts a server or a broker of its own
  info "running $*"
  set -m # in a process group of its own: a signal reaches us at once, and through us the command and its children
  "$@" </dev/null >&3 3>&- &
  suite=$!
  set +m
  trap 'kill -INT -- "-$suite"' HUP INT TERM
  while wait "$suite" && status=0 || status=$?; kill -0 "$suite" 2>/dev/null; do :; done
  kill -KILL -- "-$suite" 2>/dev/null
  exit "$status"
}

clean_up() { # clean_up STATUS FOLDER: stops and removes the system of on_own_system(); after a failure its logs go to FOLDER
  trap '' HUP INT TERM
  take_down >/dev/null
  rm -rf "$2/failed-logs" # those of an earlier run
  if [ "$1" != 0 ]; then mv "$LOGS" "$2/failed-logs" && info "that system's logs are in $2/failed-logs"; fi
  rm -rf "$LOCAL_DIR"
  rmdir "$2/run" "$2/logs" "$2" 2>/dev/null
}

remove_abandoned_tests() { # what a killed on_own_system() left behind
  local folder owner
  for folder in "$LOCAL_DIR"/test.*; do
    [ -d "$folder" ] || continue
    owner=$(cat "$folder/run/owner" 2>/dev/null)
    [ -n "$owner" ] && kill -0 "$owner" 2>/dev/null && continue
    info "removing $folder, which an interrupted test run left behind"
    (LOCAL_DIR=$folder RUN=$folder/run LOGS=$folder/logs && take_down >/dev/null)
    rm -rf "$folder"
  done
}
