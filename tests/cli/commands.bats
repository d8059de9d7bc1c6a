#!/usr/bin/env bats
# Each command's JSON and exit status; concur(1), EXIT STATUS.

load helper

setup_file() { share_daemon; }
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

@test "start answers with the count, the limit, when the lease ends and how often to beat" {
  concur_run start --user start1 --session xyz
  expect_answer 0 'keys_unsorted ==
    ["user", "session", "start", "concurrentSessions", "limit", "expiresAt", "heartbeatInterval"]'
  expect_answer 0 '.heartbeatInterval == 30 and (.expiresAt | test("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$"))'
  [[ $output == '{"user":"start1","session":"xyz","start":"'*'","concurrentSessions":1,"limit":3,"expiresAt":"'* ]]
}

@test "start takes a lease, a limit and what is known of the stream" {
  concur_run start --user start2 --session xyz --ttl 5m --limit 7 --device tv-1 --ip 192.0.2.7 \
    --content film-9 --meta plan=gold --meta note='a "b" \ c = d' --meta empty=
  expect_answer 0 '.limit == 7 and .heartbeatInterval == 100'
  concur_run list --user start2
  expect_answer 0 '.sessions[0] | .device == "tv-1" and .ip == "192.0.2.7" and .content == "film-9"
    and .meta == {plan: "gold", note: "a \"b\" \\ c = d", empty: ""}'
}

@test "start takes a lease of less than a second and one of days" {
  concur_run start --user start3 --session short --ttl 1500ms
  expect_answer 0 '.heartbeatInterval == 0.5'
}

@test "start with a limit of 0 is never refused" {
  for n in 1 2 3 4 5; do
    concur_run start --user start4 --session "s$n" --limit 0
    expect_answer 0 ".concurrentSessions == $n and .limit == 0"
  done
}

@test "a refused start names the sessions in its way and exits 1" {
  for n in 1 2 3; do concur start --user start5 --session "s$n" >/dev/null; done
  concur_run start --user start5 --session s4
  expect_answer 1 '.error == "limit_reached" and .user == "start5" and .session == "s4"
    and .concurrentSessions == 3 and .limit == 3 and .retryAfter > 0
    and ([.sessions[].session] | sort) == ["s1", "s2", "s3"]
    and (.sessions[0] | has("startedAt") and has("lastSeenAt") and has("expiresAt"))'
}

@test "heartbeat renews and answers as start does" {
  concur start --user beat1 --session xyz >/dev/null
  concur_run heartbeat --user beat1 --session xyz
  expect_answer 0 '.user == "beat1" and .session == "xyz" and .concurrentSessions == 1
    and .limit == 3 and .heartbeatInterval == 30 and has("expiresAt")'
}

@test "heartbeat of a session that was never seen exits 5" {
  concur_run heartbeat --user beat2 --session xyz
  expect_answer 5 '.error == "not_found"'
}

@test "heartbeat of a session that ended exits 5 and says why" {
  concur start --user beat3 --session xyz >/dev/null
  concur end --user beat3 --session xyz >/dev/null
  concur_run heartbeat --user beat3 --session xyz
  expect_answer 5 '.error == "session_gone" and .reason == "ended" and .user == "beat3" and .session == "xyz"'
}

@test "end ends once, and a second time is fine" {
  concur start --user end1 --session xyz >/dev/null
  concur_run end --user end1 --session xyz
  expect_answer 0 '. == {user: "end1", session: "xyz", ended: true, concurrentSessions: 0}'
  concur_run end --user end1 --session xyz
  expect_answer 0 '.user == "end1" and .session == "xyz" and .ended == false and .concurrentSessions == 0'
}

@test "end of a session that was never seen is fine" {
  concur_run end --user end2 --session xyz
  expect_answer 0 '.ended == false and .concurrentSessions == 0'
}

@test "list of a user has the count, the limit and each session" {
  concur start --user list1 --session xyz >/dev/null
  concur_run list --user list1
  expect_answer 0 '.user == "list1" and .concurrentSessions == 1 and .limit == 3
    and (.sessions | length) == 1 and .sessions[0].session == "xyz"'
}

@test "list of a user without sessions is empty" {
  concur_run list --user list2
  expect_answer 0 '.user == "list2" and .concurrentSessions == 0 and .sessions == []'
  concur_run list --user list2 --output ndjson
  [ "$status" -eq 0 ]
  [ -z "$output$stderr" ]
}

@test "purge of a user ends that user's sessions only" {
  concur start --user purge1 --session a >/dev/null
  concur start --user purge1 --session b >/dev/null
  concur start --user purge2 --session a >/dev/null
  concur_run purge --user purge1 --dry-run
  expect_answer 0 '. == {wouldPurge: 2, users: 1}'
  concur_run purge --user purge1
  expect_answer 0 '. == {purged: 2}'
  concur_run heartbeat --user purge1 --session a
  expect_answer 5 '.reason == "purged"'
  concur_run heartbeat --user purge2 --session a
  expect_answer 0 '.concurrentSessions == 1'
}

@test "purge of the idle ends those without a sign of life" {
  make_dir
  export CONCUR_SOCKET=$SOCKET
  start_daemon_with_clock
  concur start --user purge3 --session a >/dev/null
  concur_run purge --idle 1h
  expect_answer 0 '. == {purged: 0}'
  advance_clock 250
  concur start --user purge4 --session a >/dev/null
  concur_run purge --idle 250ms
  expect_answer 0 '. == {purged: 1}'
  concur_run heartbeat --user purge3 --session a
  expect_answer 5 '.reason == "purged"'
  concur_run heartbeat --user purge4 --session a
  expect_answer 0 '.concurrentSessions == 1'
}

@test "purge of all ends all" {
  concur start --user purge5 --session a >/dev/null
  concur_run purge --all
  expect_answer 0 '.purged >= 1'
  concur_run list
  expect_answer 0 '. == {sessions: []}'
}

@test "status shows version, uptime and sessions" {
  concur_run status
  expect_answer 0 '.version == "0.1.0" and .uptime >= 0 and (.sessions | type) == "number"'
}

@test "what the daemon calls invalid is printed and exits 2" {
  concur_run start --user "$(printf 'a\tb')" --session xyz
  expect_answer 2 '.error == "invalid_request" and (.message | length) > 0'
  concur_run start --user abc --session xyz --ttl 0
  expect_answer 2 '.error == "invalid_request"'
  concur_run purge --user ""
  expect_answer 2 '.error == "invalid_request"'
}
