#!/usr/bin/env bats
# packaging/examples, as they are installed.

load helper

setup() {
  make_dir
  # As a user would copy them.
  mkdir "$DIR/stubs" "$DIR/examples"
  find "$BATS_TEST_DIRNAME"/../../packaging/examples -maxdepth 1 -type f -exec cp {} "$DIR/examples" \;
  PATH=$DIR/examples:$DIR/stubs:$PATH
  export DIR CONCUR_SOCKET=$SOCKET
}
teardown() {
  touch "$DIR/stop"
  remove_dir
}

# The recipes that play a stream, each with what plays it here: until the file `stop` is there, exit 7.
PLAYERS=(play-fail-open play-fail-closed limit-ffmpeg)
stub_players() {
  # shellcheck disable=SC2016
  stub ffmpeg 'echo $$ >"$DIR/ffmpeg.pid"; until [ -e "$DIR/stop" ]; do sleep 0.05; done; exit 7'
}
play() {
  case $1 in
    limit-ffmpeg) "$@" ;;
    *) "$@" ffmpeg ;;
  esac
}

# A program that writes down how it was called, and what it read, and exits so.
stub() {
  printf '#!/bin/sh\nprintf "%%s\\n" "$*" >"%s/%s.called"\n%s\n' "$DIR" "$1" "$2" >"$DIR/stubs/$1"
  chmod 755 "$DIR/stubs/$1"
}

fill() {
  for n in 1 2 3; do concur start --user "$1" --session "s$n" >/dev/null; done
}

@test "limit-ffmpeg runs ffmpeg as a session, with its arguments and its status" {
  start_daemon
  stub ffmpeg "concur list --user abc >$DIR/list; exit 7"
  run -7 limit-ffmpeg abc cam-1 -i "in put.mp4" -f hls out.m3u8
  [ "$(cat "$DIR/ffmpeg.called")" = "-nostdin -i in put.mp4 -f hls out.m3u8" ]
  [ "$(jq -r '.sessions[0].session' "$DIR/list")" = cam-1 ]
  concur_run list --user abc
  expect_answer 0 '.concurrentSessions == 0'
}

counts_all() { [ "$(concur list | jq -c '[.sessions[].user] | sort')" = '["limit-ffmpeg","play-fail-closed","play-fail-open"]' ]; }
seen_last() { concur list | jq -r '[.sessions[].lastSeenAt] | min'; }
each_seen_after() { [[ $(seen_last) > $1 ]]; }

@test "each recipe counts for as long as it plays, past its lease, and over a daemon that is killed in the middle" {
  stub_players
  start_daemon --lease 2s
  for recipe in "${PLAYERS[@]}"; do
    (play "$recipe" "$recipe" film) >>"$DIR/out" 2>&1 3>&- &
    PIDS+=("$!")
  done
  players=("${PIDS[@]: -3}")
  eventually counts_all
  started=$(concur list | jq -c '[.sessions[].startedAt]')
  for _ in before after; do
    for _ in 1 2 3 4 5; do
      seen=$(seen_last)
      eventually each_seen_after "$seen"
    done
    counts_all
    if [ -n "$DAEMON" ]; then
      kill -KILL "$DAEMON"
      wait "$DAEMON" || true
      DAEMON=
      in_background concurrencyd --socket "$SOCKET" --database "$DATABASE" --start-rate 0 --lease 2s
      concur --timeout 10s status >/dev/null
    fi
  done
  [ "$(concur list | jq -c '[.sessions[].startedAt]')" = "$started" ]
  touch "$DIR/stop"
  for pid in "${players[@]}"; do
    status=0
    wait "$pid" || status=$?
    [ "$status" -eq 7 ]
  done
  concur_run list
  expect_answer 0 '.sessions == []'
  # The outage was too short for any of them to notice, or is reported once.
  [ "$(wc -l <"$DIR/out")" -le 3 ]
}

no_session() { [ "$(concur list --user abc | jq -c .sessions)" = '[]' ]; }

@test "each recipe, when it is stopped, stops what plays and ends the session" {
  stub_players
  start_daemon
  for recipe in "${PLAYERS[@]}"; do
    rm -f "$DIR/ffmpeg.pid"
    # As a supervisor does, which sends the signal to the one process that it started.
    case $recipe in limit-ffmpeg) words=() ;; *) words=(ffmpeg) ;; esac
    "$recipe" abc film "${words[@]}" >/dev/null 2>&1 3>&- &
    PIDS+=("$!")
    eventually test -s "$DIR/ffmpeg.pid"
    kill -TERM "$!"
    status=0
    wait "$!" || status=$?
    [ "$status" -eq 143 ]
    no_session
    run ! kill -0 "$(cat "$DIR/ffmpeg.pid")"
  done
}

@test "each recipe refuses who is denied and who starts too often" {
  stub_players
  in_background concurrencyd --socket "$SOCKET" --database "$DATABASE" --start-rate 3 --limit 3
  concur --timeout 10s status >/dev/null
  fill full
  concur start --user often --session s1 >/dev/null
  for _ in 1 2; do
    concur end --user often --session s1 >/dev/null
    concur start --user often --session s1 >/dev/null
  done
  for recipe in "${PLAYERS[@]}"; do
    for user in full often; do
      run --separate-stderr play "$recipe" "$user" film
      [ "$status" -eq 1 ]
      [[ $output == *'"error":'* ]]
      [ ! -e "$DIR/ffmpeg.called" ]
    done
  done
}

@test "limit-ffmpeg does not run ffmpeg where the limit is reached, and does where nobody answers" {
  stub ffmpeg "exit 0"
  start_daemon
  fill abc
  run --separate-stderr limit-ffmpeg abc cam-1 -i in.mp4
  expect_answer 1 '.error == "limit_reached"'
  [ ! -e "$DIR/ffmpeg.called" ]
  stop_daemon
  run -0 limit-ffmpeg abc cam-1 -i in.mp4
  [ -e "$DIR/ffmpeg.called" ]
}

@test "mail-sharers mails the table of the week's sharers" {
  start_daemon
  stub mail "cat >$DIR/mail.text"
  fill sharer
  concur start --user sharer --session s4 >/dev/null || [ $? -eq 1 ]
  run -0 mail-sharers support@example.com
  [[ $(cat "$DIR/mail.called") == "-s Shared accounts of the week on "*" support@example.com" ]]
  grep -q '^.*sharer' "$DIR/mail.text"
}

restart_killed() {
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  in_background concurrencyd --socket "$SOCKET" --database "$DATABASE" --start-rate 0 --lease 1s
  DAEMON=$!
  concur --timeout 10s status >/dev/null
}
all_are_over() { [ "$(concur list | jq -c .sessions)" = '[]' ]; }

@test "mail-sharers knows who shared when all leases are over, and after the daemon was killed" {
  start_daemon --lease 1s
  stub mail "cat >$DIR/mail.text"
  fill sharer
  concur start --user sharer --session s4 >/dev/null || [ $? -eq 1 ]
  run -0 mail-sharers support@example.com
  restart_killed
  eventually all_are_over
  rm "$DIR/mail.text"
  run -0 mail-sharers support@example.com
  grep -q '^.*sharer' "$DIR/mail.text"
}

@test "mail-sharers mails no half of a report where the daemon is killed in the middle" {
  start_daemon
  stub mail "cat >/dev/null"
  fill sharer
  concur start --user sharer --session s4 >/dev/null || [ $? -eq 1 ]
  stub concur "$(command -v concur) \"\$@\"; status=\$?; kill -KILL $DAEMON; exit \$status"
  run --separate-stderr mail-sharers support@example.com
  [ "$status" -eq 3 ]
  [[ $stderr == "concur: cannot "* ]]
  [ ! -e "$DIR/mail.called" ]
}

@test "mail-sharers mails nothing where nobody shared, nor where nobody answers" {
  stub mail "cat >/dev/null"
  start_daemon
  fill honest
  run -0 mail-sharers support@example.com
  stop_daemon
  run mail-sharers support@example.com
  [ "$status" -ne 0 ]
  [ ! -e "$DIR/mail.called" ]
}

@test "play-fail-open plays where it is allowed and where nobody answers, and not where it is denied" {
  start_daemon
  run -4 play-fail-open abc s1 sh -c 'concur list --user abc >"$0"; exit 4' "$DIR/list"
  [ "$(jq .concurrentSessions "$DIR/list")" -eq 1 ]
  concur_run list --user abc
  expect_answer 0 '.concurrentSessions == 0'
  fill abc
  run -1 play-fail-open abc s4 touch "$DIR/played"
  [ ! -e "$DIR/played" ]
  stop_daemon
  run -0 play-fail-open abc s4 touch "$DIR/played"
  [ -e "$DIR/played" ]
}

@test "play-fail-closed plays where it is allowed alone" {
  start_daemon
  run -4 play-fail-closed abc s1 sh -c 'exit 4'
  fill abc
  run -1 play-fail-closed abc s4 touch "$DIR/played"
  stop_daemon
  run -3 env CONCUR_SOCKET="$SOCKET" timeout 20 play-fail-closed abc s4 touch "$DIR/played"
  [ ! -e "$DIR/played" ]
}
