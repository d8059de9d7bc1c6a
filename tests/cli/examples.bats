#!/usr/bin/env bats
# packaging/examples, as they are installed.

load helper

setup() {
  make_dir
  PATH=$(cd "$BATS_TEST_DIRNAME/../../packaging/examples" && pwd):$DIR/stubs:$PATH
  export CONCUR_SOCKET=$SOCKET
  mkdir "$DIR/stubs"
}
teardown() { remove_dir; }

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

@test "limit-ffmpeg does not run ffmpeg where the limit is reached, and does where nobody answers" {
  stub ffmpeg "exit 0"
  start_daemon
  fill abc
  run --separate-stderr limit-ffmpeg abc cam-1 -i in.mp4
  [ "$status" -eq 1 ]
  [[ $stderr == *"as many streams as allowed"* ]]
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
