#!/usr/bin/env bats
# concur backup, and what its copy is good for.

load helper

setup() {
  make_dir
  COPY=$DIR/copy.db
}
teardown() { remove_dir; }

nothing_is_left() { [ -z "$(find "$DIR" -name '*copy*')" ]; }

@test "a copy is restored: sessions, limits, plans and the record of who shares" {
  start_daemon
  export CONCUR_SOCKET=$SOCKET
  concur plan set family --max 2 >/dev/null
  concur limit set --user abc --plan family >/dev/null
  concur start --user abc --session s1 --device tv >/dev/null
  concur start --user abc --session s2 >/dev/null
  concur start --user abc --session s3 >/dev/null || [ $? -eq 1 ]
  concur report >/dev/null
  concur_run backup "$COPY"
  expect_answer 0 ".file == \"$COPY\" and .bytes == $(stat -c %s "$COPY")"
  [ "$(stat -c %a "$COPY")" = 600 ]
  before=$(concur list --user abc | jq -c '[.sessions[] | {session, startedAt, device}]')
  concur start --user later --session s1 >/dev/null
  stop_daemon

  # As concurrencyd(8) describes it.
  rm -f "$DATABASE-wal" "$DATABASE-shm"
  install -m 0600 "$COPY" "$DATABASE"
  start_daemon
  [ "$(concur list --user abc | jq -c '[.sessions[] | {session, startedAt, device}]')" = "$before" ]
  concur_run limit get --user abc
  expect_answer 0 '.limit == 2 and .from == "plan" and .plan == "family"'
  concur_run report --user abc
  expect_answer 0 '.users[0].denials == 1'
  concur_run heartbeat --user later --session s1
  [ "$status" -eq 5 ]
}

@test "a copy that is made under load has all that was answered before, and is whole" {
  start_daemon
  export CONCUR_SOCKET=$SOCKET
  for n in $(seq 500); do
    printf '{"command":"start","user":"early%s","session":"s"}\n' "$n"
  done | concur batch >/dev/null
  (
    for n in $(seq 20000); do
      printf '{"command":"start","user":"late%s","session":"s"}\n' "$n"
    done | concur batch >"$DIR/answers" 3>&-
  ) 3>&- &
  PIDS+=("$!")
  eventually test -s "$DIR/answers"
  concur_run backup "$COPY"
  expect_answer 0 '.bytes > 0'
  wait "${PIDS[-1]}"
  [ "$(grep -c '"status":201' "$DIR/answers")" -eq 20000 ]
  [ "$(sqlite3 "$COPY" 'PRAGMA integrity_check')" = ok ]
  [ "$(sqlite3 "$COPY" "SELECT count(*) FROM sessions WHERE user LIKE 'early%'")" -eq 500 ]
}

@test "a file that is there already is left alone" {
  start_daemon
  echo mine >"$COPY"
  concur_run --socket "$SOCKET" backup "$COPY"
  expect_error 2 "concur: cannot write $COPY: File exists"
  [ "$(cat "$COPY")" = mine ]
  rm "$COPY"
  nothing_is_left
}

@test "a folder that is not there, and a full file system, leave nothing behind" {
  start_daemon
  concur_run --socket "$SOCKET" backup "$DIR/no/copy.db"
  expect_error 2 "concur: cannot write $DIR/no/copy.db.part: No such file or directory"
  # In blocks of 1 KiB; the signal of the limit is ignored, and the write fails.
  run --separate-stderr bash -c "trap '' XFSZ; ulimit -f 4; concur --socket '$SOCKET' backup '$COPY'"
  expect_error 3 "concur: cannot write $COPY.part: File too large"
  nothing_is_left
}

@test "what the system refuses is no wrong usage" {
  start_daemon
  [ "$(id -u)" -eq 0 ] || skip "this takes root"
  chmod 755 "$DIR"
  mkdir -m 755 "$DIR/closed"
  chmod 0666 "$SOCKET"
  run --separate-stderr as_nobody concur --socket "$SOCKET" backup "$DIR/closed/copy.db"
  expect_error 4 "concur: cannot write $DIR/closed/copy.db.part: Permission denied"
  nothing_is_left
}

@test "on a file system that cannot rename to a free name in one step (NFS, FUSE, older ZFS)" {
  start_daemon
  export LD_PRELOAD=${CONCUR_TEST_LIB_DIR:-$CONCUR_BIN_DIR/../lib}/libtestdisk.so TEST_DISK_PLAIN_RENAME=1 ASAN_OPTIONS=verify_asan_link_order=0
  concur_run --socket "$SOCKET" backup "$COPY"
  expect_answer 0 ".bytes == $(stat -c %s "$COPY")"
  concur_run --socket "$SOCKET" backup "$COPY"
  expect_error 2 "concur: cannot write $COPY: File exists"
  [ "$(find "$DIR" -name '*copy*')" = "$COPY" ]
}

@test "a backup is for operators" {
  [ "$(id -u)" -eq 0 ] || skip "this takes root"
  start_daemon --socket-mode 0666
  mkdir -m 777 "$DIR/open"
  run --separate-stderr as_nobody concur --socket "$SOCKET" backup "$DIR/open/copy.db"
  expect_answer 4 '.error == "permission_denied"'
  nothing_is_left
}

@test "without a daemon nothing is left behind" {
  concur_run --socket "$SOCKET" --timeout 100ms backup "$COPY"
  expect_error 3 "concur: cannot connect to $SOCKET: no such socket*"
  nothing_is_left
}

@test "the file must be named" {
  concur_run --socket "$SOCKET" backup
  expect_error 2 "concur: cannot back up: it takes the FILE to write*"
}

@test "what a killed daemon left of a copy is in nobody's way" {
  echo half >"$DATABASE.copy"
  start_daemon
  concur_run --socket "$SOCKET" backup "$COPY"
  expect_answer 0 '.bytes > 0'
  [ ! -e "$DATABASE.copy" ]
}
