#!/usr/bin/env bats
# Ids are opaque: whatever bytes they have, the daemon gets them as they were given.

load helper

setup_file() { share_daemon; }
teardown_file() { end_shared_daemon; }

check_id() {
  local id=$1
  concur_run start --user "$id" --session "$id"
  [ "$status" -eq 0 ] || fail_with "id: $id"
  [ "$(jq -j .user <<<"$output"; echo .)" = "$id." ]
  [ "$(jq -j .session <<<"$output"; echo .)" = "$id." ]
  concur_run heartbeat --user "$id" --session "$id"
  [ "$status" -eq 0 ]
  concur_run list --user "$id"
  [ "$(jq -j '.sessions[].session' <<<"$output"; echo .)" = "$id." ]
  concur_run list --user "$id" --output ndjson
  [ "$(jq -j .user <<<"$output"; echo .)" = "$id." ]
  concur_run purge --user "$id" --dry-run
  expect_answer 0 '.wouldPurge == 1'
  concur_run end --user "$id" --session "$id"
  expect_answer 0 '.ended == true and .concurrentSessions == 0'
}

@test "spaces and slashes" {
  check_id "a b"
  check_id " "
  check_id "a/b//c/"
  check_id "../../etc/passwd"
  check_id "sessions/x/heartbeat"
}

@test "dots alone" {
  check_id "."
  check_id ".."
}

@test "what is special in a URL" {
  check_id "100%"
  check_id "%2F%00%"
  check_id "a?b=c&d#e;f+g"
  check_id "user@example.com:443"
}

@test "what is special in JSON and in shells" {
  check_id 'a"b\c'
  check_id "a'b\$c\`d\`*"
  check_id '{}'
  check_id '[a,b]'
  check_id '%%'
}

@test "what looks like an option" {
  check_id "-"
  check_id "--"
  check_id "-x"
  check_id "--user"
  check_id "base64=="
}

@test "letters of all the world" {
  check_id "Zoë Łukasz"
  check_id "ユーザー"
  check_id "👩‍👩‍👧"
}

@test "256 bytes and no more" {
  local long
  long=$(printf 'x%.0s' $(seq 256))
  check_id "$long"
  check_id "$(printf '/%.0s' $(seq 256))"
  concur_run start --user "x$long" --session s
  expect_answer 2 '.error == "invalid_request"'
  concur_run start --user u --session "x$long"
  expect_answer 2 '.error == "invalid_request"'
}

@test "bytes that are not UTF-8 are refused by the daemon" {
  run concur start --user $'a\xff' --session s
  [ "$status" -eq 2 ]
  run concur start --user u --session $'\xc3'
  [ "$status" -eq 2 ]
  run concur purge --user $'a\xff'
  [ "$status" -eq 2 ]
}

@test "upper and lower case are different users" {
  concur start --user Case --session a >/dev/null
  concur_run start --user case --session a
  expect_answer 0 '.concurrentSessions == 1'
}
