#!/usr/bin/env bats
# Rules beside the limit: numbers for them, and what explain says.

# shellcheck disable=SC2030,SC2031

load helper

setup_file() {
  make_dir
  cat >"$DIR/conf" <<'END'
limit = 3
rule tvs = max 1 sessions where type=tv
rule homes = max 2 distinct network on-limit evict-oldest
rule old = forbid where app=legacy*
END
  start_daemon --config "$DIR/conf"
  export DIR SOCKET DATABASE LOG DAEMON SHARED_SOCKET=$SOCKET
}
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

@test "a denial names the rule, and exits 1" {
  concur start --user abc --session living --meta type=tv >/dev/null
  concur_run start --user abc --session bedroom --meta type=tv
  expect_answer 1 '.rule == "tvs" and .limit == 1 and [.sessions[].session] == ["living"]'
  concur_run run --user abc --session bedroom --meta type=tv -- echo PLAYS
  expect_answer 1 '.rule == "tvs"'
  concur_run start --user abc --session app --meta app=legacy-3
  expect_answer 1 '.rule == "old" and (has("retryAfter") | not)'
}

@test "explain says what would happen, and does nothing" {
  concur start --user said --session living --meta type=tv >/dev/null
  concur_run explain --user said --meta type=tv
  expect_answer 0 '.would == "deny" and .message == "session one more of user said would be denied: rule tvs has 1 of 1."'
  concur_run explain --user said --session phone --meta type=phone --ip 192.0.2.1
  expect_answer 0 '.would == "start" and [.rules[] | select(.applies) | .rule] == ["limit","homes"]'
  concur_run explain --user said --session living
  expect_answer 0 '.would == "renew"'
  concur_run list --user said
  expect_answer 0 '[.sessions[].session] == ["living"]'
}

@test "explain names who would make room" {
  concur start --user room --session s1 --ip 192.0.2.1 >/dev/null
  concur start --user room --session s2 --ip 192.0.2.2 >/dev/null
  concur_run explain --user room --ip 192.0.2.3
  expect_answer 0 '.would == "start" and .evicts == ["s1"] and (.rules[2] | .violated and .onLimit == "evict-oldest")'
}

@test "explain says that a start would wait for room, where waiting may help" {
  concur start --user waits --session living --meta type=tv >/dev/null
  concur_run explain --user waits --meta type=tv --wait 90s
  expect_answer 0 '.would == "wait" and .message == "session one more of user waits would wait for room, 90s at most: rule tvs has 1 of 1."'
  concur_run explain --user waits --meta type=tv --wait 0
  expect_answer 0 '.would == "deny"'
  concur_run explain --user waits --meta app=legacy-1 --wait 90s
  expect_answer 0 '.would == "deny" and .message == "session one more of user waits would be denied: rule old forbids it."'
  concur_run explain --user waits --wait 90s
  expect_answer 0 '.would == "start"'
  concur_run explain --user waits --session living --wait 90s
  expect_answer 0 '.would == "renew"'
  concur block --user waits >/dev/null
  concur_run explain --user waits --meta type=tv --wait 90s
  expect_answer 0 '.would == "blocked"'
}

@test "explain wants a user, and takes a start's options" {
  concur_run explain
  expect_error 2 'concur: cannot explain: it takes --user USER*'
  concur_run explain --user abc --on-limit never
  [ "$status" -eq 2 ]
  concur_run explain --user abc --limit 1 --device d --content c --on-limit evict-oldest
  expect_answer 0 '.limit == 1'
}

@test "--rule sets a number for a user and for a plan, and takes it back" {
  concur_run limit set --user numbers --rule tvs=2 --rule homes=0
  expect_answer 0 '.rules == {"homes":0,"tvs":2} and .limit == 3'
  concur start --user numbers --session a --meta type=tv >/dev/null
  concur start --user numbers --session b --meta type=tv >/dev/null
  concur_run start --user numbers --session c --meta type=tv
  expect_answer 1 '.rule == "tvs" and .limit == 2'
  concur_run plan set rich --max 9 --rule tvs=3
  expect_answer 0 '.rules == {"tvs":3}'
  concur_run limit set --user numbers --plan rich --rule tvs=default --rule homes=default
  expect_answer 0 'has("rules") | not'
  concur_run start --user numbers --session c --meta type=tv
  expect_answer 0 '.concurrentSessions == 3'
  concur_run plan set rich --rule tvs=default
  expect_answer 0 'has("rules") | not'
  concur_run start --user numbers --session d --meta type=tv
  expect_answer 1 '.rule == "tvs" and .limit == 1'
  concur_run limit get --user numbers
  expect_answer 0 '.plan == "rich" and .limit == 9'
}

@test "--rule that cannot be read, or is of no rule" {
  for text in tvs tvs= tvs=-1 tvs=many; do
    concur_run limit set --user bad --rule "$text"
    [ "$status" -eq 2 ] && [ -z "$output" ] || fail_with "$text was taken"
  done
  concur_run limit set --user bad --rule cars=2
  expect_answer 2 '.error == "invalid_request" and (.message | endswith("there is no rule cars"))'
  concur_run plan set bad --max 2 --rule cars=2
  expect_answer 2 '.error == "invalid_request"'
}
