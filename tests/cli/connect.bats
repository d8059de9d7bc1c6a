#!/usr/bin/env bats
# No answer: what is the matter is distinguished, and each hint works.

load helper

setup() { make_dir; }
teardown() { remove_dir; }

@test "absent: there is no socket; a daemon started there is found" {
  concur_run --socket "$SOCKET" --timeout 200ms status
  expect_error 3 "concur: cannot connect to $SOCKET: no such socket; start concurrencyd there, or name the socket it has with --socket"
  start_daemon
  concur_run --socket "$SOCKET" --timeout 20s status
  [ "$status" -eq 0 ]
}

@test "absent: the socket the daemon has, named with --socket, is found" {
  start_daemon
  concur_run --socket "$DIR/other.sock" --timeout 200ms status
  expect_error 3 "concur: cannot connect to $DIR/other.sock: no such socket; *"
  concur_run --socket "$SOCKET" --timeout 20s status
  [ "$status" -eq 0 ]
}

@test "refused: a stale socket; a daemon started again takes it over" {
  start_daemon
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  [ -S "$SOCKET" ]
  concur_run --socket "$SOCKET" --timeout 200ms status
  expect_error 3 "concur: cannot connect to $SOCKET: nothing listens on it; its daemon ended without removing it: start concurrencyd on it again"
  start_daemon
  concur_run --socket "$SOCKET" --timeout 20s status
  [ "$status" -eq 0 ]
}

@test "refused: a file that is no socket" {
  touch "$SOCKET"
  concur_run --socket "$SOCKET" --timeout 200ms status
  expect_error 3 "concur: cannot connect to $SOCKET: it is not a daemon's socket; name the one concurrencyd has with --socket"
}

@test "forbidden by the socket: at once, exit 4, and the user it is open to may" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  start_daemon --socket-mode 0600
  SECONDS=0
  run --separate-stderr as_nobody concur --socket "$SOCKET" --timeout 30s status
  expect_error 4 "concur: cannot connect to $SOCKET: permission denied; $SOCKET is open to root only: run concur as root"
  [ "$SECONDS" -lt 10 ]
  concur_run --socket "$SOCKET" status
  [ "$status" -eq 0 ]
}

@test "forbidden by the socket: a member of its group may" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  start_daemon --socket-mode 0660
  chgrp games "$SOCKET"
  run --separate-stderr as_nobody concur --socket "$SOCKET" status
  expect_error 4 "concur: cannot connect to $SOCKET: permission denied; $SOCKET is open to root and the group games: run concur as one of them"
  run --separate-stderr setpriv --reuid=65534 --regid=65534 --groups="$(getent group games | cut -d: -f3)" \
    concur --socket "$SOCKET" status
  [ "$status" -eq 0 ]
}

# With a user `viewer`, who is in the groups `video-team` (as of now) and `viewer`.
with_viewer() {
  unshare --mount bash -euc '
    mount --make-rprivate /
    mount --bind "$0/passwd" /etc/passwd
    mount --bind "$0/group" /etc/group
    exec "$@"' "$DIR" "$@"
}

@test "forbidden by the socket: who is in its group, but not since this login, is told so, and each way out works" {
  unshare --mount true 2>/dev/null || skip "needs the right to mount"
  { cat /etc/passwd; echo "viewer:x:4242:4242::/tmp:/bin/sh"; } >"$DIR/passwd"
  { cat /etc/group; echo "viewer:x:4242:"; echo "video-team:x:4243:games,viewer"; } >"$DIR/group"
  start_daemon --socket-mode 0660
  chgrp 4243 "$SOCKET"
  viewer=(with_viewer setpriv --reuid 4242 --regid 4242)
  run --separate-stderr "${viewer[@]}" --clear-groups concur --socket "$SOCKET" status
  expect_error 4 "concur: cannot connect to $SOCKET: permission denied; viewer is in the group video-team, for which $SOCKET is open, but not yet in this login: log in anew (of a service: restart it), or: newgrp video-team"
  run --separate-stderr "${viewer[@]}" --init-groups concur --socket "$SOCKET" status
  [ "$status" -eq 0 ]
  run --separate-stderr "${viewer[@]}" --clear-groups newgrp video-team <<<"exec concur --socket $SOCKET status"
  [ "$status" -eq 0 ]
  # Who is not in it has the other hint.
  run --separate-stderr with_viewer setpriv --reuid 65534 --regid 65534 --clear-groups concur --socket "$SOCKET" status
  expect_error 4 "concur: cannot connect to $SOCKET: permission denied; $SOCKET is open to root and the group video-team: run concur as one of them"
}

@test "forbidden by the daemon: who is in the admin group, but not since this login, is told so, and each way out works" {
  unshare --mount true 2>/dev/null || skip "needs the right to mount"
  { cat /etc/passwd; echo "viewer:x:4242:4242::/tmp:/bin/sh"; } >"$DIR/passwd"
  { cat /etc/group; echo "viewer:x:4242:"; echo "video-team:x:4243:games,viewer"; } >"$DIR/group"
  in_background with_viewer concurrencyd --socket "$SOCKET" --database "$DATABASE" --socket-mode 0666 --admin-group video-team
  concur --socket "$SOCKET" --timeout 10s status >/dev/null
  hint='; viewer is in the group video-team, but not yet in this login: log in anew (of a service: restart it), or: newgrp video-team"}'
  viewer=(with_viewer setpriv --reuid 4242 --regid 4242)
  for asked in "limit list" "start --user abc --session xyz --limit 9" "watch"; do
    # shellcheck disable=SC2086  # several words
    run --separate-stderr "${viewer[@]}" --clear-groups concur --socket "$SOCKET" $asked
    [ "$status" -eq 4 ]
    [[ $output == *'"permission_denied"'*"$hint" ]]
  done
  run --separate-stderr "${viewer[@]}" --init-groups concur --socket "$SOCKET" limit list
  [ "$status" -eq 0 ]
  run --separate-stderr "${viewer[@]}" --clear-groups newgrp video-team <<<"exec concur --socket $SOCKET limit list"
  [ "$status" -eq 0 ]
  # Nobody else has the hint.
  run --separate-stderr with_viewer setpriv --reuid 65534 --regid 65534 --clear-groups concur --socket "$SOCKET" limit list
  [ "$status" -eq 4 ]
  [[ $output == *'keys with that role"}' ]]
}

@test "forbidden by a folder" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  mkdir -m 700 "$DIR/closed"
  mkdir "$DIR/closed/inner"
  SOCKET=$DIR/closed/inner/daemon.sock
  start_daemon --socket-mode 0666
  run --separate-stderr as_nobody concur --socket "$SOCKET" status
  expect_error 4 "concur: cannot connect to $SOCKET: permission denied; $DIR/closed is open to root only: run concur as root"
}

@test "timed out: a daemon that accepts nothing" {
  start_stub deaf
  # The one place in its queue is taken by the first, which then waits for an answer.
  in_background concur --socket "$SOCKET" --timeout 20s status
  concur_run --socket "$SOCKET" --timeout 300ms status
  if [[ $stderr == *"none within"* ]]; then
    concur_run --socket "$SOCKET" --timeout 300ms status
  fi
  [ "$status" -eq 3 ]
  eventually queue_is_full
}

queue_is_full() {
  in_background concur --socket "$SOCKET" --timeout 20s status
  concur_run --socket "$SOCKET" --timeout 300ms status
  expect_error 3 "concur: cannot connect to $SOCKET: it took no connection within 300ms; the daemon is stuck or overloaded: look at its log, or wait longer with --timeout"
}

@test "timed out: a daemon that does not answer" {
  start_stub mute
  SECONDS=0
  concur_run --socket "$SOCKET" --timeout 300ms start --user abc --session xyz
  expect_error 3 "concur: cannot get an answer from $SOCKET: none within 300ms; the daemon is stuck or overloaded: look at its log, or wait longer with --timeout"
  [ "$SECONDS" -lt 10 ]
}

@test "timed out: a daemon that is stopped, and waiting longer helps once it goes on" {
  start_daemon
  kill -STOP "$DAEMON"
  concur_run --socket "$SOCKET" --timeout 300ms status
  expect_error 3 "concur: cannot get an answer from $SOCKET: none within 300ms; *"
  (sleep 0.5; kill -CONT "$DAEMON") 3>&- &
  concur_run --socket "$SOCKET" --timeout 20s status
  [ "$status" -eq 0 ]
}

@test "timed out: waiting longer for a slow daemon helps" {
  start_stub slow 1
  concur_run --socket "$SOCKET" --timeout 300ms status
  [ "$status" -eq 3 ]
  concur_run --socket "$SOCKET" --timeout 20s status
  [ "$status" -eq 0 ]
}

@test "the default time is five seconds" {
  start_stub mute
  SECONDS=0
  concur_run --socket "$SOCKET" status
  expect_error 3 "*none within 5s; *"
  [ "$SECONDS" -ge 4 ] && [ "$SECONDS" -lt 15 ]
}

@test "a daemon that closes without an answer is not asked again" {
  start_stub say ''
  concur_run --socket "$SOCKET" start --user abc --session xyz
  expect_error 3 "concur: cannot get an answer from $SOCKET: it closed the connection; look at the daemon's log"
}

@test "an answer that is not HTTP, cut off, or not JSON is no success" {
  start_stub say '220 mail.example.com ESMTP\r\n\r\n'
  concur_run --socket "$SOCKET" start --user abc --session xyz
  expect_error 3 "concur: cannot read the answer from $SOCKET: it is not HTTP; name concurrencyd's socket with --socket"
  SOCKET=$DIR/cut.sock
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"user"'
  concur_run --socket "$SOCKET" start --user abc --session xyz
  expect_error 3 "concur: cannot read the answer from $SOCKET: it was cut off; look at the daemon's log"
  SOCKET=$DIR/html.sock
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>'
  concur_run --socket "$SOCKET" start --user abc --session xyz
  expect_error 3 "concur: cannot start: the answer is not concurrencyd's, it is not JSON; name the daemon's socket with --socket"
}

@test "an answer of 5xx is printed and reported, and no success; 403 exits 4, 501 exits 2" {
  local body='{"error":"unavailable","message":"cannot start: the disk is full"}\n' head='Content-Type: application/json\r\nContent-Length: 67\r\n\r\n'
  start_stub say "HTTP/1.1 503 Service Unavailable\r\n$head$body"
  concur_run --socket "$SOCKET" start --user abc --session xyz
  [ "$status" -eq 3 ]
  [ "$(jq -r .error <<<"$output")" = unavailable ]
  [ "$stderr" = "concur: cannot start: the daemon answered 503" ]
  SOCKET=$DIR/403.sock
  start_stub say "HTTP/1.1 403 Forbidden\r\n$head$body"
  concur_run --socket "$SOCKET" purge --all
  expect_answer 4 'has("error")'
  SOCKET=$DIR/501.sock
  start_stub say "HTTP/1.1 501 Not Implemented\r\n$head$body"
  concur_run --socket "$SOCKET" purge --all
  expect_answer 2 'has("error")'
}

@test "connecting is tried again while the daemon comes up" {
  (sleep 0.7; exec concurrencyd --socket "$SOCKET" --database "$DATABASE" 2>>"$LOG") 3>&- &
  PIDS+=("$!")
  concur_run --socket "$SOCKET" --timeout 20s start --user abc --session xyz
  expect_answer 0 '.concurrentSessions == 1'
}

@test "a path too long for a socket is refused at once, exit 2" {
  concur_run --socket "$DIR/$(printf 'x%.0s' $(seq 120))" --timeout 30s status
  expect_error 2 "concur: cannot connect to *: a socket's path has at most 107 bytes; *"
}

@test "the daemon is found by CONCUR_SOCKET, and --socket goes before it" {
  start_daemon
  export CONCUR_SOCKET=$SOCKET
  concur_run status
  [ "$status" -eq 0 ]
  concur_run --socket "$DIR/other.sock" --timeout 50ms status
  expect_error 3 "concur: cannot connect to $DIR/other.sock: no such socket; *"
  export CONCUR_SOCKET=$DIR/other.sock
  concur_run --socket "$SOCKET" status
  [ "$status" -eq 0 ]
  concur_run --timeout 50ms status
  expect_error 3 "concur: cannot connect to $DIR/other.sock: no such socket; *"
}

@test "a socket is understood as other programs write it, by both programs" {
  in_background env CONCURRENCYD_SOCKET="unix://$SOCKET" concurrencyd --database "$DATABASE"
  eventually test -S "$SOCKET"
  for prefix in unix:// unix:; do
    for command in status "start --user abc --session xyz"; do
      # shellcheck disable=SC2086
      concur_run --socket "$prefix$SOCKET" --timeout 10s $command
      [ "$status" -eq 0 ] && [ -z "$stderr" ]
      # shellcheck disable=SC2086
      CONCUR_SOCKET=$prefix$SOCKET concur_run $command
      [ "$status" -eq 0 ] && [ -z "$stderr" ]
    done
    concur_run --socket "$prefix" status
    expect_error 2 "concur: cannot read --socket: it is empty"
  done
  concur_run --socket "unix://$DIR/none" --timeout 50ms status
  expect_error 3 "concur: cannot connect to $DIR/none: no such socket; *"
}

@test "the daemon of this user is found, and without any both places are named" {
  [ ! -e /run/concurrencyd ] || skip "a daemon is installed here"
  export XDG_RUNTIME_DIR=$DIR
  concur_run --timeout 50ms status
  expect_error 3 "concur: cannot connect to /run/concurrencyd/concurrencyd.sock (no such socket) or $SOCKET (no such socket): start concurrencyd there, or name the socket it has with --socket"
  start_daemon
  concur_run status
  [ "$status" -eq 0 ]
  export CONCUR_SOCKET=
  concur_run status
  [ "$status" -eq 0 ]
}
