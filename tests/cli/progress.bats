#!/usr/bin/env bats
# How far long work is: on a terminal a line that is drawn again and again and is gone at the end; elsewhere nothing, or a
# line in the daemon's log. A stub makes the daemon's work as long as it takes to ask for its status some times; for the
# daemon's own, a clock goes on with each look at it.

# shellcheck disable=SC2030,SC2031

load helper

setup() { make_dir; }
teardown() { remove_dir; }

answer() { # TEXT: as a whole HTTP answer, in the stub's escapes
  printf 'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s' "${#1}" "$1"
}

# in_terminal COLUMNS SCRIPT: what it writes there; the script's standard output is $DIR/out.
in_terminal() {
  needs_terminal
  run --keep-empty-lines python3 "$BATS_TEST_DIRNAME/terminal.py" "$1" env -u COLUMNS CONCUR_SOCKET="$SOCKET" OUT="$DIR/out" \
    "${@:3}" sh -c "$2"
}

# As a terminal shows it in the end: what was drawn is drawn over.
screen() {
  python3 -c 'import sys
rows = [[]]
column = 0
for character in sys.stdin.buffer.read().decode().rstrip("\n"):
    if character == "\r": column = 0
    elif character == "\n": rows, column = rows + [[]], 0
    else: rows[-1][column:column + 1], column = [character], column + 1
print("\n".join("".join(row).rstrip() for row in rows).strip())' <<<"$output"
}

# What was drawn, and no line of the log: no wider than the terminal, and only carriage returns beside text.
expect_drawn() { # COLUMNS PATTERN
  python3 -c 'import re, sys
text = sys.stdin.buffer.read().decode().rstrip("\n")
lines = [line.rstrip() for line in text.split("\r") if line.strip() and not re.match(r"\d{4}-\d\d-", line)]
assert not re.search(r"[\x00-\x0c\x0e-\x1f]", text.replace("\n", "")), ascii(text)
assert all(len(line) < int(sys.argv[1]) for line in lines), lines
assert any(re.fullmatch(sys.argv[2], line) for line in lines), lines' "$1" "$2" <<<"$output"
}

@test "purge and report: a bar on a terminal, gone at the end, and the answer as ever" {
  for command in 'purge --all:purge:sessions' 'report:report:hours' 'report --output csv:report:hours'; do
    IFS=: read -r words what unit <<<"$command"
    start_stub work "$what" "$unit" 3 "$(answer '{"since":"2026-11-16T21:00:00.000Z","users":[]}')"
    in_terminal 100 "concur --timeout 30s $words >\"\$OUT\""
    [ "$status" -eq 0 ]
    expect_drawn 100 "$what:  20 % \\[#{6} {24}\\] 2 of 10 $unit, [0-9]+/s, [0-9]+s left"
    [ -z "$(screen)" ]
    kill "${PIDS[-1]}" && rm "$SOCKET"
  done
  [[ $(cat "$DIR/out") == user,score,* ]]
}

@test "a narrow and a dumb terminal have what fits" {
  start_stub work purge sessions 3 "$(answer '{"purged":10}')"
  # shellcheck disable=SC2016
  in_terminal 30 'concur --timeout 30s purge --all >"$OUT"' TERM=dumb NO_COLOR=1
  [ "$status" -eq 0 ]
  expect_drawn 30 'purge:  20 % ([0-9]+s left)?'
  [ -z "$(screen)" ]
  [ "$(cat "$DIR/out")" = '{"purged":10}' ]
}

@test "Ctrl-C leaves no line behind, and ends it as ever" {
  needs_terminal
  start_stub work purge sessions 1000 never
  run --keep-empty-lines python3 "$BATS_TEST_DIRNAME/terminal.py" 80 --press '\x03' '20 %' \
    env -u COLUMNS concur --socket "$SOCKET" --timeout 30s purge --all
  [ "$status" -eq 130 ]
  output=${output//'^C'/}
  [ -z "$(screen)" ]
}

@test "an error comes on a line of its own" {
  start_stub work purge sessions 3 'HTTP/1.1 503 No\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
  # shellcheck disable=SC2016
  in_terminal 80 'concur --timeout 30s purge --all >"$OUT"'
  [ "$status" -eq 3 ]
  [ "$(screen)" = "concur: cannot purge: the daemon answered 503" ]
}

@test "nothing is drawn, and no status asked for, where standard error is no terminal" {
  start_stub slow 1.5
  concur_run --socket "$SOCKET" --timeout 30s purge --all
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
}

@test "backup: what the daemon copies, and no trace of it afterwards" {
  start_stub work backup bytes 3 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.sqlite3\r\nContent-Length: 4\r\n\r\ncopy'
  # shellcheck disable=SC2016
  in_terminal 100 'concur backup "$OUT.db" >"$OUT"'
  [ "$status" -eq 0 ]
  expect_drawn 100 'backup:  20 % \[#{6} {24}\] 2 B of 10 B, [0-9]+ B/s, [0-9]+s left'
  [ -z "$(screen)" ]
  [ "$(cat "$DIR/out.db")" = copy ] && [[ $(cat "$DIR/out") == '{"file":'* ]]
}

@test "batch: lines and their rate from a pipe, and nothing where the answers go to the terminal" {
  start_daemon
  for n in $(seq 1000); do printf '{"command":"start","user":"u%s","session":"s"}\n\n' "$n"; done >"$DIR/lines"
  # A pipe that is never idle for long, and brings the last lines when something was drawn.
  # shellcheck disable=SC2016
  slowly='i=0; while [ $i -lt 20 ]; do sed -n "$((i * 100 + 1)),$((i * 100 + 100))p" "$0"; i=$((i + 1)); sleep 0.1; done'
  in_terminal 80 "sh -c '$slowly' $DIR/lines | concur batch >\"\$OUT\""
  [ "$status" -eq 0 ] && [ "$(wc -l <"$DIR/out")" -eq 1000 ]
  expect_drawn 80 'batch: [0-9]+ lines, [0-9]+/s'
  [ -z "$(screen)" ]
  in_terminal 80 "sh -c '$slowly' $DIR/lines | concur batch"
  [ "$status" -eq 0 ]
  [[ $output == *'"status":2'* && $output != *"batch: "* ]]
}

# A database of 20,000 sessions, some of whose users are denied.
fill_database() {
  start_daemon
  for n in $(seq 20000); do printf '{"command":"start","user":"u%s","session":"s"}\n' "$n"; done |
    concur --socket "$SOCKET" batch >/dev/null
  stop_daemon
}

# concurrencyd, whose clock goes on by a minute with each look at it.
with_moving_clock() {
  library=${CONCUR_TEST_LIB_DIR:-$CONCUR_BIN_DIR/../lib}/libtestclock.so
  head -c 48 /dev/zero >"$DIR/clock"
  # shellcheck disable=SC2034
  CLOCK=0
  advance_clock 5000000000
  CLOCKED=(env LD_PRELOAD="$library" TEST_CLOCK_FILE="$DIR/clock" TEST_CLOCK_STEP_MS=60000
    ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS-}" concurrencyd --socket "$SOCKET" --database "$DATABASE")
}

@test "the daemon's start, its check of the database and --recover say in the log how far they are" {
  fill_database
  with_moving_clock
  run --separate-stderr "${CLOCKED[@]}" --recover
  [ "$status" -eq 0 ] && [[ $output == *"Nothing was lost."* ]]
  [[ $stderr =~ "info salvaging rows: "[0-9]+" %, "[0-9]+" of "[0-9]+" pages, " ]]
  run --separate-stderr "${CLOCKED[@]}" --migrate-only
  [ "$status" -eq 0 ]
  [[ $stderr =~ "info checking the database: "[0-9]+" %, "[0-9]+" of "[0-9]+" pages" ]]
  in_background "${CLOCKED[@]}"
  eventually grep -qE 'info loading the sessions: [0-9]+ rows' "$LOG"
}

@test "the same on a terminal is drawn, and gone before anything else is said" {
  fill_database
  with_moving_clock
  printf -v clocked '%q ' "${CLOCKED[@]}"
  in_terminal 80 "$clocked --recover >\"\$OUT\""
  [ "$status" -eq 0 ] && [[ $(cat "$DIR/out") == *"Nothing was lost."* ]]
  expect_drawn 80 'salvaging rows: +[0-9]+ % .*'
  [ -z "$(screen)" ]
  in_terminal 80 "$clocked --migrate-only"
  [ "$status" -eq 0 ]
  expect_drawn 80 'checking the database: +[0-9]+ % .*'
  [[ $(screen) =~ ^[^[:cntrl:]]+" info database $DATABASE has schema "[0-9]+$ ]]
}
