#!/usr/bin/env bats
# How many streams a user may have, and who says so: the request, the user, the plan, the daemon.

load helper

setup_file() { share_daemon; }
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

# start_all USER SESSION... : each of them is started.
start_all() {
  local user=$1 session
  shift
  for session in "$@"; do concur start --user "$user" --session "$session" >/dev/null || return; done
}

@test "a user without anything of their own has the daemon's limit" {
  concur_run limit get --user default1
  expect_answer 0 '. == {user: "default1", limit: 3, from: "default", onLimit: "deny", concurrentSessions: 0}'
}

@test "a limit of the user's own goes before the daemon's, for that user alone" {
  concur_run limit set --user own1 --max 5
  expect_answer 0 '. == {user: "own1", limit: 5, from: "user", onLimit: "deny", concurrentSessions: 0}'
  start_all own1 s1 s2 s3 s4 s5
  concur_run start --user own1 --session s6
  expect_answer 1 '.limit == 5 and .concurrentSessions == 5'
  concur_run limit get --user own2
  expect_answer 0 '.limit == 3 and .from == "default"'
}

@test "a plan's limit holds for all its users, and changes with the plan" {
  concur_run plan set family --max 2
  expect_answer 0 '. == {plan: "family", limit: 2, users: 0}'
  for user in plan1 plan2; do
    concur_run limit set --user $user --plan family
    expect_answer 0 '.limit == 2 and .from == "plan" and .plan == "family"'
    start_all $user s1 s2
    concur_run start --user $user --session s3
    expect_answer 1 '.limit == 2'
  done
  concur_run plan set family --max 3
  expect_answer 0 '. == {plan: "family", limit: 3, users: 2}'
  start_all plan1 s3
  concur_run start --user plan1 --session s4
  expect_answer 1 '.limit == 3'
}

@test "the request's limit goes before the user's, the user's before the plan's" {
  concur plan set order --max 1 >/dev/null
  concur limit set --user order1 --plan order >/dev/null
  concur_run limit set --user order1 --max 2
  expect_answer 0 '.limit == 2 and .from == "user" and .plan == "order"'
  start_all order1 s1 s2
  concur_run start --user order1 --session s3
  expect_answer 1 '.limit == 2'
  concur_run start --user order1 --session s3 --limit 3
  expect_answer 0 '.limit == 3 and .concurrentSessions == 3'
  concur_run limit unset --user order1
  expect_answer 0 '.limit == 3 and .from == "default" and (has("plan") | not)'
}

@test "0 is unlimited: of a user, and of a plan" {
  concur limit set --user free1 --max 0 >/dev/null
  start_all free1 s1 s2 s3 s4 s5
  concur plan set free --max 0 >/dev/null
  concur limit set --user free2 --plan free >/dev/null
  start_all free2 s1 s2 s3 s4 s5
  concur_run limit get --user free2
  expect_answer 0 '.limit == 0 and .concurrentSessions == 5 and (has("excess") | not)'
}

@test "a limit that is lowered ends nothing, refuses new streams, and says how many are above it" {
  start_all lower1 s1 s2 s3
  concur_run limit set --user lower1 --max 1
  expect_answer 0 '.limit == 1 and .concurrentSessions == 3 and .excess == 2 and (.message | length) > 0'
  for session in s1 s2 s3; do
    concur_run heartbeat --user lower1 --session $session
    expect_answer 0 '.concurrentSessions == 3'
    concur_run start --user lower1 --session $session
    expect_answer 0 '.concurrentSessions == 3'
  done
  concur_run start --user lower1 --session s4
  expect_answer 1 '.concurrentSessions == 3 and .limit == 1'
  for session in s1 s2 s3; do concur end --user lower1 --session $session >/dev/null; done
  concur_run start --user lower1 --session s4
  expect_answer 0 '.concurrentSessions == 1 and .limit == 1'
  concur_run limit get --user lower1
  expect_answer 0 'has("excess") | not'
}

@test "a plan that is lowered shows how many of its users are above it" {
  concur plan set shrink --max 3 >/dev/null
  for user in shrink1 shrink2; do concur limit set --user $user --plan shrink >/dev/null; done
  start_all shrink1 s1 s2 s3
  start_all shrink2 s1
  concur plan set shrink --max 2 >/dev/null
  concur_run plan list shrink
  expect_answer 0 '. == {plan: "shrink", limit: 2, users: 2, usersAbove: 1}'
}

@test "a plan that has users is removed by force only, and then the daemon's limit holds for them" {
  concur plan set gone --max 1 >/dev/null
  concur limit set --user gone1 --plan gone >/dev/null
  concur_run plan unset gone
  expect_answer 2 '.error == "invalid_request" and (.message | startswith("cannot remove plan gone: "))'
  concur_run limit get --user gone1
  expect_answer 0 '.limit == 1 and .from == "plan"'
  concur_run plan unset gone --force
  expect_answer 0 '. == {plan: "gone", removed: true, users: 1}'
  concur_run limit get --user gone1
  expect_answer 0 '.limit == 3 and .from == "default" and .plan == "gone"'
  concur plan set gone --max 4 >/dev/null
  concur_run limit get --user gone1
  expect_answer 0 '.limit == 4 and .from == "plan"'
}

@test "a plan without users is removed, and removing it twice is fine" {
  concur plan set empty --max 1 >/dev/null
  concur_run plan unset empty
  expect_answer 0 '. == {plan: "empty", removed: true, users: 0}'
  concur_run plan unset empty
  expect_answer 0 '.removed == false'
}

@test "a plan that is not there exits 2" {
  concur_run plan list nowhere
  expect_answer 2 '.error == "not_found" and .message == "cannot show plan nowhere: there is no such plan"'
  concur_run limit set --user nowhere1 --plan nowhere
  expect_answer 2 '.error == "invalid_request"
    and .message == "cannot set the plan of user nowhere1: there is no plan nowhere"'
  concur_run plan set nowhere --on-limit deny
  expect_answer 2 '.error == "invalid_request"'
}

@test "a user's plan and --on-limit are set one by one, and unset together" {
  concur plan set parts --max 2 --on-limit evict-oldest >/dev/null
  concur limit set --user parts1 --plan parts >/dev/null
  concur_run limit get --user parts1
  expect_answer 0 '.onLimit == "evict-oldest" and .from == "plan"'
  concur_run limit set --user parts1 --on-limit deny
  expect_answer 0 '.onLimit == "deny" and .plan == "parts" and .limit == 2'
  concur_run limit unset --user parts1
  expect_answer 0 '. == {user: "parts1", limit: 3, from: "default", onLimit: "deny", concurrentSessions: 0}'
}

@test "plans are listed by name" {
  concur plan set list-b --max 2 --on-limit evict-oldest >/dev/null
  concur plan set list-a --max 1 >/dev/null
  concur_run plan list
  expect_answer 0 '.plans | map(.plan) == (map(.plan) | sort)'
  expect_answer 0 '.plans | any(. == {plan: "list-b", limit: 2, onLimit: "evict-oldest", users: 0})'
  expect_answer 0 '.plans | any(. == {plan: "list-a", limit: 1, users: 0})'
}

@test "names of plans are opaque, as those of users are" {
  for name in "a b" "a/b" ".." "100%" 'a"b' "ユ" "limits?x=1"; do
    concur_run plan set "$name" --max 1
    [ "$status" -eq 0 ] && [ "$(jq -r .plan <<<"$output")" = "$name" ]
    concur_run limit set --user "plan $name" --plan "$name"
    [ "$status" -eq 0 ] && [ "$(jq -r .plan <<<"$output")" = "$name" ]
    concur_run plan unset "$name" --force
    expect_answer 0 '.removed == true and .users == 1'
  done
  concur_run plan set --max 1 -- --odd
  expect_answer 0 '.plan == "--odd"'
  concur_run plan set "$(printf 'x%.0s' $(seq 257))" --max 1
  expect_answer 2 '.error == "invalid_request"'
  concur_run limit set --user abc --plan ""
  expect_answer 2 '.error == "invalid_request"'
}

@test "a limit that is too large exits 2" {
  concur_run limit set --user large1 --max 1000000001
  expect_answer 2 '.error == "invalid_request"'
  concur_run plan set large --max 1000000001
  expect_answer 2 '.error == "invalid_request"'
}

@test "limits are for operators" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, to be two users"
  chmod 666 "$SOCKET"
  for command in "limit get --user abc" "limit set --user abc --max 9" "limit unset --user abc" "limit list" \
    "plan set mine --max 9" "plan unset mine" "plan list"; do
    # shellcheck disable=SC2086
    run --separate-stderr as_nobody concur $command
    expect_answer 4 '.error == "permission_denied"'
  done
  run --separate-stderr as_nobody concur start --user nobody1 --session s1 --limit 9
  expect_answer 4 '.error == "permission_denied"'
}

@test "limits and plans outlive the daemon" {
  make_dir
  export CONCUR_SOCKET=$SOCKET
  start_daemon
  concur plan set premium --max 5 --on-limit evict-oldest >/dev/null
  concur limit set --user abc --plan premium >/dev/null
  concur limit set --user abd --max 7 >/dev/null
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  start_daemon --limit 1
  concur_run limit get --user abc
  expect_answer 0 '.limit == 5 and .plan == "premium" and .onLimit == "evict-oldest"'
  concur_run limit get --user abd
  expect_answer 0 '.limit == 7 and .from == "user"'
  concur_run limit get --user abe
  expect_answer 0 '.limit == 1 and .from == "default"'
}

@test "limits of more than a page are listed whole: as one document, and a user a line" {
  make_dir
  start_daemon
  export CONCUR_SOCKET=$SOCKET
  python3 - "$SOCKET" <<'SCRIPT'
import http.client, socket, sys

class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])

daemon = Unix("concurrencyd")
for i in range(2500):
    daemon.request("PUT", f"/v1/users/user%20{i}/limit", '{"limit":%d}' % i)
    answer = daemon.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
SCRIPT
  concur limit list >"$DIR/all"
  [ "$(jq -s length "$DIR/all")" -eq 1 ]
  jq -e 'keys == ["limits"] and (.limits | length) == 2500' "$DIR/all"
  jq -e '.limits | any(. == {user: "user 7", limit: 7, from: "user", onLimit: "deny", concurrentSessions: 0})' "$DIR/all"
  concur limit list --output ndjson >"$DIR/lines"
  [ "$(jq -r .user "$DIR/lines" | sort -u | wc -l)" -eq 2500 ]
}

@test "a list of limits that ends early leaves no document that could pass for the whole" {
  make_dir
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\nConnection: close\r\n\r\n{"limits":[{"a":1}],"next":"x"}HTTP'
  concur_run --socket "$SOCKET" limit list
  [ "$status" -eq 3 ]
  [ "$stderr" = "concur: cannot list the limits: the answer's next page is itself" ]
  run ! jq . <<<"$output"
}
