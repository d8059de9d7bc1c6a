#!/usr/bin/env bats
# What is wrong with the command line is reported in one line, exits 2 and needs no daemon.

load helper

setup() { make_dir; }
teardown() { remove_dir; }

@test "--version and --help need no daemon and exit 0" {
  concur_run --version
  [ "$status" -eq 0 ] && [ "$output" = "concur 0.1.0" ] && [ -z "$stderr" ]
  concur_run --help
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  for command in start heartbeat end list purge run report status top limit plan batch watch; do
    [[ $output == *" $command "* ]]
  done
}

@test "each command has a --help with examples" {
  for command in start heartbeat end list purge run report status top limit plan batch watch "limit get" "limit set" \
    "limit unset" "limit list" "plan set" "plan unset" "plan list"; do
    # shellcheck disable=SC2086
    concur_run $command --help
    [ "$status" -eq 0 ] && [ -z "$stderr" ]
    [[ $output == *"Usage: concur $command"*"--socket"*"--timeout"*"Examples:"*"  concur $command"* ]]
  done
}

@test "help COMMAND is COMMAND --help" {
  for command in "" start list run "limit set" "plan list" limit; do
    # shellcheck disable=SC2086
    concur_run $command --help
    shown=$output
    # shellcheck disable=SC2086
    concur_run help $command
    [ "$status" -eq 0 ] && [ -z "$stderr" ] && [ "$output" = "$shown" ]
  done
  concur_run limit set --help
  shown=$output
  concur_run limit help set
  [ "$status" -eq 0 ] && [ "$output" = "$shown" ]
  for words in "help stat" "stat --help"; do
    # shellcheck disable=SC2086
    concur_run $words
    expect_error 2 "concur: cannot help: there is no command 'stat'; see concur --help"
  done
  concur_run help limit put
  expect_error 2 "concur: cannot help: there is no command 'limit put'; see concur limit --help"
}

@test "no command and an unknown command" {
  concur_run
  expect_error 2 "concur: cannot run: no command is given; see concur --help"
  concur_run stat
  expect_error 2 "concur: cannot run: there is no command 'stat'; see concur --help"
  for group in limit plan; do
    concur_run $group
    expect_error 2 "concur: cannot run: no command is given after $group; see concur $group --help"
    concur_run $group put
    expect_error 2 "concur: cannot run: there is no command '$group put'; see concur $group --help"
  done
}

@test "unknown options and arguments" {
  concur_run --bogus start
  expect_error 2 "concur: cannot run: there is no option '--bogus' here; see concur start --help"
  concur_run start --user abc --session xyz --bogus
  expect_error 2 "concur: cannot run: there is no option '--bogus' here; see concur start --help"
  concur_run limit get --user abc set
  expect_error 2 "concur: cannot run: there is no argument 'set' here; see concur limit get --help"
  concur_run plan set premium gold --max 1
  expect_error 2 "concur: cannot run: there is no argument 'gold' here; see concur plan set --help"
  concur_run batch file
  expect_error 2 "concur: cannot run: there is no argument 'file' here; see concur batch --help"
  concur_run end --user abc --session xyz list
  expect_error 2 "concur: cannot run: there is no argument 'list' here; see concur end --help"
}

@test "an option without its value and an option given twice" {
  concur_run start --user abc --session
  expect_error 2 "concur: cannot run: --session takes exactly one value; see concur start --help"
  concur_run start --user abc --user abd --session xyz
  expect_error 2 "concur: cannot run: --user takes exactly one value; see concur start --help"
  concur_run purge --all=perhaps
  expect_error 2 "concur: cannot run: a flag takes no value; see concur purge --help"
}

@test "a user or session that is missing or empty" {
  for command in start heartbeat end; do
    for options in "" "--user=abc" "--session=xyz" "--user= --session=xyz" "--user=abc --session="; do
      # shellcheck disable=SC2086
      concur_run $command $options
      expect_error 2 "concur: cannot $command: Please specify a userId and sessionId"
    done
    concur_run $command --user "" --session xyz
    expect_error 2 "concur: cannot $command: Please specify a userId and sessionId"
  done
  concur_run list --user ""
  expect_error 2 "concur: cannot list: --user is empty; leave it out to list all users"
}

@test "a user or plan that is missing or empty" {
  for options in "get" "set --max 1" "unset" "get --user="; do
    # shellcheck disable=SC2086
    concur_run limit $options
    expect_error 2 "concur: cannot * the limit: it takes --user USER"
  done
  for options in "set --max 1" "unset"; do
    # shellcheck disable=SC2086
    concur_run plan $options
    expect_error 2 "concur: cannot * the plan: it takes the plan's NAME"
    # shellcheck disable=SC2086
    concur_run plan $options ""
    expect_error 2 "concur: cannot * the plan: it takes the plan's NAME"
  done
  concur_run plan list ""
  expect_error 2 "concur: cannot show the plans: NAME is empty; leave it out to list all plans"
  concur_run watch --user=
  expect_error 2 "concur: cannot watch: --user is empty; leave it out to watch all users"
}

@test "report names a user, or asks of all of them what another limit would do" {
  concur_run report --user ""
  expect_error 2 "concur: cannot report: --user is empty; leave it out to report on all users"
  concur_run report --user abc --what-if-limit 2
  expect_error 2 "concur: cannot report: --what-if-limit is for all users; leave out --user"
}

@test "limit set and plan set take at least one thing to set" {
  concur_run limit set --user abc
  expect_error 2 "concur: cannot set the limit: it takes at least one of --max, --plan, --on-limit and --rule"
  concur_run plan set premium
  expect_error 2 "concur: cannot set the plan: it takes at least one of --max, --on-limit and --rule"
}

@test "an empty value never takes the next option for its own" {
  concur_run purge --idle= --all
  expect_error 2 "concur: cannot read duration '': *"
}

@test "values that cannot be read" {
  concur_run start --user abc --session xyz --ttl 5x
  expect_error 2 "concur: cannot read duration '5x': *"
  concur_run start --user abc --session xyz --limit -1
  expect_error 2 "concur: cannot read --limit '-1': it takes a whole number from 0 to 1000000000"
  concur_run start --user abc --session xyz --limit 3.5
  expect_error 2 "concur: cannot read --limit '3.5': *"
  concur_run start --user abc --session xyz --meta novalue
  expect_error 2 "concur: cannot read --meta 'novalue': *"
  concur_run start --user abc --session xyz --on-limit evict
  expect_error 2 "concur: cannot read --on-limit 'evict': it takes deny, evict-oldest or evict-newest"
  concur_run limit set --user abc --max none
  expect_error 2 "concur: cannot read --max 'none': it takes a whole number from 0 to 1000000000, or default"
  concur_run limit set --user abc --on-limit none
  expect_error 2 "concur: cannot read --on-limit 'none': it takes deny, evict-oldest, evict-newest or default"
  concur_run limit set --user abc --rule tvs=none
  expect_error 2 "concur: cannot read --rule 'none': it takes a whole number from 0 to 1000000000, or default"
  concur_run plan set premium --max default
  expect_error 2 "concur: cannot read --max 'default': it takes a whole number from 0 to 1000000000"
  concur_run block --user abc --for 99999d
  expect_error 2 "concur: cannot read duration '99999d': it takes at most 36600d"
  concur_run limit list --output table
  expect_error 2 "concur: cannot read --output 'table': it takes json or ndjson"
  concur_run watch --since -1
  expect_error 2 "concur: cannot read --since '-1': *"
  concur_run list --output xml
  expect_error 2 "concur: cannot read --output 'xml': it takes json, ndjson or table"
  concur_run top --interval 99ms
  expect_error 2 "concur: cannot read --interval '99ms': it must be at least 100ms"
  concur_run status --output ndjson
  expect_error 2 "concur: cannot read --output 'ndjson': it takes json or table"
  concur_run report --output ndjson
  expect_error 2 "concur: cannot read --output 'ndjson': it takes json, table, html or csv"
  concur_run report --since week
  expect_error 2 "concur: cannot read duration 'week': *"
  concur_run report --top 1001
  expect_error 2 "concur: cannot read --top '1001': it takes a whole number from 0 to 1000"
  concur_run report --what-if-limit two
  expect_error 2 "concur: cannot read --what-if-limit 'two': *"
  concur_run --timeout 0 status
  expect_error 2 "concur: cannot read --timeout '0': *"
  concur_run --socket "" status
  expect_error 2 "concur: cannot read --socket: it is empty"
}

@test "purge takes all alone, or something that says which" {
  for options in "" "--dry-run" "--block 1h" "--message x"; do
    # shellcheck disable=SC2086
    concur_run purge $options
    expect_error 2 "concur: cannot purge: it takes --all, or at least one of *"
  done
  for options in "--user abc --all" "--idle 1h --all" "--all --ip ::1" "--all --meta a=b"; do
    # shellcheck disable=SC2086
    concur_run purge $options
    expect_error 2 "concur: cannot purge: --all stands alone; *"
  done
  concur_run purge --all --block 1h
  expect_error 2 "concur: cannot purge: --block does not go with --all"
  concur_run purge --meta a=b --meta a=c
  expect_error 2 "concur: cannot purge: --meta names 'a' twice"
}

@test "replacing one and replacing all exclude each other" {
  concur_run start --user abc --session s1 --replace s2 --replace-all
  expect_error 2 "concur: cannot start: --replace and --replace-all exclude each other"
  concur_run run --user abc --session s1 --replace s2 --replace-all -- true
  expect_error 2 "concur: cannot run: --replace and --replace-all exclude each other"
}

@test "block and unblock take a user" {
  concur_run block
  expect_error 2 "concur: cannot block: it takes --user USER"
  concur_run block --for 1h
  expect_error 2 "concur: cannot block: it takes --user USER"
  concur_run unblock
  expect_error 2 "concur: cannot unblock: it takes --user USER"
  concur_run block list --output table
  expect_error 2 "concur: cannot read --output 'table': *"
}

@test "an error is one line whatever it quotes" {
  concur_run $'a\nb'
  expect_error 2 "concur: cannot run: there is no command 'a[?]b'; see concur --help"
}

@test "--socket and --timeout go before and after the command" {
  start_stub record "$DIR/requests"
  for arguments in "--socket $SOCKET --timeout 9s status" "status --socket $SOCKET --timeout 9s" \
    "--timeout 9s status --socket $SOCKET" "--socket /none status --socket $SOCKET"; do
    # shellcheck disable=SC2086
    concur_run $arguments
    expect_answer 0 '. == {}'
  done
}
