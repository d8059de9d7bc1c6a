#!/usr/bin/env bats
# A user who starts too often is refused (429), as one at the limit is: "no answer" would let a player that hammers the
# daemon play by every fail-open rule.

load helper

setup() {
  make_dir
  export CONCUR_SOCKET=$SOCKET
  in_background concurrencyd --socket "$SOCKET" --database "$DATABASE" --start-rate 1
  concur --timeout 10s status >/dev/null
  concur start --user abc --session s1 >/dev/null
}
teardown() { remove_dir; }

@test "start: exit 1 with the daemon's answer, in its plain form and in any other" {
  concur_run start --user abc --session s2
  expect_answer 1 '.error == "too_many_requests" and .retryAfter > 0'
  concur_run start --user abc --session s2 --meta a=b
  expect_answer 1 '.error == "too_many_requests"'
}

@test "run: exit 1, and the command never runs, whatever --if-unavailable says" {
  for rule in allow deny; do
    concur_run run --user abc --session s2 --if-unavailable "$rule" -- touch "$DIR/ran"
    expect_answer 1 '.error == "too_many_requests"'
    [ ! -e "$DIR/ran" ]
  done
}

@test "batch: the line has its answer, and exit 0 as with a denial" {
  run --separate-stderr concur batch <<<'{"command":"start","user":"abc","session":"s2"}'
  expect_answer 0 '.status == 429'
}

@test "renewals, heartbeats and ends are none of it" {
  concur_run start --user abc --session s1
  expect_answer 0 '.concurrentSessions == 1'
  concur_run heartbeat --user abc --session s1
  expect_answer 0 '.concurrentSessions == 1'
  concur_run end --user abc --session s1
  expect_answer 0 '.ended'
}
