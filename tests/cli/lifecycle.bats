#!/usr/bin/env bats
# concurrencyd's start and end: its exit statuses, its locks, and what it leaves behind.

load helper

setup() { make_dir; }
teardown() { remove_dir; }

# Runs a daemon that is not to come up.
failing_daemon() {
  run --separate-stderr timeout 20 concurrencyd "$@"
}

expect_exit() {
  local code=$1
  shift
  [ "$status" -eq "$code" ] || fail_with "exit status is not $code"
  [ -z "$output" ] || fail_with "standard output is not empty"
  for part in "$@"; do
    [[ $stderr == *"$part"* ]] || fail_with "standard error does not say: $part"
  done
}

edit_database() {
  python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as database: database.execute(sys.argv[2])' "$DATABASE" "$1"
}

@test "SIGTERM and SIGINT end it with 0 and remove the socket" {
  for signal in TERM INT; do
    start_daemon
    kill "-$signal" "$DAEMON"
    wait "$DAEMON"
    [ ! -e "$SOCKET" ]
  done
}

@test "it stays in the foreground and prints nothing on standard output" {
  concurrencyd --socket "$SOCKET" --database "$DATABASE" >"$DIR/out" 2>>"$LOG" 3>&- &
  DAEMON=$!
  PIDS+=("$DAEMON")
  concur --socket "$SOCKET" status >/dev/null
  [ "$(concur --socket "$SOCKET" status | jq .pid)" -eq "$DAEMON" ]
  stop_daemon
  [ ! -s "$DIR/out" ]
}

@test "a second daemon on the same socket exits 11 and leaves the first alone" {
  start_daemon
  failing_daemon --socket "$SOCKET" --database "$DIR/other.db"
  expect_exit 11 "cannot " "$SOCKET" "$DAEMON"
  concur_run --socket "$SOCKET" start --user abc --session s1
  [ "$status" -eq 0 ]
  stop_daemon
}

@test "a second daemon on the same database exits 11, by whatever name it goes" {
  start_daemon
  failing_daemon --socket "$DIR/other.sock" --database "$DATABASE"
  expect_exit 11 "cannot " "$DATABASE" "$DAEMON"
  [ ! -e "$DIR/other.sock" ]
  ln -s sessions.db "$DIR/link.db"
  failing_daemon --socket "$DIR/other.sock" --database "$DIR/link.db"
  expect_exit 11 "cannot "
  mkdir "$DIR/folder"
  failing_daemon --socket "$DIR/other.sock" --database "$DIR/folder/../sessions.db"
  expect_exit 11 "cannot "
  concur_run --socket "$SOCKET" status
  [ "$status" -eq 0 ]
}

@test "of ten daemons started at once one runs and the others exit 11" {
  local pids=() codes=""
  for _ in $(seq 10); do
    in_background concurrencyd --socket "$SOCKET" --database "$DATABASE"
    pids+=("$!")
  done
  concur --socket "$SOCKET" --timeout 10s start --user abc --session s1 >/dev/null
  DAEMON=$(concur --socket "$SOCKET" status | jq .pid)
  for pid in "${pids[@]}"; do
    [ "$pid" -eq "$DAEMON" ] && continue
    code=0
    wait "$pid" || code=$?
    codes+="$code "
  done
  [ "$codes" = "11 11 11 11 11 11 11 11 11 " ]
  stop_daemon
}

@test "two daemons with a socket and a database each run side by side" {
  start_daemon
  local first=$DAEMON first_socket=$SOCKET
  SOCKET=$DIR/second.sock DATABASE=$DIR/second.db
  start_daemon
  concur --socket "$SOCKET" start --user abc --session s1 >/dev/null
  concur_run --socket "$first_socket" list --user abc
  expect_answer 0 '.concurrentSessions == 0'
  stop_daemon
  DAEMON=$first
  stop_daemon
}

@test "the stale socket a kill -9 leaves is replaced" {
  start_daemon
  concur --socket "$SOCKET" start --user abc --session s1 >/dev/null
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  [ -S "$SOCKET" ]
  start_daemon
  concur_run --socket "$SOCKET" heartbeat --user abc --session s1
  expect_answer 0 '.concurrentSessions == 1'
}

@test "a foreign database exits 12 and is left as it was" {
  edit_database 'CREATE TABLE recipes (name)'
  sum=$(sha256sum <"$DATABASE")
  failing_daemon --socket "$SOCKET" --database "$DATABASE"
  expect_exit 12 "cannot " "$DATABASE"
  [ "$(sha256sum <"$DATABASE")" = "$sum" ]
  [ ! -e "$SOCKET" ]
}

@test "a file that is no database exits 12 and is left as it was" {
  seq 2000 >"$DATABASE"
  sum=$(sha256sum <"$DATABASE")
  failing_daemon --socket "$SOCKET" --database "$DATABASE"
  expect_exit 12 "cannot " "$DATABASE"
  [ "$(sha256sum <"$DATABASE")" = "$sum" ]
}

@test "a newer database exits 12 and is left as it was" {
  start_daemon
  concur --socket "$SOCKET" start --user abc --session s1 >/dev/null
  stop_daemon
  edit_database 'PRAGMA user_version = 999'
  sum=$(sha256sum <"$DATABASE")
  failing_daemon --socket "$SOCKET" --database "$DATABASE"
  expect_exit 12 "cannot " "$DATABASE" "newer"
  [ "$(sha256sum <"$DATABASE")" = "$sum" ]
}

@test "a damaged database exits 12" {
  start_daemon
  for n in $(seq 100); do
    concur --socket "$SOCKET" start --user "user$n" --session "$(printf 'x%.0s' $(seq 250))" >/dev/null
  done
  stop_daemon
  [ "$(stat -c %s "$DATABASE")" -gt 16384 ]
  # From the second page on, where the rows are.
  dd if=/dev/urandom of="$DATABASE" bs=4096 seek=1 count=3 conv=notrunc status=none
  failing_daemon --socket "$SOCKET" --database "$DATABASE"
  expect_exit 12 "cannot " "$DATABASE"
}

@test "a truncated database exits 12" {
  start_daemon
  for n in $(seq 100); do
    concur --socket "$SOCKET" start --user "user$n" --session "$(printf 'x%.0s' $(seq 250))" >/dev/null
  done
  stop_daemon
  truncate -s 9000 "$DATABASE"
  failing_daemon --socket "$SOCKET" --database "$DATABASE"
  expect_exit 12 "cannot " "$DATABASE"
}

@test "a database that cannot be opened exits 12" {
  failing_daemon --socket "$SOCKET" --database "$DIR/none/sessions.db"
  expect_exit 12 "cannot " "$DIR/none"
  mkdir "$DIR/folder"
  failing_daemon --socket "$SOCKET" --database "$DIR/folder"
  expect_exit 12 "cannot " "$DIR/folder"
}

@test "a database folder without permission exits 12" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  mkdir -m 755 "$DIR/closed"
  mkdir -m 777 "$DIR/open"
  run --separate-stderr as_nobody timeout 20 concurrencyd --socket "$DIR/open/d.sock" --database "$DIR/closed/sessions.db"
  expect_exit 12 "cannot " "$DIR/closed/sessions.db"
}

@test "a database that may only be read exits 12, also where nothing of it is to be migrated, and is left as it was" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  mkdir -m 777 "$DIR/open"
  local database=$DIR/open/sessions.db
  as_nobody concurrencyd --database "$database" --migrate-only --socket "$DIR/open/d.sock" 2>>"$LOG"
  # As root leaves it that copied a backup to its place.
  for owner_and_mode in "root 644" "nobody 400"; do
    chown "${owner_and_mode% *}" "$database"
    chmod "${owner_and_mode#* }" "$database"
    sum=$(sha256sum <"$database")
    run --separate-stderr as_nobody timeout 20 concurrencyd --socket "$DIR/open/d.sock" --database "$database"
    expect_exit 12 "cannot open database $database: it may only be read (make the daemon's user the owner of it"
    [ "$(sha256sum <"$database")" = "$sum" ]
  done
  chmod 600 "$database"
  : >"$database-wal"
  run --separate-stderr as_nobody timeout 20 concurrencyd --socket "$DIR/open/d.sock" --database "$database"
  expect_exit 12 "cannot open database $database: " "-wal and -shm"
}

@test "a socket that cannot be bound exits 13" {
  failing_daemon --socket "$DIR/none/daemon.sock" --database "$DATABASE"
  expect_exit 13 "cannot " "$DIR/none/daemon.sock"
  failing_daemon --socket "$DIR/$(printf 'x%.0s' $(seq 100))" --database "$DATABASE"
  expect_exit 13 "cannot " "107"
}

@test "a socket folder without permission exits 13" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  mkdir -m 755 "$DIR/closed"
  mkdir -m 777 "$DIR/open"
  run --separate-stderr as_nobody timeout 20 concurrencyd --socket "$DIR/closed/d.sock" --database "$DIR/open/sessions.db"
  expect_exit 13 "cannot " "$DIR/closed/d.sock"
}

@test "a file where the socket should be exits 13 and is left alone" {
  echo precious >"$SOCKET"
  failing_daemon --socket "$SOCKET" --database "$DATABASE"
  expect_exit 13 "cannot " "$SOCKET"
  [ "$(cat "$SOCKET")" = precious ]
  rm "$SOCKET"
  mkdir "$SOCKET"
  failing_daemon --socket "$SOCKET" --database "$DATABASE"
  expect_exit 13 "cannot " "$SOCKET"
  [ -d "$SOCKET" ]
}

@test "the start that fails prints one line on standard error" {
  failing_daemon --socket "$SOCKET" --database "$DIR/none/sessions.db" --log-level error
  [ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "SIGTERM while a client is connected and idle does not wait for it" {
  start_daemon
  python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print("in", flush=True); time.sleep(60)' \
    "$SOCKET" >"$DIR/client" 2>>"$LOG" 3>&- &
  PIDS+=("$!")
  eventually grep -q in "$DIR/client"
  SECONDS=0
  stop_daemon
  [ "$SECONDS" -lt 5 ]
  [ ! -e "$SOCKET" ]
}

@test "the database keeps to its owner" {
  umask 0
  start_daemon
  concur --socket "$SOCKET" start --user abc --session s1 >/dev/null
  for file in "$DATABASE"*; do
    [ "$(stat -c %a "$file")" = 600 ]
  done
}

@test "--migrate-only makes the database, says its schema, and serves nobody" {
  run --separate-stderr concurrencyd --socket "$SOCKET" --database "$DATABASE" --migrate-only
  expect_exit 0 "has schema"
  [ ! -e "$SOCKET" ]
  [ "$(sqlite3 "$DATABASE" 'SELECT count(*) FROM sessions')" -eq 0 ]
}

@test "--migrate-only brings an older database to the newest schema, with what is in it" {
  start_daemon
  concur --socket "$SOCKET" start --user abc --session s1 >/dev/null
  stop_daemon
  newest=$(sqlite3 "$DATABASE" 'PRAGMA user_version')
  edit_database 'DROP TABLE history'
  edit_database 'DROP TABLE history_parts'
  edit_database 'DROP TABLE gone'
  edit_database 'DROP TABLE box'
  edit_database 'DROP TABLE rule_numbers'
  edit_database 'DROP TABLE rule_denials'
  edit_database 'DROP TABLE blocks'
  edit_database 'ALTER TABLE sessions DROP COLUMN overlap'
  edit_database 'ALTER TABLE sessions DROP COLUMN overlap_limit'
  edit_database 'ALTER TABLE sessions DROP COLUMN fleet_start'
  edit_database 'ALTER TABLE sessions DROP COLUMN start'
  edit_database 'ALTER TABLE hold_offs DROP COLUMN mark'
  edit_database 'ALTER TABLE hold_offs DROP COLUMN address'
  edit_database 'PRAGMA user_version = 2'
  run --separate-stderr concurrencyd --socket "$SOCKET" --database "$DATABASE" --migrate-only
  expect_exit 0 "has schema $newest"
  [ "$(sqlite3 "$DATABASE" 'PRAGMA user_version')" -eq "$newest" ]
  start_daemon
  concur_run --socket "$SOCKET" heartbeat --user abc --session s1
  expect_answer 0 '.concurrentSessions == 1'
}

@test "--migrate-only by root leaves nothing to root that the database's owner needs" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  setpriv --reuid=65534 --regid=65534 --clear-groups true || skip "may not become another user"
  start_daemon
  stop_daemon
  rm "$DATABASE.lock"
  chown 65534:65534 "$DIR" "$DATABASE"
  run --separate-stderr concurrencyd --socket "$SOCKET" --database "$DATABASE" --migrate-only
  expect_exit 0 "has schema"
  [ "$(stat -c %u "$DATABASE" "$DATABASE.lock" | sort -u)" = 65534 ]
}

@test "--migrate-only leaves a database alone that a daemon runs on, or that is newer" {
  start_daemon
  failing_daemon --socket "$SOCKET" --database "$DATABASE" --migrate-only
  expect_exit 11 "$DATABASE" "$DAEMON"
  stop_daemon
  edit_database 'PRAGMA user_version = 999'
  failing_daemon --socket "$SOCKET" --database "$DATABASE" --migrate-only
  expect_exit 12 "$DATABASE" "newer"
  failing_daemon --migrate-only --check-config
  expect_exit 2
  failing_daemon --migrate-only --recover
  expect_exit 2
}
