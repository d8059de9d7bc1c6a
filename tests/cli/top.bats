#!/usr/bin/env bats
# concur top: the screen, in a terminal that tmux keeps, and the lines where there is none.

# shellcheck disable=SC2016,SC2030,SC2031

load helper

setup() { make_dir; }
teardown() {
  if [ -S "$DIR/tmux" ]; then tmux -S "$DIR/tmux" kill-server; fi
  remove_dir
}

# A daemon whose clocks stand still, nine users who shared, and a fourth stream of each of three that was refused last.
start_shared_history() {
  start_daemon_with_clock
  for user in $(seq 9); do
    for stream in $(seq $((user % 5 + 3))); do
      printf '{"command":"start","user":"customer-%s","session":"s%s","device":"d%s","ip":"192.0.2.%s"}\n' \
        "$user" "$stream" "$stream" "$stream"
    done
  done | concur --socket "$SOCKET" batch >/dev/null
}

in_tmux() { tmux -S "$DIR/tmux" "$@"; }

# A shell in a terminal of this size.
open_terminal() {
  command -v tmux >/dev/null || skip "tmux is not installed: it keeps the terminal that the screen is drawn on"
  needs_terminal
  env -u TMUX CONCUR_SOCKET="$SOCKET" tmux -u -S "$DIR/tmux" -f /dev/null new-session -d -x "$1" -y "$2" \
    "exec env ENV= PS1='prompt> ' sh" 3>&- 4>&- 5>&- 6>&-
  eventually screen_has 'prompt>'
}

type_line() { in_tmux send-keys -l "$1" && in_tmux send-keys Enter; }
screen() { in_tmux capture-pane -p; }
screen_has() { screen | grep -q -- "$1"; }
screen_lacks() { ! screen_has "$1"; }

# The client's clock and this run's sizes are masked, in their width where the line goes on.
masked_screen() {
  screen | sed -E -e 's/[0-9:]{8} UTC  every/HH:MM:SS UTC  every/' \
    -e 's/connections [0-9]+  database .*/connections N  database SIZE  its log SIZE/'
}

screen_is() {
  output=$(masked_screen)
  if [ -n "${GOLDEN_UPDATE-}" ]; then [[ $output =~ $2 ]] && expect_golden "$1" && return; fi
  diff -q "$BATS_TEST_DIRNAME/golden/$1" - <<<"$output" >/dev/null
}

# expect_screen GOLDEN REGEX: soon the screen is as in the file, which is whole where it matches.
expect_screen() {
  eventually screen_is "$@" || expect_golden "$1"
}

start_top() {
  type_line "stty -a >'$DIR/before'; concur top --interval 200ms; echo \"exit \$?\"; stty -a >'$DIR/after'"
}

# The command has ended so, and the terminal is as it was.
expect_end() {
  eventually screen_has "^exit $1\$"
  eventually test -s "$DIR/after"
  diff "$DIR/before" "$DIR/after"
  screen_lacks "q quits"
}

@test "the screen at 80x24" {
  start_shared_history
  open_terminal 80 24
  start_top
  expect_screen top "now +0\.0.*customer-9  s7"
}

@test "the key q ends it and leaves the terminal as it was" {
  start_daemon
  open_terminal 80 24
  start_top
  eventually screen_has "q quits"
  in_tmux send-keys q
  expect_end 0
}

@test "Ctrl-C and SIGTERM end it too" {
  start_daemon
  open_terminal 80 24
  start_top
  eventually screen_has "q quits"
  in_tmux send-keys C-c
  expect_end 0
  in_tmux send-keys C-l
  rm "$DIR/after"
  type_line "clear"
  type_line "stty -a >'$DIR/before'; concur top & echo \$! >'$DIR/pid'; fg >/dev/null; echo \"exit \$?\"; stty -a >'$DIR/after'"
  eventually screen_has "q quits"
  kill -TERM "$(cat "$DIR/pid")"
  expect_end 0
}

@test "a stopped screen gives the terminal back, and goes on where it was" {
  start_daemon
  open_terminal 80 24
  type_line "set -m"
  start_top
  eventually screen_has "q quits"
  in_tmux send-keys C-z
  eventually screen_has "prompt> *\$"
  type_line "fg"
  eventually screen_has "q quits"
  in_tmux send-keys q
  eventually screen_lacks "q quits"
}

@test "it is drawn anew in each size, and in no size does it end" {
  start_shared_history
  open_terminal 80 24
  start_top
  eventually screen_has "newest denials"
  in_tmux resize-window -x 120 -y 14
  eventually screen_lacks "newest denials"
  eventually screen_has "  1  *customer\|1  customer"
  in_tmux resize-window -x 30 -y 30
  eventually screen_has "newest denials"
  screen_has "1  custom.*…"
  # In a single cell nothing can be shown: a terminal's last corner cannot be written without scrolling.
  for size in "10 2" "1 1" "2 10" "200 60"; do
    in_tmux resize-window -x "${size% *}" -y "${size#* }"
    [ "$size" = "1 1" ] || eventually screen_has "^c"
  done
  in_tmux resize-window -x 80 -y 24
  eventually screen_has "every 200ms  q quits"
  in_tmux send-keys q
  expect_end 0
}

@test "without a daemon it says so and goes on, also over a restart, and ends at once" {
  start_daemon
  open_terminal 80 24
  start_top
  eventually screen_has "health ok"
  stop_daemon
  eventually screen_has "^no answer: cannot "
  start_daemon
  eventually screen_has "health ok"
  screen_lacks "no answer"
  concur --socket "$SOCKET" start --user late --session s1 --limit 1 >/dev/null
  concur --socket "$SOCKET" start --user late --session s2 --limit 1 >/dev/null || [ $? -eq 1 ]
  eventually screen_has "^[0-9:]* *late *s2 *1 *1"
  stop_daemon
  eventually screen_has "^no answer: cannot "
  in_tmux send-keys q
  expect_end 0
}

@test "a plain user is shown what they may see" {
  [ "$(id -u)" -eq 0 ] || skip "only root can run a daemon that another user may talk to and is no operator of"
  start_daemon --socket-mode 0666
  open_terminal 80 24
  type_line "setpriv --reuid=65534 --regid=65534 --clear-groups concur top --interval 200ms"
  eventually screen_has "newest denials are not shown: they are for operators"
  screen_has "health ok"
  screen_has "Who shares is not shown: they are for operators"
}

@test "a locale without UTF-8 is drawn in ASCII" {
  start_daemon
  concur --socket "$SOCKET" start --user 東京 --session s1 --limit 1 >/dev/null
  concur --socket "$SOCKET" start --user 東京 --session s2 --limit 1 >/dev/null || [ $? -eq 1 ]
  open_terminal 80 24
  type_line "LC_ALL=C concur top --interval 200ms"
  eventually screen_has "^1  ?? .* #"
}

has_lines() { [ "$(wc -l <"$DIR/lines")" -ge "$1" ]; }

@test "no terminal: a line each time, until a signal" {
  start_daemon
  for signal in TERM HUP; do
    env --default-signal concur --socket "$SOCKET" top --interval 100ms >"$DIR/lines" 2>"$DIR/errors" 3>&- &
    PIDS+=("$!")
    eventually has_lines 3
    kill -$signal "$!"
    wait "$!"
    [ ! -s "$DIR/errors" ]
  done
  [[ $(head -1 "$DIR/lines") =~ ^20[0-9T:.-]+"Z sessions 0 users 0 connections "[0-9]+" starts/s 0.0 denials/s 0.0 heartbeats/s 0.0 ends/s 0.0 health ok"$ ]]
}

@test "no terminal: it ends where nobody reads on, by SIGPIPE" {
  start_daemon
  run --separate-stderr bash -c 'concur --socket "$1" top --interval 100ms | head -1; echo "exit ${PIPESTATUS[0]}"' - "$SOCKET"
  [[ ${lines[0]} == *" health ok" ]] && [ "${lines[1]}" = "exit 141" ]
  [ -z "$stderr" ]
}

@test "no terminal: without an answer a line says so, and it goes on" {
  concur --socket "$SOCKET" --timeout 100ms top --interval 100ms >"$DIR/lines" 3>&- &
  PIDS+=("$!")
  eventually grep -q "Z no answer: cannot connect to $SOCKET: no such socket" "$DIR/lines"
  start_daemon
  eventually grep -q "health ok" "$DIR/lines"
  kill -TERM "${PIDS[0]}"
  wait "${PIDS[0]}"
}

@test "a terminal that can show no screen has lines" {
  needs_terminal
  start_daemon
  for term in "" no-such-terminal dumb; do
    run timeout -s INT --preserve-status 20 python3 "$BATS_TEST_DIRNAME/terminal.py" 80 --press '\x03' "health ok" \
      env TERM="$term" concur --socket "$SOCKET" top --interval 100ms
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "concur: cannot draw a screen: "*"; lines are printed" ]]
    [[ ${lines[1]} == *" health ok" ]]
  done
}

@test "a socket that may not be used ends it, exit 4" {
  [ "$(id -u)" -eq 0 ] || skip "only root can become a user whom the socket refuses"
  start_daemon --socket-mode 0600
  run --separate-stderr as_nobody concur --socket "$SOCKET" top
  expect_error 4 "concur: cannot connect to $SOCKET: *ermission*"
}

@test "no other command loads ncurses" {
  run ldd "$(command -v concur)"
  [ "$status" -eq 0 ] || skip "ldd is not here"
  [[ $output != *curses* && $output != *tinfo* ]]
}
