# shellcheck shell=bash
# Sourced by ./local.sh: one process of the system, from its start to its end, with its name, port, pid and lock.

READY_SECONDS=90 FIRST_REPORT_SECONDS=5 REPORT_SECONDS=10

begin() { # begin NAME: starts it without waiting; success if it runs already
  local name=$1 kind port
  lock "$name"
  if running "$name"; then
    info "$name already runs: pid $(pid_of "$name"), port $(port_of "$name")"
    unlock "$name" && return
  fi
  [ -f "$RUN/$name.pid" ] && info "$name: its process $(pid_of "$name") has ended, the pid file is stale"
  rm -f "$RUN/$name.pid"
  kind=$(kind_of "$name") port=$(wanted_port "$name")
  [ "$name" = "$kind" ] || port=$(free_port_after $((port - 1)))
  port_is_free "$port" ||
    die "$name was not started. Stop that, or choose another port: $(other_port "$name") ./local.sh start $name"
  info "starting $name on port $port"
  echo "$port" >"$RUN/$name.port"
  "begin_$kind" "$port" "$name"
  unlock "$name"
}

begin_wallet() { begin_service wallet "$@" "${WALLET_DATABASE_URL:-}" "${WALLET_BOOTSTRAP_SERVERS:-}"; }
begin_balances() { begin_service balances "$@" "${BALANCES_DATABASE_URL:-}" "${BALANCES_BOOTSTRAP_SERVERS:-}"; }
begin_service() { # begin_service KIND PORT NAME DATABASE_URL BOOTSTRAP_SERVERS: a test's proxy may be in the last two
  local mysql kafka
  mysql=127.0.0.1:$(port_of mysql) kafka=127.0.0.1:$(port_of kafka)
  launch "$3" "$ROOT" env HOST=127.0.0.1 PORT="$2" KAFKA_INSTANCE_ID="$3" KAFKA_BOOTSTRAP_SERVERS="${5:-$kafka}" \
    DATABASE_URL="${4:-mysql://$1:$1@$mysql/$1}" MIGRATIONS_DATABASE_URL="mysql://$1_owner:$1_owner@$mysql/$1" \
    WALLET_URL="${WALLET_URL:-http://127.0.0.1:$(port_of wallet)}" \
    BALANCES_URL="${BALANCES_URL:-http://127.0.0.1:$(port_of balances)}" SEED_DEMO_DATA="${SEED_DEMO_DATA:-on}" bash entrypoint.sh "$1"
}

# launch NAME FOLDER COMMAND...: in a separate process group, which neither Ctrl-C nor the terminal's end reaches
launch() {
  local name=$1 folder=$2
  shift 2
  set -m
  (trap '' HUP && cd "$folder" && exec "$@") </dev/null >>"$LOGS/$name.log" 2>&1 &
  echo $! >"$RUN/$name.pid"
  disown
  set +m
  for _ in {1..50}; do running "$name" && break; sleep 0.02; done # until the fork has become the command
}

await() { # await NAME: waits until it answers; if it ends or takes too long, prints the end of its log and exits with 1
  local limit=$((SECONDS + READY_SECONDS)) report=$((SECONDS + FIRST_REPORT_SECONDS))
  until ready "$1"; do
    running "$1" || give_up "$1" "has ended"
    [ $SECONDS -lt $limit ] || give_up "$1" "is not ready after $READY_SECONDS s$(missing_servers "$1")"
    [ $SECONDS -lt $report ] || { report_waiting "$1" && report=$((SECONDS + REPORT_SECONDS)); }
    sleep 0.1
  done
  info "$1 is ready"
}

report_waiting() { # report_waiting NAME: with the reason, as far as it is known
  local last
  # Of this run alone: the log continues that of earlier ones.
  last=$(awk '/"message":"stopped"/ { last = ""; next } !/"path":"\/ready"/ { last = $0 } END { print last }' "$LOGS/$1.log" |
    sed -n 's/.*"message":"\([^"]*\)".*/ Its log: \1/p')
  info "waiting for $1 to be ready$(missing_servers "$1").$last"
}

missing_servers() { # missing_servers NAME: the servers that a service waits for and that do not run
  local server separator=:
  case $(kind_of "$1") in mysql | kafka) return ;; esac
  for server in mysql kafka; do
    running "$server" && continue
    printf '%s' "$separator $server is not running (./local.sh start $server)" && separator=,
  done
}

end() { # end NAME: sends SIGTERM, and SIGKILL after 20 s
  local pid limit=$((SECONDS + 20))
  if running "$1"; then
    pid=$(pid_of "$1")
    info "stopping $1 (pid $pid)"
    kill -TERM "$pid" && kill -CONT "$pid" # a stopped process handles SIGTERM only after SIGCONT
    while running "$1"; do
      [ $SECONDS -lt $limit ] || { info "$1 has not ended in 20 s: killing it" && kill -KILL "$pid" && sleep 1; }
      sleep 0.1
    done
    kill -KILL -- "-$pid" # the rest of its group, if it left children behind
  else
    info "$1 is not running"
  fi 2>/dev/null
  rm -f "$RUN/$1.pid" "$RUN/$1.port"
}

running() { # its process exists and is still that program: the system reuses pids
  local pid command
  pid=$(pid_of "$1") || return 1
  for _ in {1..5}; do # the command line is empty for a moment while one program becomes another
    if [ -d /proc/self ]; then
      command=$(tr '\0' ' ' <"/proc/$pid/cmdline")
    else
      command=$(ps -ww -o args= -p "$pid")
    fi
    { [ -z "$command" ] && kill -0 "$pid"; } || break
    sleep 0.05
  done
  case $(kind_of "$1"):$command in
    mysql:*"--datadir=$LOCAL_DIR/mysql "* | kafka:*" -Dlocal.dir=$LOCAL_DIR "*) ;;
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
variable_of() { echo "$(kind_of "$1" | tr '[:lower:]' '[:upper:]')_PORT"; }
wanted_port() { # the kind's own variable; for instance n, n - 1 more
  local n=${1#"$(kind_of "$1")"} variable
  variable=$(variable_of "$1") n=${n#-}
  echo $((${!variable} + ${n:-1} - 1))
}
check_name() { # check_name NAME: ends unless it is one, and the only one
  { [ $# = 1 ] && [[ $1 =~ ^(mysql|kafka|(wallet|balances)(-[2-9])?)$ ]]; } ||
    die "name one of mysql, kafka, wallet, balances, wallet-2 to -9, balances-2 to -9${*:+, not: $*}"
}
other_port() { # other_port NAME: its variable, with a port that is free
  echo "$(variable_of "$1")=$(free_port_after $(($(wanted_port "$1") + 999)))"
}
lock() { # lock NAME: waits while another running ./local.sh has it
  local holder waiting=no
  until (set -C && echo $$ >"$RUN/$1.lock") 2>/dev/null; do
    holder=$(cat "$RUN/$1.lock" 2>/dev/null)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then rm -f "$RUN/$1.lock" && continue; fi
    [ $waiting = yes ] || info "waiting for another ./local.sh (pid ${holder:-unknown}) to finish with $1"
    waiting=yes
    sleep 0.2
  done
}
unlock() { rm -f "$RUN/$1.lock"; }
give_up() { # give_up NAME WHAT: with the end of its log
  { echo "the end of $LOGS/$1.log:" && grep -v '"path":"/ready"' "$LOGS/$1.log" | tail -n 20; } >&2
  die "$1 $2"
}
