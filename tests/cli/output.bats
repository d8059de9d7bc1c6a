#!/usr/bin/env bats
# Standard output has the answer and nothing else, and an answer that could not be written is no success.

load helper

setup_file() { share_daemon; }
teardown_file() { end_shared_daemon; }

@test "every answer is JSON for jq, allowed or denied, with nothing on standard error" {
  for n in 1 2 3 4; do
    [ "$(concur start --user jq --session "s$n" 2>"$DIR/err" | jq -r .user)" = jq ]
    [ ! -s "$DIR/err" ]
  done
  for command in "heartbeat --user jq --session s1" "heartbeat --user jq --session none" "list" \
    "list --user jq" "list --output ndjson" "end --user jq --session s1" "purge --user jq" status \
    "plan set jq --max 1" "plan list" "plan list jq" "plan unset jq" "limit get --user jq" \
    "limit set --user jq --max 1" "limit list" "limit list --output ndjson" "limit unset --user jq"; do
    # shellcheck disable=SC2086
    concur $command 2>"$DIR/err" | jq -e . >/dev/null
    [ ! -s "$DIR/err" ]
  done
}

@test "an answer ends with one newline" {
  [ "$(concur status | tail -c 2 | od -An -c | tr -d ' ')" = '}\n' ]
}

@test "a full disk under standard output exits 3" {
  for command in "start --user full --session s" "list" "status" "limit list" "plan list" "--version" "--help"; do
    # shellcheck disable=SC2086
    run bash -c "concur $command 2>&1 >/dev/full"
    [ "$status" -eq 3 ]
    [ "$output" = "concur: cannot write to standard output: No space left on device" ]
  done
}

@test "a closed standard output exits 3, and the answer goes nowhere else" {
  run bash -c 'concur start --user closed --session s 2>&1 >&-'
  [ "$status" -eq 3 ]
  [ "$output" = "concur: cannot write to standard output: Bad file descriptor" ]
  run bash -c 'concur status <&- >&- 2>&-'
  [ "$status" -eq 3 ]
}

# Descriptor 5 is a pipe without a reader: the FIFO's is gone before concur writes.
open_broken_pipe() {
  rm -f "$DIR/fifo"
  mkfifo "$DIR/fifo"
  (exec 4<"$DIR/fifo") 3>&- &
  exec 5>"$DIR/fifo"
  wait $!
}

@test "where nobody reads standard output any more it dies of SIGPIPE, silently, as yes does" {
  open_broken_pipe
  concur start --user gone --session s1 >/dev/null
  for command in status "start --user gone --session s1" "start --user gone --session s1 --meta a=b" list \
    "list --output ndjson" "list --output table" "report --output table" "limit list" "plan list" --help --version \
    "help list" "top --interval 100ms" "watch --since 0" watch; do
    status=0
    # shellcheck disable=SC2086
    env --default-signal timeout 20 concur $command >&5 2>"$DIR/err" || status=$?
    [ "$status" -eq 141 ]
    [ ! -s "$DIR/err" ]
  done
  status=0
  env --default-signal concur batch <<<'{"command":"heartbeat","user":"gone","session":"s1"}' >&5 2>"$DIR/err" || status=$?
  exec 5>&-
  [ "$status" -eq 141 ]
  [ ! -s "$DIR/err" ]
}

@test "a reader that has enough ends what streams" {
  for n in $(seq 3); do concur start --user many --session "s$n" >/dev/null; done
  for command in "list --output ndjson" "watch --since 0" "top --interval 100ms"; do
    run --separate-stderr env --default-signal bash -c "timeout 20 concur $command | head -n 1; echo \"\${PIPESTATUS[0]}\""
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[1]} == 0 || ${lines[1]} == 141 ]]
    [[ $command == list* || ${lines[1]} == 141 ]]
    [ -z "$stderr" ]
  done
}

@test "where the caller has SIGPIPE ignored, as services have, a reader that went away exits 3" {
  open_broken_pipe
  status=0
  env --ignore-signal=PIPE concur status >&5 2>"$DIR/err" || status=$?
  exec 5>&-
  [ "$status" -eq 3 ]
  [ "$(cat "$DIR/err")" = "concur: cannot write to standard output: Broken pipe" ]
}

@test "standard input is left alone" {
  [ "$(printf 'one\ntwo\n' | while read -r line; do concur status >/dev/null; echo "$line"; done | wc -l)" -eq 2 ]
}
