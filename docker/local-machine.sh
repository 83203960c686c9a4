# shellcheck shell=bash
# Sourced by ./local.sh: free ports, the start of the database server and the Kafka broker, and the installation of what
# they need.

# ---- ports

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

port_is_free() { # port_is_free PORT: success if the port is free, else prints which process uses it
  local holder
  in_use "$1" || return 0
  holder=$(lsof -nP -iTCP:"$1" -sTCP:LISTEN 2>/dev/null | awk 'NR == 2 {print $1 ", pid " $2}')
  [ -n "$holder" ] ||
    holder=$(ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*(("\([^"]*\)",pid=\([0-9]*\).*/\1, pid \2/p')
  echo "port $1 is taken by ${holder:-another program}" >&2
  return 1
}

free_port_after() { # free_port_after PORT: the next free one
  local port=$1
  [ "$port" -lt 60000 ] || port=20000
  while port=$((port + 1)) && in_use "$port"; do :; done
  echo "$port"
}

# Five free ports, below the range of outgoing connections: there, a client that calls a stopped server may be given the
# server's own port. 20 apart, so that further instances find free ones near the first.
choose_ports() {
  local port
  WALLET_PORT=$((20000 + RANDOM % 120 * 100)) && BALANCES_PORT=$((WALLET_PORT + 20)) MYSQL_PORT=$((WALLET_PORT + 40))
  KAFKA_PORT=$((WALLET_PORT + 60)) KAFKA_CONTROLLER_PORT=$((WALLET_PORT + 61))
  for port in $WALLET_PORT $BALANCES_PORT $MYSQL_PORT $KAFKA_PORT $KAFKA_CONTROLLER_PORT; do
    in_use "$port" && choose_ports && return
  done
  return 0
}

# ---- the database server

begin_mysql() { # begin_mysql PORT
  local options=(--no-defaults) install link=""
  [ "$(id -u)" = 0 ] && options+=(--user=root)
  if [ ! -d "$LOCAL_DIR/mysql" ]; then # made under another name: a first start cut short is not taken for a database
    info "initialising the database in $LOCAL_DIR/mysql"
    rm -rf "$LOCAL_DIR/mysql.new"
    # Neither leaves a root that TCP reaches without a password: MariaDB's is the socket's, MySQL's has a random one.
    if [[ $("$MYSQLD" --version) == *MariaDB* ]]; then
      install=$(first "${MYSQLD%/*bin/*}/bin/mariadb-install-db" mariadb-install-db mysql_install_db) &&
        # Through a link: as root the program calls chown without quotes, and a space would cut the path.
        link=$(mktemp -d) && ln -s "$LOCAL_DIR" "$link/to" &&
        "$install" "${options[@]}" --skip-test-db --datadir="$link/to/mysql.new"
    else
      "$MYSQLD" "${options[@]}" --initialize --datadir="$LOCAL_DIR/mysql.new"
    fi >>"$LOGS/mysql.log" 2>&1 || give_up mysql "cannot initialise its data (AppArmor may keep it from $LOCAL_DIR)"
    [ -z "$link" ] || rm -rf "$link"
    mv "$LOCAL_DIR/mysql.new" "$LOCAL_DIR/mysql" || exit 1
  fi
  # The socket is relative to the data folder, for a full path may be longer than the 107 characters it can have.
  launch mysql "$ROOT" "$MYSQLD" "${options[@]}" --datadir="$LOCAL_DIR/mysql" --socket=mysql.sock \
    --port="$1" --bind-address=127.0.0.1 --skip-name-resolve --init-file="$PWD/docker/mysql/init.sql" \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_bin --default-time-zone=+00:00 \
    --innodb-flush-log-at-trx-commit=1 --skip-log-bin --loose-performance-schema=OFF --loose-mysqlx=OFF
}

ready_mysql() { python -c '
import pymysql, sys
login = dict(user="wallet", password="wallet", database="wallet", read_timeout=2)
pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), **login).close()' "$1"; }

# ---- the broker

begin_kafka() { # begin_kafka PORT
  # The broker works in its folder, with relative names: its settings are read as Latin-1, and would lose an accent of
  # the path. local.dir is for `running` alone.
  local java=("$JAVA" -Xmx256m -XX:TieredStopAtLevel=1 -Dlog4j2.level=WARN
    "-Dlocal.dir=$LOCAL_DIR" -cp "$KAFKA_LIBS/*")
  if [ ! -d "$LOCAL_DIR/kafka" ]; then # as above
    rm -rf "$LOCAL_DIR/kafka.new"
    kafka_settings "$1" kafka.new >"$LOCAL_DIR/kafka.properties"
    (cd "$LOCAL_DIR" && "${java[@]}" kafka.tools.StorageTool format -t d2FsbGV0LWJhbGFuY2VzMQ -c kafka.properties) \
      >>"$LOGS/kafka.log" 2>&1 || give_up kafka "cannot format its storage"
    mv "$LOCAL_DIR/kafka.new" "$LOCAL_DIR/kafka" || exit 1
  fi
  kafka_settings "$1" kafka >"$LOCAL_DIR/kafka.properties"
  launch kafka "$LOCAL_DIR" "${java[@]}" kafka.Kafka kafka.properties
}

kafka_settings() { # kafka_settings PORT FOLDER
  cat docker/kafka-local.properties
  echo "listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT"
  # A test may put a proxy before the broker: clients connect to the advertised port.
  [ -z "${KAFKA_ADVERTISED_PORT:-}" ] || echo "advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_ADVERTISED_PORT"
  echo "controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT"
  echo "log.dirs=$2"
}

ready_kafka() { # asks for ApiVersions: the port takes connections before the broker answers
  (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf '\0\0\0\12\0\22\0\0\0\0\0\1\377\377' >&3 &&
    LC_ALL=C read -r -t 2 -n 1 -u 3)
}

# ---- requirements: found, installed through apt if possible, or reported with the command to install them

prepare() { # prepare LIST: all that is needed, with the Python packages of that list
  prepare_python "$1"
  find_mysqld ||
    { install "a MySQL or MariaDB server" mariadb "mariadb-server-core mariadb-client-core" && find_mysqld; } ||
    die "neither mysqld nor mariadbd is found; MYSQLD may name one"
  prepare_kafka
}

check_programs() { # a program that was named and is not there must not be replaced silently
  local name
  for name in PYTHON MYSQLD; do
    [ -z "${!name:-}" ] || command -v "${!name}" >/dev/null || die "$name=${!name} is no program"
  done
  [ -z "${KAFKA_HOME:-}" ] || [ -x "$KAFKA_HOME/bin/kafka-server-start.sh" ] ||
    die "KAFKA_HOME=$KAFKA_HOME has no bin/kafka-server-start.sh"
}

prepare_python() { # prepare_python LIST: one at a time, for all of a clone share .venv
  check_programs
  lock packages
  install_packages "$1"
  unlock packages
}

install_packages() { # installs only when the lists have changed
  local stamp=.venv/installed-${1//\//-} sum python=${PYTHON:-python3} version='import sys; print(sys.version_info[:2])'
  if ! .venv/bin/python -c '' 2>/dev/null ||
    { [ -n "${PYTHON:-}" ] && [ "$("$PYTHON" -c "$version")" != "$(.venv/bin/python -c "$version")" ]; }; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
      die "Python 3.11 or newer is needed, and $python is $("$python" --version 2>/dev/null || echo missing)." \
        "Install one, or name one: PYTHON=python3.13 ./local.sh up"
    info "making the virtual environment .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -c 'import ensurepip' 2>/dev/null || install "Python's module venv" python python3-venv
    "$python" -m venv .venv || die "cannot make .venv"
  fi
  sum=$(cat requirements.txt "$1" | cksum)
  [ "$sum" = "$(cat "$stamp" 2>/dev/null)" ] && return
  info "installing the packages of $1 into .venv"
  # In two steps: with hashes pip takes nothing that has none, and the tests' packages have none.
  if ! python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt ||
    ! python -m pip install --quiet --disable-pip-version-check -r "$1"; then
    die "cannot install the packages of $1"
  fi
  echo "$sum" >"$stamp"
}

find_mysqld() {
  MYSQLD=$(first "${MYSQLD:-}" mariadbd mysqld /usr/sbin/mariadbd /usr/sbin/mysqld /usr/local/mysql/bin/mysqld)
}

prepare_kafka() {
  local start home
  find_java || { install "Java 17 or newer" openjdk openjdk-21-jre-headless openjdk-17-jre-headless && find_java; } ||
    die "Java 17 or newer is not found; JAVA_HOME may name one"
  if start=$(first "${KAFKA_HOME:-/none}/bin/kafka-server-start.sh" kafka-server-start.sh kafka-server-start); then
    home=$(python -c 'import pathlib, sys; print(pathlib.Path(sys.argv[1]).resolve().parent.parent)' "$start")
    for KAFKA_LIBS in "$home/libs" "$home/libexec/libs"; do [ -d "$KAFKA_LIBS" ] && return; done
  fi
  # In the user's cache, not in .local/: 55 MB that each clone and each test system would fetch again.
  KAFKA_LIBS=${XDG_CACHE_HOME:-$HOME/.cache}/wallet-balances/kafka-$(cksum <docker/kafka-pom.xml | cut -d' ' -f1)
  [ -d "$KAFKA_LIBS" ] && return
  lock packages
  [ -d "$KAFKA_LIBS" ] && unlock packages && return
  first mvn >/dev/null || install Maven maven maven
  info "fetching Kafka from Maven Central into $KAFKA_LIBS (55 MB)"
  if ! mvn -B -f docker/kafka-pom.xml dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$KAFKA_LIBS.$$" >"$LOGS/install.log" 2>&1 || ! mv "$KAFKA_LIBS.$$" "$KAFKA_LIBS"; then
    rm -rf "$KAFKA_LIBS.$$"
    give_up install "of Kafka failed"
  fi
  unlock packages
}

find_java() {
  local homes=(/usr/lib/jvm/* /opt/homebrew/opt/openjdk /usr/local/opt/openjdk) home version
  for home in "${JAVA_HOME:-}" "" "${homes[@]}"; do
    JAVA=${home:+$home/bin/}java
    version=$("$JAVA" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
    [ "${version:-0}" -lt 17 ] || break
    [ "$home" != "${JAVA_HOME:-none}" ] || info "JAVA_HOME=$JAVA_HOME has no Java 17 or newer: searching for another"
  done
  [ "${version:-0}" -ge 17 ]
}

install() { # install WHAT BREW APT...: the first of APT... that this release has, or prints what to type
  local what=$1 brew=$2 packages sudo=""
  shift 2
  command -v apt-get >/dev/null || die "$what is missing. Type: brew install $brew (or use your system's own packages)"
  if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    sudo -n true 2>/dev/null || die "$what is missing. Type: sudo apt-get install $1"
  fi
  info "installing $what through apt"
  $sudo apt-get update -qq
  for packages in "$@"; do
    # shellcheck disable=SC2086 # may be two packages
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages \
      >"$LOGS/install.log" 2>&1 && return
  done
  give_up install "of $what failed"
}

first() { # first COMMAND...: the path of the first that exists
  local command
  for command in "$@"; do [ -n "$command" ] && command -v "$command" && return; done
  return 1
}
