#!/usr/bin/env bats
# concur batch: a JSON command a line, an answer a line.

# shellcheck disable=SC2030,SC2031

load helper

setup() {
  make_dir
  export CONCUR_SOCKET=$SOCKET
}
teardown() { remove_dir; }

# concur batch with the text as its standard input.
batch() {
  local text=$1
  shift
  run --separate-stderr concur batch "$@" <<<"$text"
}

# Heartbeats of as many sessions that were never started: each is answered with 404.
heartbeats() {
  seq "$1" | sed 's/.*/{"command":"heartbeat","user":"u&","session":"s"}/'
}

# Whether a process has a connection.
has_socket() { find "/proc/$1/fd" -lname 'socket:*' | grep -q .; }
has_no_socket() { ! has_socket "$1"; }

@test "each line has its answer, in order, with the status in front" {
  start_daemon
  batch '{"command":"start","user":"abc","session":"s1","device":"tv","meta":{"a":"b"}}
{"command":"heartbeat","user":"abc","session":"s1"}
{"command":"heartbeat","user":"abc","session":"none"}
{"command":"end","user":"abc","session":"s1"}
{"command":"heartbeat","user":"abc","session":"s1"}'
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  [ "$(jq -c .status <<<"$output" | xargs)" = "201 200 404 200 410" ]
  [[ ${lines[0]} == '{"status":201,"user":"abc","session":"s1","start":"'*'","concurrentSessions":1,"limit":3,'* ]]
  jq -se '.[1].heartbeatInterval == 30 and .[3].ended == true and .[4].reason == "ended"' <<<"$output"
}

@test "starts are denied, evict and replace as by concur start" {
  start_daemon --limit 1
  batch '{"command":"start","user":"abc","session":"s1"}
{"command":"start","user":"abc","session":"s2"}
{"command":"start","user":"abc","session":"s3","replace":"s1"}
{"command":"start","user":"abc","session":"s4","onLimit":"evict-oldest"}
{"command":"start","user":"abc","session":"s5","limit":2}
{"command":"start","user":"xyz","session":"s1"}
{"command":"start","user":"xyz","session":"s2","onLimit":"evict-oldest"}'
  [ "$status" -eq 0 ]
  # Who took another's place is protected.
  [ "$(jq -c .status <<<"$output" | xargs)" = "201 409 201 409 201 201 201" ]
  jq -se '.[2].evicted == ["s1"] and .[3].holdOff > 0 and .[4].concurrentSessions == 2 and .[6].evicted == ["s1"]' \
    <<<"$output"
}

@test "a bad line has its answer too, by its number in standard input, and the rest go on: exit 2" {
  start_daemon
  batch '{"command":"start","user":"abc","session":"s1"}

not JSON
{"command":"sing","user":"abc","session":"s1"}
  
{"command":"end","user":"abc","session":"s1"}'
  [ "$status" -eq 2 ] && [ -z "$stderr" ]
  [ "$(jq -c .status <<<"$output" | xargs)" = "201 400 400 200" ]
  [[ $(jq -r .message <<<"${lines[1]}") == "cannot read line 3: "* ]]
  [[ $(jq -r .message <<<"${lines[2]}") == "cannot read line 4: "* ]]
}

@test "the last line needs no end, lines may end as on other systems, and blank ones have no answer" {
  start_daemon
  printf '\n \r\n{"command":"start","user":"abc","session":"s1"}\r\n\t{"command":"end","user":"abc","session":"s1"}' |
    concur batch >"$DIR/out"
  [ "$(jq -c .status "$DIR/out" | xargs)" = "201 200" ]
}

@test "without a line there is nothing to ask: exit 0, also without a daemon" {
  for text in '' '\n\n  \n'; do
    # shellcheck disable=SC2059
    printf "$text" | concur batch >"$DIR/out"
    [ ! -s "$DIR/out" ]
  done
}

@test "more lines than one request takes: each has its answer, in order, under its own number" {
  start_daemon
  { heartbeats 20000; echo bad; heartbeats 5000; } >"$DIR/in"
  # shellcheck disable=SC2016
  run -2 sh -c 'concur batch <"$0/in" >"$0/out"' "$DIR"
  [ "$(wc -l <"$DIR/out")" -eq 25001 ]
  diff <(jq -r '.user // "bad"' "$DIR/out") <(jq -rR 'fromjson? // {user: "bad"} | .user' "$DIR/in")
  [[ $(sed -n 20001p "$DIR/out" | jq -r .message) == "cannot read line 20001: "* ]]
}

@test "more bytes than one request takes" {
  start_daemon
  python3 -c 'for i in range(300):
    print("{\"command\":\"heartbeat\",\"user\":\"u%d\",\"session\":\"s\"%s}" % (i, " " * 60000))' |
    concur batch >"$DIR/out"
  diff <(jq -r .user "$DIR/out") <(seq -f 'u%g' 0 299)
}

@test "a line that is too long has its answer, whatever its length, and the rest go on" {
  start_daemon
  python3 - "$DIR" <<'SCRIPT'
import os, resource, subprocess, sys
folder = sys.argv[1]
end = b'{"command":"end","user":"abc","session":"s"}\n'
with open(folder + "/out", "wb") as out:
    concur = subprocess.Popen(["concur", "batch"], stdin=subprocess.PIPE, stdout=out)
    concur.stdin.write(end)
    for size in (65537, 200_000_000):
        for _ in range(0, size, 1 << 20):
            concur.stdin.write(b"x" * min(size, 1 << 20))
        concur.stdin.write(b"\n" + end)
    concur.stdin.close()
    assert concur.wait() == 2
assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 150_000, "held the line"
SCRIPT
  [ "$(jq -c .status "$DIR/out" | xargs)" = "200 413 200 413 200" ]
  [[ $(sed -n 4p "$DIR/out" | jq -r .message) == "cannot read line 4: "* ]]
}

@test "a line of 64 KiB is not too long" {
  start_daemon
  python3 -c 'line = "{\"command\":\"end\",\"user\":\"abc\",\"session\":\"s\"}"
print(line[:-1] + " " * (65536 - len(line)) + "}")' | concur batch >"$DIR/out"
  [ "$(jq .status "$DIR/out")" -eq 200 ]
}

# A co-process: to_batch has its standard input, from_batch its standard output.
start_coprocess() {
  mkfifo "$DIR/to" "$DIR/from"
  concur batch "$@" <"$DIR/to" >"$DIR/from" 2>"$DIR/err" 3>&- &
  BATCH=$!
  PIDS+=("$BATCH")
  exec 5>"$DIR/to" 6<"$DIR/from"
}

# Sends a start of this session; the line that answers it has this status.
start_by_line() {
  local line
  echo "{\"command\":\"start\",\"user\":\"abc\",\"session\":\"$1\"}" >&5
  read -r -t 20 line <&6
  [ "$(jq .status <<<"$line")" -eq "$2" ]
}

# The end of standard input; $status is the exit status.
end_coprocess() {
  exec 5>&-
  status=0
  wait "$BATCH" || status=$?
  exec 6<&-
}

@test "as a co-process: a line in, its answer out, without more input" {
  start_daemon
  start_coprocess
  for session in s1 s2 s3; do start_by_line $session 201; done
  start_by_line s4 409
  start_by_line s1 200
  end_coprocess
  [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
}

@test "half a line waits for its other half" {
  start_daemon
  start_coprocess
  start_by_line s1 201
  printf '{"command":"start","user":"abc",' >&5
  eventually has_no_socket "$BATCH"
  echo '"session":"s1"}' >&5
  read -r -t 20 line <&6
  [ "$(jq .status <<<"$line")" -eq 200 ]
  end_coprocess
  [ "$status" -eq 0 ]
}

@test "an idle co-process holds no connection, and goes on with the next line, over a restart too" {
  start_daemon
  start_coprocess --timeout 20s
  start_by_line s1 201
  eventually has_no_socket "$BATCH"
  start_by_line s1 200
  eventually has_no_socket "$BATCH"
  stop_daemon
  start_daemon
  start_by_line s1 200
  end_coprocess
  [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
}

@test "a daemon that stops while nothing is owed is no matter: the next line asks the next one" {
  start_daemon
  start_coprocess --timeout 20s
  start_by_line s1 201
  stop_daemon
  start_daemon
  start_by_line s1 200
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  start_daemon
  start_by_line s2 201
  end_coprocess
  [ "$status" -eq 0 ] && [ ! -s "$DIR/err" ]
}

@test "a daemon that ends while an answer is owed: exit 3, how many have theirs, and nothing is sent again" {
  start_daemon
  start_coprocess --timeout 20s
  start_by_line s1 201
  kill -STOP "$DAEMON"
  echo '{"command":"start","user":"abc","session":"s2"}' >&5
  eventually is_read
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  end_coprocess
  [ "$status" -eq 3 ]
  [[ $(cat "$DIR/err") == "concur: cannot "*"; 1 lines have their answers, 1 more were sent" ]]
}

# What was written into the FIFO on descriptor 5 has been read.
is_read() {
  python3 -c 'import array, fcntl, termios
left = array.array("i", [0])
fcntl.ioctl(5, termios.FIONREAD, left)
raise SystemExit(left[0] != 0)'
}

@test "no answer in time: exit 3" {
  start_daemon
  kill -STOP "$DAEMON"
  batch '{"command":"start","user":"abc","session":"s1"}' --timeout 300ms
  expect_error 3 "concur: cannot get an answer from $SOCKET: none within 300ms; *; 0 lines have their answers, 1 more were sent"
}

@test "no daemon: exit 3" {
  batch '{"command":"start","user":"abc","session":"s1"}' --timeout 100ms
  expect_error 3 "concur: cannot connect to $SOCKET: no such socket; *; 0 lines have their answers, 0 more were sent"
}

@test "an answer to the whole, such as 503: exit 3" {
  start_stub say 'HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 71\r\n\r\n{"error":"unavailable","message":"cannot batch: 32 are under way now"}\r\n'
  batch '{"command":"start","user":"abc","session":"s1"}'
  expect_error 3 "concur: cannot batch: the daemon answered 503: cannot batch: 32 are under way now; 0 lines *"
}

@test "what the daemon cannot do at all, 501: exit 2" {
  start_stub say 'HTTP/1.1 501 Not Implemented\r\nContent-Type: application/json\r\nContent-Length: 57\r\n\r\n{"error":"unsupported","message":"cannot batch: never"}\r\n'
  batch '{"command":"start","user":"abc","session":"s1"}'
  expect_error 2 "concur: cannot batch: the daemon answered 501: cannot batch: never; 0 lines *"
}

@test "something that is no daemon: exit 3" {
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>'
  batch '{"command":"start","user":"abc","session":"s1"}'
  expect_error 3 "concur: cannot batch: the answer is not concurrencyd's, it is not JSON; *"
}

@test "not permitted: exit 4; a limit in a line is for operators, and refused in that line alone" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  start_daemon --socket-mode 0600
  run --separate-stderr as_nobody concur batch <<<'{"command":"end","user":"abc","session":"s1"}'
  expect_error 4 "concur: cannot connect to $SOCKET: permission denied; *"
  chmod 666 "$SOCKET"
  run --separate-stderr as_nobody concur batch <<<'{"command":"start","user":"abc","session":"s1","limit":9}
{"command":"start","user":"abc","session":"s1"}'
  [ "$status" -eq 4 ]
  [ "$(jq -c .status <<<"$output" | xargs)" = "403 201" ]
  run --separate-stderr as_nobody concur batch <<<'{"command":"limit","user":"abc","limit":9}
{"command":"sing"}'
  [ "$status" -eq 2 ]
  [ "$(jq -c .status <<<"$output" | xargs)" = "403 400" ]
}

@test "a line that could not be carried out: exit 3, though each has its answer" {
  local answers='{"status":503,"error":"unavailable"}\n{"status":400}\n{"status":201}\n'
  start_stub say "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 67\r\n\r\n$answers"
  batch '{"command":"start","user":"abc","session":"s1"}
{"command":"sing"}
{"command":"start","user":"abc","session":"s2"}'
  [ "$status" -eq 3 ] && [ -z "$stderr" ]
  [ "$(jq -c .status <<<"$output" | xargs)" = "503 400 201" ]
}

@test "a reader that is slow loses nothing" {
  start_daemon
  heartbeats 15000 >"$DIR/in"
  mkfifo "$DIR/from"
  concur batch <"$DIR/in" >"$DIR/from" 2>"$DIR/err" 3>&- &
  BATCH=$!
  PIDS+=("$BATCH")
  exec 6<"$DIR/from"
  # Nobody reads until it has ended the request, so that the daemon never waited for the rest of it.
  eventually has_socket "$BATCH"
  eventually has_no_socket "$BATCH"
  diff <(jq -r .user <&6) <(seq -f 'u%.0f' 15000)
  wait "$BATCH"
  [ ! -s "$DIR/err" ]
}

@test "a reader that goes away ends it, also while it waits for a line" {
  start_daemon
  start_coprocess
  start_by_line s1 201
  exec 6<&-
  status=0
  wait "$BATCH" || status=$?
  [ "$status" -eq 141 ]
  [ ! -s "$DIR/err" ]
  exec 5>&-
}

@test "a full disk under standard output exits 3" {
  start_daemon
  run bash -c 'concur batch <<<"{}" 2>&1 >/dev/full'
  [ "$status" -eq 3 ]
  [ "$output" = "concur: cannot write to standard output: No space left on device" ]
}

@test "standard input that cannot be read exits 3" {
  run --separate-stderr concur batch <"$DIR"
  expect_error 3 "concur: cannot read standard input: Is a directory; 0 lines have their answers, 0 more were sent"
}
