#!/usr/bin/env bats
# concur start --wait and concur run --wait: a start that waits for room.

# shellcheck disable=SC2030,SC2031,SC2317

load helper

setup() {
  make_dir
  export DIR CONCUR_SOCKET=$SOCKET
}
teardown() { remove_dir; }

sessions_of() { concur list --user "$1" | jq -c '[.sessions[].session]'; }
has_sessions() { [ "$(sessions_of "$1")" = "$2" ]; }
waiting() { [ "$(concur status | jq .waiting)" -eq "$1" ]; }

# concur in the background; $WAITS is its pid, its output goes to $DIR/out and $DIR/err. A shell without job control has its
# background jobs ignore SIGINT, which this one does not.
wait_in_background() {
  env --default-signal concur "$@" >"$DIR/out" 2>"$DIR/err" 3>&- &
  WAITS=$!
  PIDS+=("$WAITS")
}

# Waits for it; $status, $output and $stderr are what came of it.
wait_for_it() {
  status=0
  wait "$WAITS" || status=$?
  output=$(cat "$DIR/out")
  stderr=$(cat "$DIR/err")
}

milliseconds() { date +%s%3N; }

@test "start waits for room, and says for how long it did" {
  start_daemon --limit 1
  concur start --user abc --session s1
  wait_in_background start --user abc --session s2 --wait 60s
  eventually waiting 1
  concur end --user abc --session s1
  wait_for_it
  expect_answer 0 '.session == "s2" and .waited > 0'
  has_sessions abc '["s2"]'
}

@test "start is denied where no room comes in time" {
  start_daemon --limit 1
  concur start --user abc --session s1
  begin=$(milliseconds)
  concur_run start --user abc --session s2 --wait 300ms
  [ $(($(milliseconds) - begin)) -ge 300 ]
  expect_answer 1 '.error == "limit_reached" and .waited >= 0.3'
}

@test "start waits longer than its timeout, which is for the daemon" {
  start_daemon --limit 1
  concur start --user abc --session s1
  concur_run start --user abc --session s2 --wait 1s --timeout 100ms
  expect_answer 1 '.waited >= 1'
}

@test "without an answer start gives up after the wait and the timeout together" {
  start_stub mute
  begin=$(milliseconds)
  concur_run start --user abc --session s2 --wait 1s --timeout 500ms
  [ $(($(milliseconds) - begin)) -ge 1500 ]
  expect_error 3 'concur: cannot *: * within 1500ms*'
}

@test "start does not wait where there is room, or for longer than an hour" {
  start_daemon --limit 1
  concur_run start --user abc --session s1 --wait 60s
  expect_answer 0 'has("waited") | not'
  concur_run start --user abc --session s2 --wait 61m
  expect_answer 2 ".message | contains(\"'wait': it takes 0 (not at all) to 1h\")"
  concur_run start --user abc --session s2 --wait soon
  [ "$status" -eq 2 ]
}

@test "whoever is ended leaves the queue" {
  start_daemon --limit 1
  concur start --user abc --session s1
  for signal in KILL TERM INT; do
    wait_in_background start --user abc --session "of-$signal" --wait 60s
    eventually waiting 1
    kill -"$signal" "$WAITS"
    wait_for_it
    [ "$status" -gt 128 ]
    eventually waiting 0
  done
  concur end --user abc --session s1
  has_sessions abc '[]'
}

@test "run runs its command once there is room" {
  start_daemon --limit 1
  concur start --user abc --session s1
  wait_in_background run --user abc --session s2 --wait 60s -- bash -c 'echo runs >"$DIR/ran"; concur list --user abc'
  eventually waiting 1
  [ ! -e "$DIR/ran" ]
  concur end --user abc --session s1
  wait_for_it
  [ "$status" -eq 0 ]
  jq -e '.sessions[0].session == "s2"' <<<"$output"
  has_sessions abc '[]'
}

@test "run that is denied in the end does not run its command" {
  start_daemon --limit 1
  concur start --user abc --session s1
  concur_run run --user abc --session s2 --wait 200ms -- touch "$DIR/ran"
  expect_answer 1 '.error == "limit_reached" and .waited >= 0.2'
  [ ! -e "$DIR/ran" ]
}

@test "a signal while run waits ends it, and no session is left" {
  start_daemon --limit 1
  concur start --user abc --session s1
  for signal in TERM INT HUP; do
    wait_in_background run --user abc --session s2 --wait 60s -- touch "$DIR/ran"
    eventually waiting 1
    kill -"$signal" "$WAITS"
    wait_for_it
    [ "$status" -eq $((128 + $(kill -l "$signal"))) ]
    eventually waiting 0
  done
  [ ! -e "$DIR/ran" ]
  concur end --user abc --session s1
  has_sessions abc '[]'
}

@test "the heartbeats of a run that waited begin when it was let in" {
  start_daemon --limit 1
  concur start --user abc --session s1
  wait_in_background run --user abc --session s2 --ttl 6s --wait 60s -- sleep 0.7
  concur watch --user abc --renewed --since 0 >"$DIR/events" 3>&- &
  PIDS+=("$!")
  eventually grep -q '"waiting".*"s2"' "$DIR/events"
  sleep 2.5 # more than its interval, of concur's own clock
  concur end --user abc --session s1
  wait_for_it
  [ "$status" -eq 0 ]
  eventually grep -q '"ended".*"s2"' "$DIR/events"
  grep -q '"started".*"s2".*"waited":' "$DIR/events"
  run ! grep -q '"renewed"' "$DIR/events"
}

@test "run that goes on without a session tries again, and does not wait then" {
  play() { until [ -e "$DIR/stop" ]; do sleep 0.05; done; }
  export -f play
  start_daemon --limit 1
  concur start --user abc --session s1 >/dev/null
  stop_daemon
  wait_in_background run --user abc --session s2 --ttl 1s --wait 60s --timeout 100ms -- bash -c play
  eventually grep -q 'running the command without a session' "$DIR/err"
  start_daemon --limit 1
  eventually grep -q 'The command goes on without a session' "$DIR/err"
  waiting 0
  touch "$DIR/stop"
  wait_for_it
  [ "$status" -eq 0 ]
}
