#!/usr/bin/env bats
# The main job, as a streaming server's shell script does it.

load helper

setup() { make_dir; }
teardown() { remove_dir; }

@test "three streams play, the repeat is not counted twice, the fourth is refused, one ends, the next plays" {
  start_daemon
  export CONCUR_SOCKET=$SOCKET

  concur_run start --user abc --session s1
  expect_answer 0 '.user == "abc" and .session == "s1" and .concurrentSessions == 1 and .limit == 3'
  concur_run start --user abc --session s2
  expect_answer 0 '.concurrentSessions == 2'
  concur_run start --user abc --session s2
  expect_answer 0 '.concurrentSessions == 2'
  concur_run start --user abc --session s3
  expect_answer 0 '.concurrentSessions == 3'

  concur_run start --user abc --session s4
  expect_answer 1 '.error == "limit_reached" and .concurrentSessions == 3
    and .message == "User abc is trying to watch 4 streams at once, which is too many."'

  concur_run heartbeat --user abc --session s1
  expect_answer 0 '.concurrentSessions == 3'
  concur_run end --user abc --session s1
  expect_answer 0 '.ended == true and .concurrentSessions == 2'
  concur_run heartbeat --user abc --session s1
  expect_answer 5 '.error == "session_gone" and .reason == "ended"'
  concur_run start --user abc --session s4
  expect_answer 0 '.concurrentSessions == 3'

  concur_run list --user abc
  expect_answer 0 '[.sessions[].session] | sort == ["s2", "s3", "s4"]'
}

@test "a script branches on the exit status alone" {
  start_daemon --limit 1
  cat >"$DIR/play" <<'SCRIPT'
#!/bin/sh
concur --socket "$1" --timeout 1s start --user "$2" --session "$3" >/dev/null 2>&1
case $? in
  0) echo play ;;
  1) echo refuse ;;
  3) echo fail-open ;;
  *) echo mend ;;
esac
SCRIPT
  chmod +x "$DIR/play"
  [ "$("$DIR/play" "$SOCKET" abc s1)" = play ]
  [ "$("$DIR/play" "$SOCKET" abc s2)" = refuse ]
  [ "$("$DIR/play" "$SOCKET" xyz s2)" = play ]
  [ "$("$DIR/play" "$SOCKET" "" s2)" = mend ]
  stop_daemon
  [ "$("$DIR/play" "$SOCKET" abc s1)" = fail-open ]
}

@test "a session outlives a restart of the daemon" {
  start_daemon
  concur --socket "$SOCKET" start --user abc --session s1 >/dev/null
  stop_daemon
  start_daemon
  concur_run --socket "$SOCKET" heartbeat --user abc --session s1
  expect_answer 0 '.concurrentSessions == 1'
}

@test "a session that sends no sign of life stops counting when its lease is over" {
  start_daemon_with_clock --limit 1
  export CONCUR_SOCKET=$SOCKET
  concur start --user abc --session s1 --ttl 1s >/dev/null
  advance_clock 999
  concur_run start --user abc --session s2
  expect_answer 1 '.retryAfter == 0.001'
  advance_clock 1
  concur_run heartbeat --user abc --session s1
  expect_answer 5 '.reason == "expired"'
  concur_run start --user abc --session s2
  expect_answer 0 '.concurrentSessions == 1'
}
