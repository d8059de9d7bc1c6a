#!/usr/bin/env bats
# What scripts fork for each stream is done by the program that is called; for all else it becomes another.

load helper

setup() {
  make_dir
  start_daemon
  cp "$CONCUR_BIN_DIR/concur" "$DIR/concur"
}
teardown() { remove_dir; }

# The called program alone, without those it becomes.
alone_run() {
  run --separate-stderr "$DIR/concur" --socket "$SOCKET" "$@"
}

@test "the plain forms are done by the called program itself" {
  alone_run start --user abc --session xyz --device tv-1 --ttl 2m
  expect_answer 0 '.concurrentSessions == 1'
  alone_run heartbeat --user=abc --session=xyz --timeout=2s
  expect_answer 0 '.user == "abc"'
  alone_run end --user abc --session xyz
  expect_answer 0 '.ended'
  alone_run heartbeat --user abc --session xyz
  expect_answer 5 '.error'
  run --separate-stderr "$DIR/concur" --socket "$DIR/none" --timeout 50ms end --user abc --session xyz
  expect_error 3 "concur: cannot connect to $DIR/none: no such socket; *"
}

@test "where the other program is missing the call fails as one without an answer" {
  for command in "start --user abc --session xyz --limit 2" "list" "--version" ""; do
    # shellcheck disable=SC2086
    alone_run $command
    expect_error 3 "concur: cannot run $DIR/../libexec/concurrencyd/concur-all: No such file or directory"
  done
}

@test "the other programs are found from the called one through a link" {
  ln -s "$(realpath "$CONCUR_BIN_DIR/concur")" "$DIR/link"
  run --separate-stderr "$DIR/link" --version
  [ "$status" -eq 0 ] && [[ $output == "concur "* ]] && [ -z "$stderr" ]
}
