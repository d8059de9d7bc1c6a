#!/usr/bin/env bats
# concur watch: what happens, a JSON object a line, as it happens.

# shellcheck disable=SC2030,SC2031

load helper

setup() {
  make_dir
  export CONCUR_SOCKET=$SOCKET
}
teardown() { remove_dir; }

# concur watch in the background; $WATCH is its pid, its output goes to $DIR/events and $DIR/err.
start_watch() {
  env --default-signal concur watch "$@" >"$DIR/events" 2>"$DIR/err" 3>&- &
  WATCH=$!
  PIDS+=("$WATCH")
}

# Until an event satisfies the jq filter.
saw() { jq -se "any(.[]; $1)" "$DIR/events" >/dev/null; }

# Sessions of `probe` come and go until one of them is seen, for a watch of all users.
wait_for_watch() { eventually sees_probe; }
sees_probe() {
  concur start --user probe --session s >/dev/null
  concur end --user probe --session s >/dev/null
  saw '.user == "probe" and .event == "ended"'
}

# The events of a user, as a list of names.
story_of() { jq -r "select(.user == \"$1\") | .event" "$DIR/events" | xargs; }
has_story() { [ "$(story_of "$1")" = "$2" ]; }

# Ends the watch by a signal; $status is its exit status.
end_watch() {
  status=0
  kill "-${1-TERM}" "$WATCH"
  wait "$WATCH" || status=$?
}

@test "a whole story: started, denied, evicted, ended, expired, purged, in their order" {
  start_daemon --limit 1
  start_watch
  wait_for_watch
  concur start --user abc --session s1 --device tv --ip 192.0.2.1 --content film >/dev/null
  run -1 concur start --user abc --session s2 --device phone
  concur start --user abc --session s3 --device tablet --replace s1 >/dev/null
  concur end --user abc --session s3 >/dev/null
  concur start --user abc --session s4 --ttl 1s >/dev/null
  eventually saw '.event == "expired"'
  concur start --user abc --session s5 >/dev/null
  concur purge --user abc >/dev/null
  eventually saw '.event == "purged"'
  # Whether one is reported as evicted before or after the other as started is the daemon's to choose.
  [ "$(story_of abc | sed 's/started evicted/evicted started/')" = \
    "started denied evicted started ended started expired started purged" ]
  jq -se 'map(.seq) == ([.[].seq] | sort | unique)' "$DIR/events"
  jq -se 'map(select(.user == "abc")) | all(has("seq") and (.at | endswith("Z")) and has("session"))' "$DIR/events"
  saw '.event == "started" and .session == "s1" and .device == "tv" and .ip == "192.0.2.1" and .content == "film"
    and .concurrentSessions == 1 and .limit == 1'
  saw '.event == "denied" and .session == "s2" and .device == "phone" and .concurrentSessions == 1 and .limit == 1'
  saw '.event == "evicted" and .session == "s1" and .evictedBy.session == "s3" and .evictedBy.device == "tablet"'
  saw '.event == "ended" and .session == "s3" and .concurrentSessions == 0'
  saw '.event == "expired" and .session == "s4"'
  saw '.event == "purged" and .session == "s5"'
}

@test "SIGINT and SIGTERM end it with 0 and whole lines" {
  start_daemon
  for signal in INT TERM; do
    start_watch
    wait_for_watch
    end_watch $signal
    [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
    jq . "$DIR/events" >/dev/null
  done
}

@test "a signal ends it also while there is no daemon" {
  start_watch --timeout 30s
  eventually catches_signals
  end_watch TERM
  [ "$status" -eq 0 ]
}

# It has come as far as to catch SIGTERM, by /proc: the bit of signal 15.
catches_signals() {
  local caught
  caught=$(sed -n 's/^SigCgt:\t//p' "/proc/$WATCH/status")
  (((16#$caught >> 14) & 1))
}

@test "renewals are printed with --renewed only" {
  start_daemon
  start_watch --user abc --renewed --since 0
  concur start --user abc --session s1 >/dev/null
  eventually has_story abc "started" # somebody watches: from here on renewals are published
  concur heartbeat --user abc --session s1 >/dev/null
  concur end --user abc --session s1 >/dev/null
  eventually has_story abc "started renewed ended"
  saw '.event == "renewed" and .concurrentSessions == 1 and .limit == 3'
  end_watch
  start_watch --user abc --since 0
  eventually has_story abc "started ended"
}

@test "--user prints one user alone, and is for anyone; all users are for operators" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  start_daemon --socket-mode 0666
  setpriv --reuid=65534 --regid=65534 --clear-groups env --default-signal \
    concur watch --user "a b&c" --since 0 >"$DIR/events" 2>"$DIR/err" 3>&- &
  PIDS+=("$!")
  concur start --user abd --session s1 >/dev/null
  concur start --user "a b&c" --session s1 >/dev/null
  eventually saw '.event == "started"'
  [ "$(jq -r 'select(.user) | .user' "$DIR/events" | sort -u)" = "a b&c" ]
  run --separate-stderr as_nobody concur watch
  expect_answer 4 '.error == "permission_denied"'
}

@test "--since prints what came after that event first, and goes on" {
  start_daemon
  for n in 1 2 3; do concur start --user abc --session "s$n" >/dev/null; done
  start_watch --since 0
  eventually saw '.session == "s3"'
  [ "$(jq -r .session "$DIR/events" | xargs)" = "s1 s2 s3" ]
  second=$(jq -r 'select(.session == "s2") | .seq' "$DIR/events")
  end_watch
  start_watch --since "$second"
  eventually saw '.session == "s3"'
  concur end --user abc --session s1 >/dev/null
  eventually saw '.event == "ended"'
  [ "$(jq -r .event "$DIR/events" | xargs)" = "started ended" ]
}

@test "--since of a daemon that ended since then says that events were lost" {
  start_daemon
  start_watch --since 1000
  eventually saw '.event == "dropped"'
}

@test "limits that change are printed" {
  start_daemon
  start_watch
  wait_for_watch
  concur plan set premium --max 5 >/dev/null
  concur limit set --user abc --plan premium >/dev/null
  concur limit set --user abc --max 9 >/dev/null
  concur plan unset premium --force >/dev/null
  eventually saw '.event == "limit_changed" and .removed == true'
  saw '.event == "limit_changed" and .plan == "premium" and .limit == 5 and (has("user") | not)'
  saw '.event == "limit_changed" and .user == "abc" and .limit == 9 and .plan == "premium"'
}

@test "observe mode: a denial that would have been, and then a start" {
  start_daemon --mode observe --limit 1
  start_watch --user abc --since 0
  concur start --user abc --session s1 >/dev/null
  concur start --user abc --session s2 >/dev/null
  eventually has_story abc "started denied started"
  saw '.event == "denied" and .wouldDeny == true and .session == "s2"'
}

@test "each line comes out at once, through a pipe too" {
  start_daemon
  mkfifo "$DIR/from"
  concur watch --user abc --since 0 >"$DIR/from" 2>"$DIR/err" 3>&- &
  PIDS+=("$!")
  exec 6<"$DIR/from"
  for n in 1 2 3; do
    concur start --user abc --session "s$n" >/dev/null
    read -r -t 20 line <&6
    [ "$(jq -r .session <<<"$line")" = "s$n" ]
  done
  exec 6<&-
}

@test "a reader that goes away ends it, without waiting for the next event: it dies of SIGPIPE" {
  start_daemon
  mkfifo "$DIR/from"
  concur watch --user abc --since 0 >"$DIR/from" 2>"$DIR/err" 3>&- &
  WATCH=$!
  PIDS+=("$WATCH")
  exec 6<"$DIR/from"
  concur start --user abc --session s1 >/dev/null
  read -r -t 20 line <&6
  exec 6<&-
  status=0
  wait "$WATCH" || status=$?
  [ "$status" -eq 141 ]
  [ ! -s "$DIR/err" ]
}

@test "a daemon that stops: exit 3, and one line says so" {
  start_daemon
  start_watch
  wait_for_watch
  stop_daemon
  status=0
  wait "$WATCH" || status=$?
  [ "$status" -eq 3 ]
  [ "$(cat "$DIR/err")" = "concur: cannot watch: the daemon stopped" ]
  jq . "$DIR/events" >/dev/null
}

@test "a daemon that is killed: exit 3, and one line says so" {
  start_daemon
  start_watch
  wait_for_watch
  kill -KILL "$DAEMON"
  status=0
  wait "$WATCH" || status=$?
  [ "$status" -eq 3 ]
  [ "$(cat "$DIR/err")" = "concur: cannot watch: the daemon ended unexpectedly" ]
}

@test "a reader that is too slow learns it from the last line, and by exit 3" {
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n{"seq":1,"event":"started","user":"abc"}\n{"seq":9,"event":"dropped","message":"cannot go on: the reader is too slow"}\n'
  concur_run watch
  [ "$status" -eq 3 ]
  [ "$(jq -r .event <<<"$output" | xargs)" = "started dropped" ]
  [ "$stderr" = "concur: cannot watch: cannot go on: the reader is too slow" ]
}

@test "no daemon, one that does not answer, and something else: exit 3" {
  concur_run watch --timeout 100ms
  expect_error 3 "concur: cannot connect to $SOCKET: no such socket; *"
  start_stub mute
  concur_run watch --timeout 300ms
  expect_error 3 "concur: cannot get an answer from $SOCKET: none within 300ms; *"
  SOCKET=$DIR/html.sock
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>'
  concur_run watch --socket "$SOCKET"
  expect_error 3 "concur: cannot watch: the answer is not concurrencyd's, it is not JSON by line; *"
}

@test "a user that the daemon calls invalid exits 2" {
  start_daemon
  concur_run watch --user "$(printf 'a\tb')"
  expect_answer 2 '.error == "invalid_request"'
}
