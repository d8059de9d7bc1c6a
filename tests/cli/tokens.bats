#!/usr/bin/env bats
# Which start is meant: the tokens of concur start, heartbeat and end; concur(1), Tokens.

load helper

setup_file() { share_daemon; }
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

# Starts a session and prints the token of that start.
start_of() { concur start --user "$1" --session "$2" | jq -r .start; }

@test "a late end of a player that was started again does not end what plays now" {
  local first second
  first=$(start_of late1 dev1)
  second=$(start_of late1 dev1)
  [ "$first" != "$second" ]
  concur_run end --user late1 --session dev1 --start "$first"
  expect_answer 0 '. == {user: "late1", session: "dev1", ended: false, concurrentSessions: 1, reason: "other_start"}'
  concur_run heartbeat --user late1 --session dev1 --start "$second"
  expect_answer 0 ".start == \"$second\""
  concur_run end --user late1 --session dev1 --start "$second"
  expect_answer 0 '.ended == true and .concurrentSessions == 0'
}

@test "a heartbeat of an earlier start exits 5 and says why" {
  local first
  first=$(start_of late2 tv)
  start_of late2 tv
  concur_run heartbeat --user late2 --session tv --start "$first" --ttl 5m
  expect_answer 5 '.error == "session_gone" and .reason == "other_start"
    and .message == "cannot renew session tv of user late2: it was started again since"'
  concur_run heartbeat --user late2 --session tv
  expect_answer 0 '.heartbeatInterval == 30'
}

@test "without a token whichever start is active is meant" {
  start_of late3 tv
  start_of late3 tv
  concur_run heartbeat --user late3 --session tv
  expect_answer 0 '.start != null'
  concur_run end --user late3 --session tv
  expect_answer 0 '.ended == true'
}

@test "heartbeat takes a lease, in each of its forms" {
  concur start --user lease1 --session tv >/dev/null
  concur_run heartbeat --user lease1 --session tv --ttl 5m
  expect_answer 0 '.heartbeatInterval == 100'
  concur_run --timeout=2s heartbeat --ttl=1500ms --user lease1 --session tv
  expect_answer 0 '.heartbeatInterval == 0.5'
  run --separate-stderr concur batch <<<'{"command":"heartbeat","user":"lease1","session":"tv","ttl":60}'
  expect_answer 0 '.status == 200 and .heartbeatInterval == 20'
}

@test "what is no lease and no token is invalid" {
  concur start --user bad1 --session tv >/dev/null
  concur_run heartbeat --user bad1 --session tv --ttl 0
  expect_answer 2 '.error == "invalid_request"'
  concur_run heartbeat --user bad1 --session tv --ttl soon
  [ "$status" -eq 2 ]
  for token in tv 1 1.2.3 "1.2 " "../x?y=z&"; do
    concur_run heartbeat --user bad1 --session tv --start "$token"
    expect_answer 2 '.error == "invalid_request" and (.message | startswith("cannot accept field '"'start'"'"))'
    concur_run end --user bad1 --session tv --start "$token"
    expect_answer 2 '.error == "invalid_request" and (.message | startswith("cannot accept parameter '"'start'"'"))'
  done
  concur_run list --user bad1
  expect_answer 0 '.concurrentSessions == 1'
}

@test "an empty token is as none" {
  concur start --user empty1 --session tv >/dev/null
  concur_run heartbeat --user empty1 --session tv --start ""
  expect_answer 0 '.user == "empty1"'
  concur_run end --user empty1 --session tv --start=
  expect_answer 0 '.ended == true'
}
