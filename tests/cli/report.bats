#!/usr/bin/env bats
# concur report and concur status: the daemon's JSON as it is, and the views for people. The daemon's clocks stand still.

# shellcheck disable=SC2030,SC2031

load helper

setup_file() {
  make_dir
  start_daemon_with_clock
  export DIR SOCKET DATABASE LOG DAEMON SHARED_SOCKET=$SOCKET CONCUR_SOCKET=$SOCKET
  # Twelve users try 1 to 9 streams at once, each from a device and an address of its own; two hours later one tries again.
  for user in $(seq 12); do
    for stream in $(seq $((user * 7 % 9 + 1))); do
      printf '{"command":"start","user":"customer-%s","session":"s%s","device":"d%s","ip":"192.0.2.%s"}\n' \
        "$((1000 + user))" "$stream" "$stream" "$stream"
    done
  done | concur batch >/dev/null
  advance_clock $((2 * 3600 * 1000))
  concur start --user customer-1005 --session late --device d1 >/dev/null
}
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

# in_terminal COLUMNS COMMAND... : what it writes there.
in_terminal() {
  needs_terminal
  local columns=$1
  shift
  run python3 "$BATS_TEST_DIRNAME/terminal.py" "$columns" env -u COLUMNS TERM=xterm "$@"
  [ "$status" -eq 0 ]
}

# Process, path and sizes are this run's own.
mask_status() {
  sed -E -e 's/process [0-9]+/process PID/' -e 's|(database +).*|\1PATH|' -e 's/^(size +).*/\1SIZES/' \
    -e 's/^(commits +).*/\1COMMITS/' -e 's/^(connections +).*/\1CONNECTIONS/'
}

# A daemon that answers with this JSON.
says() {
  # The stub reads escapes as Python does.
  start_stub say "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${#1}\r\nConnection: close\r\n\r\n${1//\\/\\\\}"
}

@test "the JSON is the daemon's own bytes, of what the options ask" {
  diff <(concur report) <(curl -s --unix-socket "$SOCKET" http://localhost/v1/report)
  diff <(concur report --since 1h --top 3 --what-if-limit 2) \
    <(curl -s --unix-socket "$SOCKET" 'http://localhost/v1/report?since=1h&top=3&whatIfLimit=2')
  diff <(concur report --user customer-1005) \
    <(curl -s --unix-socket "$SOCKET" 'http://localhost/v1/report?user=customer-1005')
  concur_run report --top 3 --what-if-limit 2
  expect_answer 0 '(.users | length) == 3 and .whatIf.limit == 2'
  concur_run report --since 36501d
  [ "$status" -eq 2 ]
}

@test "the table: who shares, how many users at each level, and the what-if line" {
  concur_run report --output table --what-if-limit 2
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  expect_golden report
}

@test "the table of one user has the hours" {
  concur_run report --user customer-1005 --output table
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  expect_golden report-user
}

@test "the table on a terminal of 80 columns" {
  in_terminal 80 env NO_COLOR=1 concur report --output table --top 5 --what-if-limit 1
  expect_golden report-80
  # A name is cut only where there is no room for it without bars.
  in_terminal 79 env NO_COLOR=1 concur report --output table
  [[ ${lines[2]} == "1  customer-1005 "* && ${lines[2]} != *█* ]]
  in_terminal 80 env -u NO_COLOR concur report --output table
  [[ $output == *$'\x1b[1mUSER\x1b[0m'* ]]
}

@test "bars are drawn with # where the locale has no blocks" {
  LC_ALL=C concur_run report --output table --top 3
  [[ $output == *"####################"* && $output != *█* ]]
  LC_ALL='' LC_CTYPE='' LANG=C.UTF-8 concur_run report --output table --top 3
  [[ $output == *█* ]]
}

@test "nobody is a table without rows" {
  concur_run report --user nobody --output table
  [ "$status" -eq 0 ]
  [[ ${lines[1]} == "#  USER  SCORE "* ]]
  [[ $output != *nobody* ]]
}

@test "levels beyond the sixteenth are shown together" {
  make_dir
  levels=$(for level in $(seq 40); do printf '"%s":1,' "$level"; done)
  says "{\"since\":\"2026-11-16T21:00:00.000Z\",\"users\":[],\"histogram\":{\"peak\":{},\"attempted\":{${levels%,}}}}"
  concur_run --socket "$SOCKET" report --output table
  [ "$status" -eq 0 ]
  [[ ${lines[-1]} == "    16+ "*" 25  ████████████████████" ]]
}

@test "what a name holds neither moves the cursor nor turns the line" {
  make_dir
  says '{"since":"2026-11-16T21:00:00.000Z","users":[{"user":"a\u001b[2Jb\u202ec","score":1}]}'
  concur_run --socket "$SOCKET" report --output table
  [[ ${lines[2]} == "1  a�[2Jb�c "* ]]
}

@test "csv: a line a user, and of one user a line an hour" {
  concur_run report --output csv
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  expect_golden report-csv
  concur_run report --user customer-1005 --output csv
  [ "$status" -eq 0 ]
  expect_golden report-user-csv
  concur_run report --user nobody --output csv
  [[ $status -eq 0 && $output == "user,hour,score,"* && $(wc -l <<<"$output") -eq 1 ]]
}

@test "csv: a name is never a formula, nor more than one cell" {
  make_dir
  says '{"since":"2026-11-16T21:00:00.000Z","users":[{"user":"=1+1"},{"user":"+1"},{"user":"-1"},{"user":"@a"},{"user":"  =1"},{"user":"\uff1d1"},{"user":"a\"b,c;=d"},{"user":"\t=1"},{"user":"a=1"}]}'
  concur --socket "$SOCKET" report --output csv >"$DIR/report.csv"
  run python3 -c 'import csv, sys
for row in csv.reader(open(sys.argv[1], newline="")): print(len(row), row[0])' "$DIR/report.csv"
  [ "$output" = "10 user
10 '=1+1
10 '+1
10 '-1
10 '@a
10 '  =1
10 '＝1
10 a\"b,c;=d
10 �=1
10 a=1" ]
}

@test "html: one whole page to mail, which needs nothing and runs nothing" {
  make_dir
  concur_run report --output html "$DIR/report.html" --what-if-limit 2
  expect_answer 0 ".file == \"$DIR/report.html\" and .bytes == $(stat -c %s "$DIR/report.html")"
  [ "$(stat -c %a "$DIR/report.html")" = 600 ]
  run python3 "$BATS_TEST_DIRNAME/read_page.py" "$DIR/report.html"
  [ "$status" -eq 0 ]
  output=$(sed -E 's/(From .* to ).* UTC,/\1NOW,/' <<<"$output")
  expect_golden report-html
  # The same on standard output, but for the minute in which it was made.
  diff <(concur report --output html --what-if-limit 2 | grep -v '^<p class="soft">From') \
    <(grep -v '^<p class="soft">From' "$DIR/report.html")
  # The hours of the first two: what each tried most, at 20 and at 22 o'clock.
  [ "$(grep -c 'aria-label="most at 20:00 UTC: [0-9] at once"' "$DIR/report.html")" -eq 9 ]
  grep -q '<title>22:00 UTC: 1 at once</title>' "$DIR/report.html"
}

@test "html: one user's days and hours" {
  make_dir
  concur_run report --user customer-1005 --output html "$DIR/report.html"
  expect_answer 0 '.bytes > 0'
  run python3 "$BATS_TEST_DIRNAME/read_page.py" "$DIR/report.html"
  [ "$status" -eq 0 ]
  output=$(sed -E 's/(From .* to ).* UTC,/\1NOW,/' <<<"$output")
  expect_golden report-user-html
}

@test "html: what clients send is text" {
  make_dir
  start_daemon
  # shellcheck disable=SC2016
  hostile='</bdi><script>alert(1)</script><img src=x onerror="a&b">'"'"
  for stream in 1 2 3 4; do concur --socket "$SOCKET" start --user "$hostile" --session "s$stream" >/dev/null || [ $? -eq 1 ]; done
  concur_run --socket "$SOCKET" report --output html "$DIR/report.html"
  expect_answer 0 '.bytes > 0'
  run python3 "$BATS_TEST_DIRNAME/read_page.py" "$DIR/report.html"
  [ "$status" -eq 0 ]
  [[ $output == *"|$hostile|"* ]]
}

@test "FILE is replaced when the report is whole, and else stays as it was" {
  make_dir
  echo before >"$DIR/report.csv"
  concur_run report --output csv "$DIR/report.csv"
  expect_answer 0 '.bytes > 0'
  [ "$(head -c 5 "$DIR/report.csv")" = user, ]
  says '{"users":[{"a":1}]}'
  echo before >"$DIR/report.csv"
  for format in csv html; do
    concur_run --socket "$SOCKET" report --output $format "$DIR/report.csv"
    expect_error 3 "concur: cannot report: the answer is no report"
  done
  [ "$(cat "$DIR/report.csv")" = before ]
  [ "$(find "$DIR" -name 'report*' | wc -l)" -eq 1 ]
}

@test "FILE that cannot be written is refused before the daemon is asked" {
  make_dir
  expect_refused() { # CODE FILE CAUSE
    concur_run --socket "$DIR/none" report --output html "$2"
    expect_error "$1" "concur: cannot write $2: $3"
  }
  mkdir "$DIR/folder"
  ln -s "$DIR/elsewhere" "$DIR/link"
  mkfifo "$DIR/pipe"
  expect_refused 2 "$DIR/folder" "Is a directory"
  expect_refused 2 "$DIR/none/report.html" "No such file or directory"
  expect_refused 2 "$DIR/link" "it is a symbolic link; name a file"
  expect_refused 2 "$DIR/pipe" "it is no regular file; name a file"
  expect_refused 2 /dev/null "it is no regular file; name a file"
  run --separate-stderr as_nobody concur --socket "$DIR/none" report --output csv "$DIR/report.csv"
  [ "$(id -u)" -ne 0 ] || expect_error 4 "concur: cannot write $DIR/report.csv: Permission denied"
  concur_run report --output table "$DIR/report.html"
  expect_error 2 "concur: cannot report: FILE goes with --output html or csv"
  concur_run report "$DIR/report.html"
  expect_error 2 "concur: cannot report: FILE goes with --output html or csv"
  concur_run report --output csv ""
  expect_error 2 "concur: cannot report: the name of FILE is empty"
  [ "$(find "$DIR" -name '*report*' | wc -l)" -eq 0 ]
}

@test "report is for operators, status for everyone" {
  [ "$(id -u)" -eq 0 ] || skip "only root can run a daemon that another user may talk to and is no operator of"
  make_dir
  start_daemon --socket-mode 0666
  run --separate-stderr as_nobody concur --socket "$SOCKET" report --output table
  expect_answer 4 '.error == "permission_denied"'
  run --separate-stderr as_nobody concur --socket "$SOCKET" status --output table
  [ "$status" -eq 0 ] && [[ $output == version* ]]
}

@test "status for people" {
  concur_run status --output table
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  [[ $output =~ database\ +"$DATABASE" ]]
  [[ $output =~ size\ +[0-9.]+" "KiB,\ its\ log\ [0-9.]+" "[KM]iB ]]
  output=$(mask_status <<<"$output")
  expect_golden status
}

@test "the status of a daemon that fails says what the trouble is" {
  make_dir
  says '{"version":"1","health":"failing","trouble":"cannot write","startedAt":"2026-11-16T21:00:00.000Z","database":{"bytes":1073741824,"walBytes":1023}}'
  concur_run --socket "$SOCKET" status --output table
  [ "$status" -eq 0 ]
  [[ $output == *"health       failing: cannot write"* && $output == *"1.0 GiB, its log 1023 B"* ]]
}

@test "an answer that is something else is reported, exit 3" {
  make_dir
  says '{"users":[{"a":1}]}'
  concur_run --socket "$SOCKET" report --output table
  expect_error 3 "concur: cannot report: the answer is no report"
  concur_run --socket "$SOCKET" status --output table
  expect_error 3 "concur: cannot show the status: the answer is no status"
}
