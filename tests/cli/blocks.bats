#!/usr/bin/env bats
# Users who are kept out, what viewers are told, and settings that are taken back.

# shellcheck disable=SC2030,SC2031

load helper

setup_file() { share_daemon; }
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

@test "a blocked user starts nothing, and is told why; unblocked it starts again" {
  concur_run block --user kept --for 2h --message "Please call us."
  expect_answer 0 '.blocked and .message == "Please call us." and (.until | endswith("Z"))'
  concur_run start --user kept --session s1
  expect_answer 1 '.error == "blocked" and .message == "Please call us." and .retryAfter > 7000'
  concur_run run --user kept --session s1 -- echo PLAYS
  expect_answer 1 '.error == "blocked"'
  concur_run unblock --user kept
  expect_answer 0 '.blocked == false'
  concur_run start --user kept --session s1
  expect_answer 0 '.concurrentSessions == 1'
}

@test "a block without an end is listed, as one document and as lines" {
  concur block --user "for ever" >/dev/null
  concur_run block list
  expect_answer 0 '[.blocks[] | select(.user == "for ever")] | length == 1 and (.[0] | has("until") | not)'
  [ "$(concur block list --output ndjson | jq -r 'select(.user == "for ever") | .blocked')" = true ]
  concur unblock --user "for ever" >/dev/null
}

@test "end and purge tell the viewer what the operator says" {
  concur start --user told --session s1 >/dev/null
  concur start --user told --session s2 --ip 192.0.2.77 --meta app=web >/dev/null
  concur end --user told --session s1 --message "Good night." >/dev/null
  concur_run heartbeat --user told --session s1
  expect_answer 5 '.reason == "ended" and .message == "Good night."'
  concur_run purge --ip 192.0.2.77 --meta app=web --dry-run
  expect_answer 0 '.wouldPurge == 1 and .users == 1'
  concur_run purge --ip 192.0.2.77 --meta app=web --message "Please call us." --block 1h
  expect_answer 0 '.purged == 1 and .blocked == 1'
  concur_run heartbeat --user told --session s2
  expect_answer 5 '.reason == "purged" and .message == "Please call us."'
  concur_run start --user told --session s3
  expect_answer 1 '.error == "blocked" and .message == "Please call us."'
}

@test "--replace-all takes the place of all others" {
  for session in s1 s2 s3; do concur start --user all --session "$session" >/dev/null; done
  concur_run start --user all --session s4 --replace-all
  expect_answer 0 '.concurrentSessions == 1 and .evicted == ["s1","s2","s3"]'
}

@test "limit set takes one setting back" {
  concur plan set back --max 7 >/dev/null
  concur limit set --user back --max 5 --plan back --on-limit evict-oldest >/dev/null
  concur_run limit set --user back --max default
  expect_answer 0 '.limit == 7 and .from == "plan" and .onLimit == "evict-oldest"'
  concur_run limit set --user back --on-limit default
  expect_answer 0 '.onLimit == "deny" and .plan == "back"'
  concur_run limit set --user back --plan none
  expect_answer 0 '.from == "default" and (has("plan") | not)'
  concur_run plan set none --max 5
  expect_answer 2 '.error == "invalid_request"'
}
