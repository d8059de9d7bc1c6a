#!/usr/bin/env bats
# concur run: a session that lives as long as a command.

# shellcheck disable=SC2030,SC2031,SC2317

load helper

setup() {
  make_dir
  export DIR CONCUR_SOCKET=$SOCKET
  # Says that it runs, by its pid, and goes on until the file `stop` is there.
  play() {
    echo $$ >"$DIR/playing"
    until [ -e "$DIR/stop" ]; do sleep 0.05; done
  }
  export -f play
}
teardown() {
  # What a failed test left running ends by itself.
  touch "$DIR/stop"
  if [ -s "$DIR/playing" ]; then kill -KILL "$(cat "$DIR/playing")" 2>/dev/null || true; fi
  remove_dir
}

# concur run in the background; $RUN is its pid, its output goes to $DIR/out and $DIR/err. A shell without job control
# has its background jobs ignore SIGINT and SIGQUIT, which these do not.
run_in_background() {
  env --default-signal concur run "$@" >"$DIR/out" 2>"$DIR/err" 3>&- &
  RUN=$!
  PIDS+=("$RUN")
}

# Waits for it; $status is its exit status.
wait_for_run() {
  status=0
  wait "$RUN" || status=$?
}

sessions_of() { concur list --user "$1" | jq -c '[.sessions[].session]'; }
has_sessions() { [ "$(sessions_of "$1")" = "$2" ]; }
seen_at() { concur list --user "$1" | jq -r '.sessions[0].lastSeenAt'; }
started_at() { concur list --user "$1" | jq -r '.sessions[0].startedAt'; }
seen_after() { [[ $(seen_at "$1") > $2 ]]; }
complained() { grep -q "${1-.}" "$DIR/err"; }
plays() { [ -s "$DIR/playing" ] && kill -0 "$(cat "$DIR/playing")" 2>/dev/null; }
plays_no_more() { ! plays; }

# The one line on standard error; it is a pattern.
expect_complaint() {
  # shellcheck disable=SC2053
  if [ "$(wc -l <"$DIR/err")" -eq 1 ] && [[ $(cat "$DIR/err") == $1 ]]; then return 0; fi
  cat "$DIR/err"
  return 1
}

@test "the session is there while the command runs, and ended after it" {
  start_daemon
  run_in_background --user abc --session xyz --device tv --content film --meta a=b -- bash -c play
  eventually plays
  concur_run list --user abc
  expect_answer 0 '.sessions[0] | .session == "xyz" and .device == "tv" and .content == "film" and .meta == {"a":"b"}'
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
  has_sessions abc '[]'
  [ ! -s "$DIR/out" ] && [ ! -s "$DIR/err" ]
}

@test "standard streams, arguments and the environment are the command's own" {
  start_daemon
  # shellcheck disable=SC2016
  output=$(echo in | WORD=w concur run --user abc --session xyz -- \
    bash -c 'read -r line; echo "$line|$WORD|$#|$1|$2|$3"; echo err >&2' - --user "a b" -- 2>"$DIR/err")
  [ "$output" = "in|w|3|--user|a b|--" ]
  [ "$(cat "$DIR/err")" = err ]
}

@test "the exit status is the command's own, and the session is ended whatever it is" {
  start_daemon
  for code in 0 1 3 5 42 255; do
    concur_run run --user abc --session xyz -- bash -c "exit $code"
    [ "$status" -eq "$code" ] && [ -z "$output" ] && [ -z "$stderr" ]
    has_sessions abc '[]'
  done
  for signal in 1 2 9 15; do
    # shellcheck disable=SC2016
    concur_run run --user abc --session xyz -- bash -c 'kill -$0 $$; sleep 20' "$signal"
    [ "$status" -eq $((128 + signal)) ] && [ -z "$stderr" ]
    has_sessions abc '[]'
  done
}

@test "a command that is not there exits 127, one that cannot be run 126; the session is ended" {
  start_daemon
  run -127 --separate-stderr concur run --user abc --session xyz -- no-such-command
  expect_error 127 "concur: cannot run no-such-command: No such file or directory"
  has_sessions abc '[]'
  touch "$DIR/file"
  for file in "$DIR/file" "$DIR"; do
    concur_run run --user abc --session xyz -- "$file"
    expect_error 126 "concur: cannot run $file: Permission denied"
    has_sessions abc '[]'
  done
}

@test "denied: the answer is printed, exit 1, and the command never runs" {
  start_daemon --limit 1
  concur start --user abc --session s1 >/dev/null
  concur_run run --user abc --session s2 -- touch "$DIR/ran"
  expect_answer 1 '.error == "limit_reached" and .sessions[0].session == "s1"'
  [ ! -e "$DIR/ran" ]
  has_sessions abc '["s1"]'
}

@test "a request that the daemon calls invalid exits 2 with its answer, and the command never runs" {
  start_daemon
  concur_run run --user abc --session xyz --ttl 1000d -- touch "$DIR/ran"
  expect_answer 2 '.error == "invalid_request"'
  [ ! -e "$DIR/ran" ]
}

@test "permission denied is no outage: exit 4, and the command never runs" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  start_daemon --socket-mode 0600
  run --separate-stderr as_nobody concur run --user abc --session xyz -- touch "$DIR/ran"
  expect_error 4 "concur: cannot connect to $SOCKET: permission denied; *"
  [ ! -e "$DIR/ran" ]
}

@test "heartbeats keep the session past its lease; between them it holds the stream of events alone" {
  start_daemon
  run_in_background --user abc --session xyz --ttl 2s -- bash -c play
  eventually plays
  started=$(seen_at abc)
  first=$(started_at abc)
  # Each sign of life is later than the last, over more than two leases.
  for _ in $(seq 8); do
    eventually seen_after abc "$started"
    started=$(seen_at abc)
  done
  [ "$(started_at abc)" = "$first" ]
  # The one that asks, the stream, and at most the one heartbeat.
  [ "$(concur status | jq .connections)" -le 3 ]
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
}

@test "the daemon killed -9 and restarted in the middle: the session lives on and ends at the end" {
  start_daemon
  run_in_background --user abc --session xyz --ttl 9s -- bash -c play
  eventually plays
  first=$(started_at abc)
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  start_daemon
  has_sessions abc '["xyz"]'
  [ "$(started_at abc)" = "$first" ]
  eventually seen_after abc "$(seen_at abc)"
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
  has_sessions abc '[]'
}

asked_often() { [ "$(grep -c '^POST .*/heartbeat' "$DIR/asked")" -ge 3 ]; }

@test "an outage is reported once, and the same session is renewed after it" {
  start_daemon
  run_in_background --timeout 2s --user abc --session xyz --ttl 9s -- bash -c play
  eventually plays
  before=$(started_at abc)
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  eventually complained
  # Several more heartbeats fail.
  rm "$SOCKET"
  start_stub drop "$DIR/asked"
  eventually asked_often
  kill -KILL "$!"
  wait "$!" || true
  start_daemon
  eventually seen_after abc "$before"
  [ "$(started_at abc)" = "$before" ]
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
  expect_complaint "concur: cannot *$SOCKET: *; the command goes on, and it is tried again"
  has_sessions abc '[]'
}

@test "an outage longer than the lease: the command goes on, and is a session again after it" {
  start_daemon
  run_in_background --timeout 2s --user abc --session xyz --ttl 1s -- bash -c play
  eventually plays
  before=$(seen_at abc)
  stop_daemon
  eventually complained
  sleep 1
  start_daemon
  eventually seen_after abc "$before"
  plays
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
  expect_complaint "concur: cannot connect to *"
  has_sessions abc '[]'
}

@test "an outage longer than the lease with --if-unavailable deny ends the command: exit 3" {
  start_daemon
  run_in_background --timeout 2s --user abc --session xyz --ttl 1s --if-unavailable deny -- bash -c play
  eventually plays
  stop_daemon
  wait_for_run
  [ "$status" -eq 3 ]
  run ! plays
  grep -q "^concur: cannot heartbeat: no answer within the lease; ending the command" "$DIR/err"
}

@test "no answer at the end: it is reported, and the exit status is the command's own" {
  start_daemon
  run_in_background --timeout 1s --user abc --session xyz -- bash -c 'play; exit 6'
  eventually plays
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 6 ]
  expect_complaint "concur: cannot connect to $SOCKET: *; the session counts until its lease runs out"
}

@test "a session that was purged or ended ends the command: SIGTERM, exit 5 with the reason" {
  start_daemon
  for reason in purged ended; do
    rm -f "$DIR/playing"
    run_in_background --user abc --session xyz --ttl 1s -- bash -c play
    eventually plays
    if [ "$reason" = purged ]; then
      concur purge --user abc >/dev/null
    else
      concur end --user abc --session xyz >/dev/null
    fi
    wait_for_run
    [ "$status" -eq 5 ]
    run ! plays
    expect_complaint "concur: cannot renew session xyz of user abc: it is gone ($reason); ending the command"
    [ ! -s "$DIR/out" ]
    has_sessions abc '[]'
  done
}

@test "a session that was evicted ends the command and all it started: SIGTERM, exit 5" {
  start_daemon --limit 1 --on-limit evict-oldest
  for taker in "--session s2 --replace s1" "--session s2"; do
    rm -f "$DIR/playing"
    run_in_background --user abc --session s1 --ttl 1s -- bash -c 'bash -c play; exit 9'
    eventually plays
    # shellcheck disable=SC2086
    concur start --user abc $taker >/dev/null
    wait_for_run
    [ "$status" -eq 5 ]
    eventually plays_no_more
    expect_complaint "concur: cannot renew session s1 of user abc: it is gone (evicted); ending the command"
    [ ! -s "$DIR/out" ]
    has_sessions abc '["s2"]'
    concur end --user abc --session s2 >/dev/null
  done
}

# With the default lease the next heartbeat is 24 s away at least.
expect_end_within() {
  SECONDS=0
  wait_for_run
  [ "$status" -eq 5 ]
  [ "$SECONDS" -le "$1" ] || { echo "it took $SECONDS s"; return 1; }
  run ! plays
  rm -f "$DIR/playing"
}

@test "an evicted, purged or ended session ends the command within a second, not at the next heartbeat" {
  start_daemon --limit 1
  for how in "start --session s2 --replace s1" "start --session s2 --on-limit evict-oldest" "purge" "end --session s1"; do
    run_in_background --user abc --session s1 -- bash -c play
    eventually plays
    # shellcheck disable=SC2086
    concur $how --user abc >/dev/null
    expect_end_within 1
    concur purge --user abc >/dev/null
  done
}

@test "one that is taken over while it starts ends as soon" {
  start_daemon --limit 1 --on-limit evict-oldest
  for n in $(seq 5); do
    run_in_background --user "u$n" --session s1 -- bash -c play
    until concur list --user "u$n" | grep -q s1; do :; done
    concur start --user "u$n" --session s2 >/dev/null
    expect_end_within 1
  done
}

@test "other sessions' ends, and a user with many, do not touch it" {
  start_daemon --limit 0
  run_in_background --user abc --session s1 -- bash -c play
  eventually plays
  seen=$(seen_at abc)
  for n in $(seq 20); do printf '{"command":"start","user":"abc","session":"t%s"}\n{"command":"end","user":"abc","session":"t%s"}\n' "$n" "$n"; done |
    concur batch >/dev/null
  concur start --user other --session s1 >/dev/null
  concur purge --user other >/dev/null
  plays
  [ "$(seen_at abc)" = "$seen" ]
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
}

follows_events() { [ "$(concur status | jq .connections)" -ge 2 ]; }

@test "after a restart of the daemon, stopped or killed, it listens again" {
  start_daemon --limit 1
  for how in TERM KILL; do
    run_in_background --user abc --session s1 -- bash -c play
    eventually plays
    kill "-$how" "$DAEMON"
    wait "$DAEMON" || true
    start_daemon --limit 1
    eventually follows_events
    concur start --user abc --session s2 --replace s1 >/dev/null
    expect_end_within 1
    [ "$(wc -l <"$DIR/err")" -eq 1 ]
    concur purge --user abc >/dev/null
  done
}

@test "what happened while it did not listen it asks for as soon as it listens again" {
  start_daemon --limit 1
  run_in_background --user abc --session s1 -- bash -c play
  eventually plays
  kill -STOP "$RUN"
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  start_daemon --limit 1
  concur purge --user abc >/dev/null
  kill -CONT "$RUN"
  expect_end_within 2
}

beat_often() { [ "$(grep -c '^POST .*/heartbeat' "$DIR/asked")" -ge 4 ]; }

@test "where events are refused, or there are too many streams, heartbeats go on alone, without a word" {
  for answer in 403 404 503; do
    rm -f "$SOCKET" "$DIR/asked" "$DIR/playing" "$DIR/stop"
    start_stub without-events "$DIR/asked" "$answer"
    run_in_background --user abc --session xyz --ttl 1s -- bash -c play
    eventually beat_often
    # One that may work later is tried again, with pauses that grow.
    asked=$(grep -c '^GET /v1/events?user=abc ' "$DIR/asked")
    if [ "$answer" = 503 ]; then [ "$asked" -le 3 ]; else [ "$asked" -eq 1 ]; fi
    touch "$DIR/stop"
    wait_for_run
    [ "$status" -eq 0 ]
    [ ! -s "$DIR/err" ]
    kill -KILL "${PIDS[-2]}"
  done
}

@test "run starts with --replace and --on-limit, as start does" {
  start_daemon --limit 1
  concur start --user abc --session s1 >/dev/null
  concur_run run --user abc --session s2 --replace s1 -- true
  [ "$status" -eq 0 ] && [ -z "$output$stderr" ]
  concur start --user abc --session s3 >/dev/null
  concur_run run --user abc --session s4 --on-limit evict-oldest -- true
  [ "$status" -eq 0 ] && [ -z "$output$stderr" ]
  concur_run heartbeat --user abc --session s3
  expect_answer 5 '.evictedBy.session == "s4"'
}

@test "the end of a command that was started again under its name does not end the later one" {
  start_daemon
  # shellcheck disable=SC2016
  concur run --user abc --session xyz --ttl 30s -- \
    bash -c 'until [ -e "$DIR/stop-first" ]; do sleep 0.05; done' 3>&- &
  local first=$!
  PIDS+=("$first")
  eventually has_sessions abc '["xyz"]'
  run_in_background --user abc --session xyz --ttl 3s -- bash -c play
  eventually plays
  touch "$DIR/stop-first"
  wait "$first"
  has_sessions abc '["xyz"]'
  eventually seen_after abc "$(seen_at abc)"
  plays
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
  has_sessions abc '[]'
}

@test "of two under one name the earlier one's command is ended at its next heartbeat: exit 5" {
  start_daemon
  run_in_background --user abc --session xyz --ttl 3s -- bash -c play
  eventually plays
  concur start --user abc --session xyz --ttl 30s >/dev/null
  wait_for_run
  [ "$status" -eq 5 ]
  run ! plays
  expect_complaint "concur: cannot renew session xyz of user abc: it was started again since; ending the command"
  has_sessions abc '["xyz"]'
}

@test "a session that the daemon has forgotten ends the command: exit 5" {
  start_daemon
  run_in_background --timeout 2s --user abc --session xyz --ttl 9s -- bash -c play
  eventually plays
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  rm "$DATABASE"*
  start_daemon
  # The next heartbeat is three seconds away at most.
  wait_for_run
  [ "$status" -eq 5 ]
  run ! plays
  expect_complaint "concur: cannot renew session xyz of user abc: there is no such session; ending the command"
}

@test "a command that does not heed SIGTERM is killed after ten seconds" {
  start_daemon
  # shellcheck disable=SC2016
  run_in_background --user abc --session xyz --ttl 1s -- \
    bash -c 'trap "echo term >>\$DIR/terms" TERM; play'
  eventually plays
  SECONDS=0
  concur purge --user abc >/dev/null
  wait_for_run
  [ "$status" -eq 5 ]
  [ "$SECONDS" -ge 10 ]
  run ! plays
  [ "$(cat "$DIR/terms")" = term ]
}

@test "a command that is stopped is ended as well" {
  start_daemon
  run_in_background --user abc --session xyz --ttl 1s -- bash -c play
  eventually plays
  kill -STOP "$(cat "$DIR/playing")"
  concur purge --user abc >/dev/null
  wait_for_run
  [ "$status" -eq 5 ]
  run ! plays
}

@test "without a terminal what the command itself has started is ended with it" {
  start_daemon
  setsid --wait concur run --user abc --session xyz --ttl 1s -- bash -c 'bash -c play; true' 2>"$DIR/err" 3>&- &
  RUN=$!
  eventually plays
  concur purge --user abc >/dev/null
  wait_for_run
  [ "$status" -eq 5 ]
  eventually plays_no_more
}

got() { [ "$(tr '\n' ' ' 2>/dev/null <"$DIR/got")" = "$1" ]; }

@test "signals are forwarded, each once, and concur ends as the command does" {
  start_daemon
  # shellcheck disable=SC2016
  run_in_background --user abc --session xyz -- bash -c '
    for signal in HUP INT QUIT USR1 USR2 ALRM RTMIN+3; do trap "echo $signal >>$DIR/got" "$signal"; done
    trap "exit 7" TERM
    play'
  eventually plays
  expected=""
  for signal in HUP INT QUIT USR1 USR2 ALRM RTMIN+3; do
    kill "-$signal" "$RUN"
    expected+="$signal "
    eventually got "$expected"
  done
  has_sessions abc '["xyz"]'
  kill -TERM "$RUN"
  wait_for_run
  [ "$status" -eq 7 ]
  has_sessions abc '[]'
}

@test "a signal that ends the command ends the session: 128+N" {
  start_daemon
  for signal in 1 10 15; do
    rm -f "$DIR/playing"
    run_in_background --user abc --session xyz -- bash -c play
    eventually plays
    kill "-$signal" "$RUN"
    wait_for_run
    [ "$status" -eq $((128 + signal)) ]
    run ! plays
    has_sessions abc '[]'
    [ ! -s "$DIR/err" ]
  done
}

# Beside the stream of events.
holds_connection() { [ "$(find "/proc/$RUN/fd" -lname 'socket:*' | wc -l)" -ge 2 ]; }

@test "signals are forwarded at once while the daemon does not answer" {
  start_daemon
  run_in_background --timeout 60s --user abc --session xyz --ttl 1s -- bash -c 'trap "exit 7" USR1; play'
  eventually plays
  kill -STOP "$DAEMON"
  # A heartbeat waits for the daemon, for a minute if need be.
  eventually holds_connection
  kill -USR1 "$RUN"
  eventually plays_no_more
  kill -CONT "$DAEMON"
  wait_for_run
  [ "$status" -eq 7 ] && [ ! -s "$DIR/err" ]
  has_sessions abc '[]'
}

# How concur ended, as whoever calls wait(2) sees it: minus the signal, or the exit status.
end_of() { python3 -c 'import subprocess, sys; print(subprocess.run(sys.argv[1:], restore_signals=True).returncode)' "$@"; }

@test "of a signal that it is sent and that ends the command it dies itself, so that service managers see a clean stop" {
  start_daemon
  for signal in TERM INT HUP QUIT USR1 ALRM RTMIN+1; do
    number=$(kill -l "$signal")
    # shellcheck disable=SC2016
    run end_of env --default-signal concur run --user abc --session xyz -- bash -c "concur=\$PPID; (sleep 0.2; kill -$signal \$concur) & exec sleep 20"
    [ "$output" = "-$number" ]
    has_sessions abc '[]'
  done
  # With a core dump of concur's own nobody is helped.
  [ -z "$(find . "$DIR" -maxdepth 1 -name 'core*')" ]
}

@test "sent to the command first and to concur at once after it, as to all of a service, it is the same" {
  start_daemon
  for session in xyz none; do
    # shellcheck disable=SC2016
    run end_of concur run --user abc --session "$session" -- bash -c \
      'parent=$PPID self=$$; (sleep 0.3; kill -TERM "$self" "$parent") & exec sleep 20'
    [ "$output" = -15 ]
    stop_daemon
    start_daemon
  done
}

@test "a signal that the command handles leaves its status, one that only the command was sent is 128+N" {
  start_daemon
  # shellcheck disable=SC2016
  run end_of concur run --user abc --session xyz -- bash -c 'trap "exit 7" TERM; kill -TERM $PPID; sleep 20 & wait'
  [ "$output" = 7 ]
  # shellcheck disable=SC2016
  run end_of concur run --user abc --session xyz -- bash -c 'trap "exit 0" TERM; kill -TERM $PPID; sleep 20 & wait'
  [ "$output" = 0 ]
  # shellcheck disable=SC2016
  run end_of concur run --user abc --session xyz -- bash -c 'kill -TERM $$; sleep 20'
  [ "$output" = 143 ]
  # shellcheck disable=SC2016
  run end_of concur run --user abc --session xyz -- bash -c 'trap "kill -KILL \$\$" TERM; kill -TERM $PPID; sleep 20 & wait'
  [ "$output" = 137 ]
}

@test "as process 1 it reaps orphans, forwards signals and ends as the command does" {
  unshare --pid --fork --mount-proc true 2>/dev/null || skip "needs the right to make a PID namespace"
  start_daemon
  # shellcheck disable=SC2016
  run -3 unshare --pid --fork --kill-child --mount-proc concur run --user abc --session xyz -- bash -c '
    for n in $(seq 20); do bash -c "sleep 0.1 &"; done
    for n in $(seq 100); do
      pgrep sleep >/dev/null || break
      sleep 0.05
    done
    sleep 0.2
    grep -c "^State:.Z" /proc/[0-9]*/status | grep -vc ":0$"
    exit 3'
  [ "$output" = 0 ]
  # shellcheck disable=SC2016
  run -143 unshare --pid --fork --kill-child --mount-proc concur run --user abc --session xyz -- bash -c 'kill -TERM 1; sleep 20'
  has_sessions abc '[]'
}

took_signals() { grep -q '^ShdPnd:[[:space:]]*0*$' "/proc/$RUN/status"; }
reads_signals() { find "/proc/$RUN/fd" -lname '*timerfd*' | grep -q .; }

@test "a signal before the command runs ends concur as any program, and leaves no session" {
  start_daemon
  kill -STOP "$DAEMON"
  run_in_background --timeout 60s --user abc --session xyz -- touch "$DIR/ran"
  eventually reads_signals
  kill -TERM "$RUN"
  eventually took_signals
  kill -CONT "$DAEMON"
  wait_for_run
  [ "$status" -eq 143 ]
  [ ! -e "$DIR/ran" ]
  eventually has_sessions abc '[]'
}

@test "what the caller ignores stays ignored, as nohup wants it" {
  start_daemon
  # The shell of a background job without job control ignores SIGINT already; here SIGHUP.
  (trap '' HUP; exec concur run --user abc --session xyz -- bash -c 'trap "touch \$DIR/got" USR1; play') 2>"$DIR/err" 3>&- &
  RUN=$!
  PIDS+=("$RUN")
  eventually plays
  kill -HUP "$RUN"
  kill -HUP "$(cat "$DIR/playing")"
  # What comes later has arrived, and has changed nothing.
  kill -USR1 "$RUN"
  eventually test -e "$DIR/got"
  plays
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
}

@test "the command has the signals that concur was called with: a broken pipe ends it" {
  start_daemon
  # shellcheck disable=SC2016
  masks='grep -E "^Sig(Blk|Ign)" /proc/$$/status'
  run_in_background --user abc --session xyz -- bash -c "$masks"
  wait_for_run
  diff "$DIR/out" <(env --default-signal bash -c "$masks")
  # shellcheck disable=SC2016
  run_in_background --user abc --session xyz -- bash -c 'yes | head -n 1; echo "${PIPESTATUS[0]}"'
  wait_for_run
  [ "$(cat "$DIR/out")" = $'y\n141' ]
}

@test "Ctrl-C at a terminal reaches the command once, and it shares the terminal" {
  start_daemon
  # shellcheck disable=SC2016
  needs_terminal
  run python3 "$BATS_TEST_DIRNAME/terminal.py" 80 --press '\x03' ready \
    concur run --user abc --session xyz -- \
    bash -c 'count=0; trap "count=\$((count+1))" INT; echo ready; until [ "$count" -gt 0 ]; do sleep 0.05; done; sleep 0.5; [ -t 0 ] && echo "count $count"; exit 9'
  [ "$status" -eq 9 ]
  [[ $output == *"count 1"* ]]
  has_sessions abc '[]'
}

@test "Ctrl-C at a terminal ends a script around concur, as without it" {
  start_daemon
  needs_terminal
  run python3 "$BATS_TEST_DIRNAME/terminal.py" 80 --press '\x03' ready \
    bash -c "concur run --user abc --session xyz -- bash -c 'echo ready; exec sleep 20'; echo went on"
  [ "$status" -eq 130 ]
  [[ $output != *"went on"* ]]
  has_sessions abc '[]'
}

@test "concur itself killed -9: the lease runs out" {
  start_daemon
  run_in_background --user abc --session xyz --ttl 1s -- bash -c play
  eventually plays
  kill -KILL "$RUN"
  wait_for_run
  eventually has_sessions abc '[]'
}

@test "no daemon: the command runs without a session, which one line reports" {
  concur_run run --timeout 2s --user abc --session xyz -- bash -c 'echo played; exit 4'
  [ "$status" -eq 4 ]
  [ "$output" = played ]
  [[ $stderr == "concur: cannot connect to $SOCKET: no such socket; "*"; running the command without a session (--if-unavailable allow)" ]]
  [ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "no daemon: a session is started as soon as there is one" {
  run_in_background --timeout 2s --user abc --session xyz --ttl 1s -- bash -c play
  eventually plays
  start_daemon
  eventually has_sessions abc '["xyz"]'
  before=$(seen_at abc)
  eventually seen_after abc "$before"
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
  expect_complaint "*--if-unavailable allow)"
  has_sessions abc '[]'
}

@test "no daemon, then one that denies: the command goes on, and is a session once there is room" {
  start_daemon --limit 1
  concur start --user abc --session other >/dev/null
  stop_daemon
  run_in_background --timeout 2s --user abc --session xyz --ttl 1s -- bash -c play
  eventually plays
  start_daemon --limit 1
  eventually complained "^concur: cannot start: User abc is trying to watch 2 streams at once, which is too many. The command goes on"
  has_sessions abc '["other"]'
  plays
  concur end --user abc --session other >/dev/null
  eventually has_sessions abc '["xyz"]'
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
  [ "$(wc -l <"$DIR/err")" -eq 2 ]
}

@test "no daemon with --if-unavailable deny: exit 3, and the command never runs" {
  concur_run run --timeout 2s --user abc --session xyz --if-unavailable deny -- touch "$DIR/ran"
  expect_error 3 "concur: cannot connect to $SOCKET: no such socket; *"
  [ ! -e "$DIR/ran" ]
}

@test "a daemon that fails is no answer: allow runs the command and prints nothing, deny exits 3" {
  start_stub say 'HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{"error":"unavailable"}\n'
  concur_run run --user abc --session xyz -- echo played
  [ "$status" -eq 0 ] && [ "$output" = played ]
  [ "$stderr" = "concur: cannot start: the daemon answered 503; running the command without a session (--if-unavailable allow)" ]
  concur_run run --user abc --session xyz --if-unavailable deny -- touch "$DIR/ran"
  [ "$status" -eq 3 ]
  [ "$(jq -r .error <<<"$output")" = unavailable ]
  [ "$stderr" = "concur: cannot start: the daemon answered 503" ]
  [ ! -e "$DIR/ran" ]
}

@test "what is wrong with the command line exits 2" {
  for options in "" "--" "--user=abc -- true" "--user= --session=xyz -- true"; do
    # shellcheck disable=SC2086
    concur_run run $options
    expect_error 2 "concur: cannot run: Please specify a userId and sessionId"
  done
  for options in "" "--"; do
    # shellcheck disable=SC2086
    concur_run run --user abc --session xyz $options
    expect_error 2 "concur: cannot run: no command is given after --; see concur run --help"
  done
  concur_run run --user abc --session xyz true
  expect_error 2 "concur: cannot run: there is no argument 'true' here; see concur run --help"
  concur_run run --user abc --session xyz --if-unavailable maybe -- true
  expect_error 2 "concur: cannot read --if-unavailable 'maybe': it takes allow or deny"
}

@test "a command whose session was let in for a while is ended when there is no room for it (exit 5)" {
  start_daemon --limit 1 --overlap 1s --lease 600s
  concur start --user abc --session other
  run_in_background --user abc --session xyz -- bash -c play
  eventually plays
  eventually plays_no_more
  wait_for_run
  [ "$status" -eq 5 ]
  has_sessions abc '["other"]'
}

@test "a command whose session was let in for a while goes on when the other ends" {
  start_daemon --limit 1 --overlap 1s --lease 600s
  concur start --user abc --session other
  run_in_background --user abc --session xyz -- bash -c play
  eventually plays
  concur end --user abc --session other
  stays() { [ "$(concur list --user abc | jq -c '.sessions[0].provisional')" = null ]; }
  eventually stays
  plays
  has_sessions abc '["xyz"]'
  touch "$DIR/stop"
  wait_for_run
  [ "$status" -eq 0 ]
}
