#!/usr/bin/env bats
# concur list --output table: what a person reads.

# shellcheck disable=SC2030,SC2031

load helper

setup_file() {
  share_daemon
  export CONCUR_SOCKET=$SOCKET
  concur start --user abc --session phone --ttl 2h --device tv-1 --ip 192.0.2.7 --content film-9 >/dev/null
  concur start --user abc --session tablet --ttl 3d >/dev/null
  concur start --user böse --session 東京の夜 --ttl 2h --content "é" >/dev/null
  concur start --user plain --session only --ttl 10m >/dev/null
}
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

in_terminal() {
  needs_terminal
  local columns=$1
  shift
  run python3 "$BATS_TEST_DIRNAME/terminal.py" "$columns" env -u NO_COLOR -u COLUMNS TERM=xterm "$@"
  [ "$status" -eq 0 ]
}

# The widest line of a text, in columns as a terminal counts them.
widest() {
  python3 -c 'import re, sys, unicodedata
def width(line):
    line = re.sub("\x1b\\[[0-9]*m", "", line)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
print(max(width(line) for line in sys.stdin.read().splitlines()))'
}

@test "one user: a title, and a line a session, in the order they began" {
  concur_run list --user abc --output table
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  [ "${#lines[@]}" -eq 3 ]
  [[ ${lines[0]} =~ ^"USER  SESSION  AGE "+"SEEN "+"LEFT "+"DEVICE  IP         CONTENT"$ ]]
  [[ ${lines[1]} =~ ^"abc   phone    "[0-9ms]+" "+[0-9ms]+" "+("1h59m"|"2h00m")"  tv-1    192.0.2.7  film-9"$ ]]
  [[ ${lines[2]} =~ ^"abc   tablet   "[0-9ms]+" "+[0-9ms]+" "+("2d23h"|"3d00h")"  -       -          -"$ ]]
}

@test "all users, sorted by user" {
  concur_run list --output table
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  [ "$(awk '{print $1}' <<<"$output" | tr '\n' ' ')" = "USER abc abc böse plain " ]
}

@test "columns are aligned, also where characters take two columns or none" {
  combining=$(printf 'e\u0301')
  concur start --user wide --session 東京 --content x >/dev/null
  concur start --user wide --session "$combining" --content x >/dev/null
  concur start --user wide --session abcdefgh --content x >/dev/null
  concur_run list --user wide --output table
  [ "$status" -eq 0 ]
  # Each line ends in a content of one column, so all lines are equally wide.
  [ "$(tail -n +2 <<<"$output" | while read -r line; do widest <<<"$line"; done | sort -u | wc -l)" -eq 1 ]
  concur purge --user wide >/dev/null
}

@test "details that no session has make no column; none at all is the title alone" {
  concur_run list --user plain --output table
  [[ ${lines[0]} =~ ^"USER   SESSION  AGE "+"SEEN "+LEFT$ ]]
  [[ ${lines[1]} =~ (9m[0-9]{2}s|10m00s)$ ]]
  concur_run list --user nobody --output table
  [ "$status" -eq 0 ] && [ "$output" = "USER  SESSION  AGE  SEEN  LEFT" ]
}

@test "a session that is let in for a while has how much of that is left" {
  make_dir
  start_daemon --limit 1 --overlap 5m --lease 2h
  export CONCUR_SOCKET=$SOCKET
  concur start --user abc --session stays --content film >/dev/null
  concur start --user abc --session changes >/dev/null
  concur_run list --user abc --output table
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  [[ ${lines[0]} =~ ^"USER  SESSION  AGE "+"SEEN "+"LEFT "+"GRACE  CONTENT"$ ]]
  [[ ${lines[1]} =~ ^"abc   stays    "[0-9ms]+" "+[0-9ms]+" "+("1h59m"|"2h00m")"  -      film"$ ]]
  [[ ${lines[2]} =~ ^"abc   changes  "[0-9ms]+" "+[0-9ms]+" "+("1h59m"|"2h00m")"  "("4m"[0-9]{2}"s"|"5m00s")"  -"$ ]]
}

@test "meta is shown as it was given" {
  concur start --user meta --session s --meta plan=gold --meta note="a b" >/dev/null
  concur_run list --user meta --output table
  [[ ${lines[0]} == *"  META" ]]
  [[ ${lines[1]} == *"plan=gold"* && ${lines[1]} == *"note=a b"* ]]
  concur purge --user meta >/dev/null
}

@test "more than a page is one table" {
  python3 - "$SOCKET" <<'SCRIPT'
import http.client, socket, sys

class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])

daemon = Unix("concurrencyd")
for n in range(1100):
    daemon.request("PUT", f"/v1/users/crowd/sessions/s{n}", '{"limit":0}')
    daemon.getresponse().read()
SCRIPT
  concur_run list --user crowd --output table
  [ "$status" -eq 0 ]
  [ "${#lines[@]}" -eq 1101 ]
  [ "$(grep -c USER <<<"$output")" -eq 1 ]
  concur purge --user crowd >/dev/null
}

@test "no terminal: no colours, and nothing is cut whatever COLUMNS says" {
  long=$(printf 'x%.0s' $(seq 250))
  concur start --user long --session "$long" >/dev/null
  COLUMNS=40 concur_run list --user long --output table
  [[ $output == *"$long"* ]]
  [[ $output != *$'\x1b'* ]]
  concur purge --user long >/dev/null
}

@test "a terminal's lines are as wide as it at most, down to one column" {
  long=$(printf '東x%.0s' $(seq 60))
  concur start --user long --session "$long" --content "$long" --device dev >/dev/null
  for columns in 120 80 60 40 20 12 9 3 1; do
    in_terminal "$columns" concur list --user long --output table
    [ "$(widest <<<"$output")" -le "$columns" ]
  done
  in_terminal 80 concur list --user long --output table
  # It is used in full, but for a column that a wide character does not fill.
  [ "$(widest <<<"$output")" -ge 77 ]
  [[ ${lines[0]} == *AGE*SEEN*LEFT*DEVICE*CONTENT* ]]
  [[ ${lines[1]} == *東x*…* ]]
  in_terminal 40 concur list --user long --output table
  [[ ${lines[0]} == *SESSION*AGE*SEEN*LEFT* ]]
  in_terminal 600 concur list --user long --output table
  [[ $output == *"$long"* ]]
  concur purge --user long >/dev/null
}

@test "COLUMNS goes before what the terminal says" {
  in_terminal 200 env COLUMNS=30 concur list --output table
  [ "$(widest <<<"$output")" -le 30 ]
  in_terminal 30 env COLUMNS=200 concur list --user abc --output table
  [ "$(widest <<<"$output")" -gt 30 ]
  in_terminal 200 env COLUMNS=wide concur list --user abc --output table
  [ "$(widest <<<"$output")" -gt 30 ]
}

@test "colours on a terminal, and none with NO_COLOR or a dumb one" {
  in_terminal 80 concur list --output table
  [[ $output == *$'\x1b[1mUSER'* ]]
  in_terminal 80 env NO_COLOR=1 concur list --output table
  [[ $output != *$'\x1b'* ]]
  in_terminal 80 env TERM=dumb concur list --output table
  [[ $output != *$'\x1b'* ]]
}

@test "what would turn or move the text is shown as a mark" {
  # A right-to-left override and a character that no one has assigned.
  concur start --user turn --session "$(printf 'a\u202eb\U0003fffdc')" >/dev/null
  concur_run list --user turn --output table
  [[ ${lines[1]} == *"a�b�c"* ]]
  concur purge --user turn >/dev/null
}

@test "an answer that is no list of sessions is reported, exit 3" {
  make_dir
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\nConnection: close\r\n\r\n{"sessions":[{"a":1}]}'
  concur_run --socket "$SOCKET" list --output table
  expect_error 3 "concur: cannot list: the answer is not a list of sessions"
  remove_dir
}

@test "without a daemon nothing is printed, exit 3" {
  concur_run --socket "$DIR/none" --timeout 50ms list --output table
  expect_error 3 "concur: cannot connect to $DIR/none: no such socket; *"
}
