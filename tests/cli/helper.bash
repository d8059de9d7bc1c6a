# Shared by the black-box tests: where the programs are, a daemon of one's own, and what to expect of an answer.

bats_require_minimum_version 1.5.0

CONCUR_BIN_DIR=${CONCUR_BIN_DIR:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build/bin}
PATH=$CONCUR_BIN_DIR:$PATH
unset CONCUR_SOCKET XDG_RUNTIME_DIR
if [ -n "${SHARED_SOCKET-}" ]; then export CONCUR_SOCKET=$SHARED_SOCKET; fi
export LC_ALL=C.UTF-8

# A folder that other users may enter too, with a path short enough for a socket.
make_dir() {
  DIR=$(mktemp -d /tmp/concur.XXXXXX)
  chmod 755 "$DIR"
  SOCKET=$DIR/concurrencyd.sock
  DATABASE=$DIR/sessions.db
  LOG=$DIR/log
  PIDS=()
}

# Runs a program in the background, its standard error in $LOG; $! and PIDS have its pid.
# It holds none of the descriptors 5 and 6, by which tests talk with others.
in_background() {
  "$@" >/dev/null 2>>"$LOG" 3>&- 5>&- 6>&- &
  PIDS+=("$!")
}

# A daemon on $SOCKET and $DATABASE, ready to answer; $DAEMON is its pid. How fast a test starts sessions must not matter:
# it has no throttle.
start_daemon() {
  in_background concurrencyd --socket "$SOCKET" --database "$DATABASE" --start-rate 0 "$@"
  DAEMON=$!
  if ! concur --socket "$SOCKET" --timeout 10s status >/dev/null; then
    cat "$LOG" >&2
    return 1
  fi
}

# The same with clocks that stand still until advance_clock moves them; tests/support/test_clock.c.
start_daemon_with_clock() {
  local library=${CONCUR_TEST_LIB_DIR:-$CONCUR_BIN_DIR/../lib}/libtestclock.so
  [ -e "$library" ] || fail_with "cannot find $library: build it or set CONCUR_TEST_LIB_DIR"
  CLOCK=0
  head -c 48 /dev/zero >"$DIR/clock"
  advance_clock 5000000000
  in_background env LD_PRELOAD="$library" TEST_CLOCK_FILE="$DIR/clock" \
    ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS-}" \
    concurrencyd --socket "$SOCKET" --database "$DATABASE" --start-rate 0 "$@"
  DAEMON=$!
  concur --socket "$SOCKET" --timeout 10s status >/dev/null
}

# By milliseconds, and only while nothing is asked of the daemon.
advance_clock() {
  CLOCK=$((CLOCK + $1))
  python3 -c 'import mmap, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 48) as clock:
    fields = memoryview(clock).cast("q")
    fields[1], fields[2], fields[0] = int(sys.argv[2]) * 1_000_000, int(sys.argv[2]) * 1_000_000, 1
    fields.release()' "$DIR/clock" "$CLOCK"
}

# Ends the daemon and fails unless it exits 0.
stop_daemon() {
  kill -TERM "$DAEMON"
  wait "$DAEMON"
}

# Waits until the command succeeds, ten seconds at most.
eventually() {
  for _ in $(seq 200); do
    if "$@"; then return 0; fi
    sleep 0.05
  done
  echo "never succeeded: $*" >&2
  return 1
}

log_has() { grep -q -- "$1" "$LOG"; }

# Only the processes this test began, by pid; ends what hangs, too.
remove_dir() {
  local pid
  for pid in "${PIDS[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$DIR"
}

# For a file of tests that shares one daemon; its tests use different users.
share_daemon() {
  make_dir
  start_daemon "$@"
  export DIR SOCKET DATABASE LOG DAEMON SHARED_SOCKET=$SOCKET
}

end_shared_daemon() {
  PIDS=("$DAEMON")
  remove_dir
}

# For the end of a test in such a file: removes what the test has of its own, after make_dir.
remove_own_dir() {
  [ "$DIR" = "${SHARED_SOCKET%/*}" ] || remove_dir
}

# Runs concur; $status, $output (standard output) and $stderr are what came of it.
concur_run() {
  run --separate-stderr concur "$@"
}

# An answer: this status, one line of JSON that satisfies the jq filter, nothing on standard error.
expect_answer() {
  local code=$1 filter=$2
  [ "$status" -eq "$code" ] || fail_with "exit status is not $code"
  [ -z "$stderr" ] || fail_with "standard error is not empty"
  [ "$(wc -l <<<"$output")" -eq 1 ] || fail_with "not one line"
  jq -e "$filter" <<<"$output" >/dev/null || fail_with "not so: $filter"
}

# No answer: this status, nothing on standard output, exactly this line on standard error. The line is a pattern.
expect_error() {
  local code=$1 line=$2
  [ "$status" -eq "$code" ] || fail_with "exit status is not $code"
  [ -z "$output" ] || fail_with "standard output is not empty"
  # shellcheck disable=SC2053
  [[ $stderr == $line ]] || fail_with "standard error is not: $line"
  [ "$(wc -l <<<"$stderr")" -eq 1 ] || fail_with "standard error is not one line"
}

fail_with() {
  echo "$1"
  echo "exit status: $status"
  echo "standard output: $output"
  echo "standard error: $stderr"
  return 1
}

# Runs a command as a user whom no permission is waived for.
as_nobody() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
  else
    "$@"
  fi
}

# A server that misbehaves as stub_server.py says.
start_stub() {
  in_background python3 "$BATS_TEST_DIRNAME/stub_server.py" "$SOCKET" "$@"
  eventually test -S "$SOCKET"
}

# A bare container may have none (/dev/pts is not mounted); nothing about a terminal can be tried there.
needs_terminal() {
  python3 -c 'import os; os.openpty()' 2>/dev/null || skip "there are no pseudo terminals here: mount /dev/pts"
}

# $output is the text that golden/NAME holds. With GOLDEN_UPDATE=1 that is written instead, to be looked at and committed.
expect_golden() {
  local file=$BATS_TEST_DIRNAME/golden/$1
  if [ -n "${GOLDEN_UPDATE-}" ]; then
    printf '%s\n' "$output" >"$file"
  fi
  diff -u "$file" - <<<"$output" || fail_with "not as in golden/$1"
}
