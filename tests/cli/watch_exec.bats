#!/usr/bin/env bats
# concur watch --exec: a command for each event.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034

load helper

setup() {
  make_dir
  export CONCUR_SOCKET=$SOCKET DIR
}
teardown() { remove_dir; }

# concur watch --exec in the background, ready; $WATCH is its pid. What the command prints goes to $DIR/out.
start_watch() {
  env --default-signal concur watch --exec "$@" >>"$DIR/out" 2>>"$DIR/err" 3>&- &
  WATCH=$!
  PIDS+=("$WATCH")
  eventually reads_signals
}

# It has come as far as to block SIGTERM and to read it from a descriptor, and to have one connection open.
reads_signals() { [ -n "$(find "/proc/$WATCH/fd" -lname "*signalfd*" 2>/dev/null)" ] && watches; }
watches() { [ "$(concur status | jq .connections)" -gt 1 ]; }

end_watch() {
  status=0
  kill "-${1-TERM}" "$WATCH"
  wait "$WATCH" || status=$?
}

# The sessions that the command's output names, in their order.
out() { jq -r "${1-.session}" "$DIR/out" | xargs; }
out_is() { [ "$(out)" = "$1" ]; }
err_has() { grep -q -- "$1" "$DIR/err"; }
starts() { for name; do concur start --user abc --session "$name" >/dev/null; done; }
state_is() { [ "$(jq .seq "$DIR/state")" = "$1" ]; }

@test "the command has each event on its standard input, one at a time and in their order, and nothing else" {
  start_daemon --limit 0
  start_watch 'test ! -e "$DIR/busy" || echo two at once >&2; touch "$DIR/busy"; cat; sleep 0.05; rm "$DIR/busy"'
  starts s1 s2 s3 s4
  eventually out_is "s1 s2 s3 s4"
  [ "$(jq -r .boot "$DIR/out" | sort -u)" = "$(concur status | jq -r .events.boot)" ]
  [ "$(out '.event + (.seq | tostring)')" = "started1 started2 started3 started4" ]
  end_watch
  [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
}

@test "the command is the shell's, as it is written, with no descriptor of ours and the signals that concur was given" {
  start_daemon
  ls -l /proc/self/fd >"$DIR/given" 3>&-
  start_watch 'ls -l /proc/self/fd >"$DIR/fds"; grep -E "^Sig(Blk|Ign)" /proc/self/status >"$DIR/signals"
    echo "a  b" '\''$x'\'' | tr a-z A-Z >"$DIR/said"'
  starts s1
  eventually test -s "$DIR/said"
  [ "$(cat "$DIR/said")" = 'A  B $X' ]
  run ! grep -E 'socket|signalfd|eventpoll|timerfd' "$DIR/fds"
  # Beside them it has what this test itself was given, and no more.
  [ "$(descriptors given)" = "$(descriptors fds)" ]
  run ! grep -v '0000000000000000$' "$DIR/signals"
}

descriptors() { awk '$9 ~ /^[0-9]+$/ {print $9}' "$DIR/$1" | sort -n | xargs; }

@test "a command that reads nothing, and one that prints much, hold nothing up" {
  start_daemon --limit 0
  start_watch 'echo "{\"session\":\"$(head -c 100000 /dev/zero | tr "\0" x)\"}"'
  starts s1 s2 s3
  eventually has_lines 3
  end_watch
  [ "$status" -eq 0 ]
}
has_lines() { [ "$(wc -l <"$DIR/out")" -eq "$1" ]; }

@test "--events are those that it is run for; renewed brings renewals" {
  start_daemon --limit 2
  start_watch cat --events denied,renewed
  starts s1 s2
  run -1 concur start --user abc --session s3
  concur heartbeat --user abc --session s1 >/dev/null
  concur end --user abc --session s1 >/dev/null
  eventually out_is "s3 s1"
  [ "$(out .event)" = "denied renewed" ]
}

@test "--events takes each event that there is" {
  start_daemon
  start_watch cat --events blocked,waiting,left,unblocked
  concur block --user abc >/dev/null
  concur unblock --user abc >/dev/null
  eventually out_is "null null"
  [ "$(out .event)" = "blocked unblocked" ]
  concur_run watch --exec cat --events nonesuch
  local described="$BATS_TEST_DIRNAME/../../core/api/openapi.json"
  [ "$(sed 's/.*there are //; s/, /\n/g' <<<"$stderr" | sort | xargs)" = \
    "$(jq -r '[.. | objects | .event?.enum? // empty][0][]' "$described" | sort | xargs)" ]
}

@test "--user is as without --exec, and so is what is not permitted" {
  start_daemon --socket-mode 0666
  start_watch cat --user abd
  starts s1
  concur start --user abd --session s2 >/dev/null
  eventually out_is s2
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  run --separate-stderr as_nobody concur watch --exec cat
  expect_answer 4 '.error == "permission_denied"'
  run --separate-stderr as_nobody concur watch --exec cat --user "$(printf 'a\tb')"
  expect_answer 2 '.error == "invalid_request"'
}

@test "a command that fails is run again for the same event, later, and those behind it wait" {
  start_daemon --limit 0
  start_watch 'cat >>"$DIR/tried"; test -e "$DIR/well" && tail -1 "$DIR/tried" || exit 7'
  starts s1 s2
  eventually err_has 'cannot hand on event 1 (started of abc): the command exited with 7; trying again in 2s'
  touch "$DIR/well"
  eventually out_is "s1 s2"
  [ "$(jq -r .session "$DIR/tried" | xargs)" = "s1 s1 s1 s2" ]
  [ "$(wc -l <"$DIR/err")" -eq 2 ]
}

@test "what ends the command by a signal is a failure too" {
  start_daemon
  start_watch 'test -e "$DIR/well" && exec cat; touch "$DIR/well"; kill -9 $$'
  starts s1
  eventually out_is s1
  err_has 'the command was ended by signal 9; trying again in 1s'
}

@test "after 24 hours of failures an event is skipped with a line, and the next has its turn" {
  library=${CONCUR_TEST_LIB_DIR:-$CONCUR_BIN_DIR/../lib}/libtestclock.so
  start_daemon --limit 0
  CLOCK=0
  head -c 48 /dev/zero >"$DIR/clock"
  advance_clock 5000000000
  LD_PRELOAD=$library TEST_CLOCK_FILE=$DIR/clock ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS-}" \
    start_watch 'grep -v \"s1\"' --state "$DIR/state"
  starts s1 s2
  eventually err_has "trying again in 1s"
  advance_clock $((24 * 3600 * 1000))
  eventually err_has 'event 1 (started of abc): the command exited with 1, for 24 hours now; skipping it'
  eventually out_is s2
  eventually state_is 2
  end_watch
  [ "$status" -eq 0 ]
}

@test "--at-most is of each user, and skips" {
  start_daemon --limit 0
  start_watch cat --events started --at-most 2/1h
  starts s1 s2 s3 s4
  concur start --user xyz --session x1 >/dev/null
  eventually out_is "s1 s2 x1"
}

@test "--at-most counts no retry" {
  start_daemon --limit 0
  start_watch 'test -e "$DIR/well" && exec cat; touch "$DIR/well"; exit 1' --at-most 1/1h
  starts s1 s2
  concur start --user xyz --session x1 >/dev/null
  eventually out_is "s1 x1"
}

@test "--state: a restarted watcher goes on behind what is done, and repeats nothing" {
  start_daemon --limit 0
  start_watch cat --state "$DIR/state"
  [ "$(jq -c . "$DIR/state")" = "$(concur status | jq -c .events)" ]
  starts s1 s2
  eventually state_is 2
  end_watch
  starts s3
  start_watch cat --state "$DIR/state"
  starts s4
  eventually out_is "s1 s2 s3 s4"
  end_watch
  [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
  [ ! -e "$DIR/state.new" ]
}

@test "--state: one that was killed repeats what was not done, and nothing that was" {
  start_daemon --limit 0
  start_watch 'cat >>"$DIR/tried"; test -e "$DIR/well" || ! grep -q \"s2\" "$DIR/tried"' --state "$DIR/state"
  starts s1 s2 s3
  eventually err_has "trying again"
  end_watch KILL
  state_is 1
  touch "$DIR/well"
  start_watch 'cat >>"$DIR/out"' --state "$DIR/state"
  eventually out_is "s2 s3"
}

@test "--state: what the command is not there for counts as done, also at a stop" {
  start_daemon --limit 0
  start_watch cat --events denied --state "$DIR/state"
  starts s1 s2 s3
  eventually state_is 3
  starts s4
  end_watch
  [ ! -s "$DIR/out" ]
}

@test "--state of an earlier life of the daemon: all of this one, and a line about what is not known" {
  start_daemon --limit 0
  starts s1 s2 s3
  start_watch cat --state "$DIR/state"
  end_watch
  stop_daemon
  start_daemon --limit 0
  starts t1 t2
  start_watch cat --events started --state "$DIR/state"
  eventually out_is "t1 t2"
  err_has "the daemon has started anew: "
  eventually state_is 2
  [ "$(jq -r .boot "$DIR/state")" = "$(concur status | jq -r .events.boot)" ]
}

@test "a daemon that is gone is waited for, and nothing of its next life is missed" {
  start_daemon --limit 0
  start_watch cat --state "$DIR/state" --events started
  starts s1
  eventually out_is s1
  kill -KILL "$DAEMON"
  eventually err_has "cannot watch: the daemon is gone; waiting until it is back"
  start_daemon --limit 0
  starts t1 t2
  eventually out_is "s1 t1 t2"
  err_has "watching again"
  eventually state_is 2
}

@test "SIGTERM lets the command end, and then ends it with 0; nothing more is begun" {
  start_daemon --limit 0
  start_watch 'touch "$DIR/began"; sleep 0.5; cat' --state "$DIR/state"
  starts s1 s2
  eventually test -e "$DIR/began"
  end_watch
  [ "$status" -eq 0 ]
  out_is s1
  state_is 1
  [ ! -s "$DIR/err" ]
}

@test "a second SIGTERM kills the command, and its event is for the next watcher" {
  start_daemon --limit 0
  start_watch 'touch "$DIR/began"; sleep 100; cat' --state "$DIR/state"
  starts s1
  eventually test -e "$DIR/began"
  kill -TERM "$WATCH"
  sleep 0.2
  end_watch
  [ "$status" -eq 0 ]
  [ ! -s "$DIR/out" ]
  state_is 0
}

@test "a signal ends it also while there is no daemon; SIGHUP it dies of" {
  env --default-signal concur watch --exec cat --timeout 30s >/dev/null 2>"$DIR/err" 3>&- &
  WATCH=$!
  PIDS+=("$WATCH")
  eventually test -e "/proc/$WATCH/fdinfo/3" # the signals' descriptor
  end_watch TERM
  [ "$status" -eq 0 ]
  start_daemon
  start_watch cat
  end_watch HUP
  [ "$status" -eq 129 ]
}

@test "a state file that cannot be written: at the start it is said, on a full disk it goes on and says so once" {
  start_daemon --limit 0
  concur_run watch --exec cat --state "$DIR/none/state"
  expect_error 2 "concur: cannot write $DIR/none/state: No such file or directory"
  echo nonsense >"$DIR/state"
  concur_run watch --exec cat --state "$DIR/state"
  expect_error 2 "concur: cannot read $DIR/state: it is not what concur watch --state has written; *"
  [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || skip "needs root and the right to mount"
  mkdir "$DIR/full"
  unshare -m sh -c '
    mount -t tmpfs -o size=8k,nr_inodes=8 none "$1/full"
    concur watch --exec cat --state "$1/full/state" >>"$1/out" 2>>"$1/err" &
    echo $! >"$1/pid"
    until [ -s "$1/full/state" ]; do sleep 0.05; done
    dd if=/dev/zero of="$1/full/filler" bs=4k 2>/dev/null
    touch "$1/filled"
    until [ -e "$1/seen" ]; do sleep 0.05; done
    rm "$1/full/filler"
    until grep -q "\"seq\":4" "$1/full/state"; do sleep 0.05; done
    touch "$1/saved"
    kill $(cat "$1/pid"); wait' _ "$DIR" 3>&- &
  PIDS+=("$!")
  eventually test -e "$DIR/filled"
  starts s1 s2 s3
  eventually out_is "s1 s2 s3"
  [ "$(cat "$DIR/err")" = "concur: cannot write $DIR/full/state: No space left on device; what is done now may be done again" ]
  touch "$DIR/seen"
  starts s4
  eventually test -e "$DIR/saved"
}

@test "what does not go together, and values that cannot be read: exit 2" {
  for words in "--events denied" "--state x" "--at-most 1/1h"; do
    # shellcheck disable=SC2086
    concur_run watch $words
    expect_error 2 "concur: cannot watch: --events, --state and --at-most go with --exec*"
  done
  concur_run watch --exec ""
  expect_error 2 "concur: cannot watch: --exec is empty"
  concur_run watch --exec cat --events denied,evict
  expect_error 2 "concur: cannot read --events 'denied,evict': there is no 'evict'; there are started, *"
  for text in 1 0/1h 1/0 1/x -1/1h 1/1h/2 /1h; do
    concur_run watch --exec cat --at-most "$text"
    expect_error 2 "concur: cannot read --at-most '$text': it takes N/DURATION, for example 1/10m"
  done
  concur_run watch --exec cat --timeout 100ms
  expect_error 3 "concur: cannot connect to $SOCKET: no such socket; *"
}
