#!/usr/bin/env bats
# One stream in another's place: a reconnect of a device, a take-over, and the oldest that makes room.

# shellcheck disable=SC2030,SC2031

load helper

setup_file() { share_daemon; }
teardown_file() { end_shared_daemon; }
teardown() { remove_own_dir; }

start_all() {
  local user=$1 session
  shift
  for session in "$@"; do concur start --user "$user" --session "$session" >/dev/null || return; done
}

has_sessions() { [ "$(concur list --user "$1" | jq -c '[.sessions[].session] | sort')" = "$2" ]; }

@test "a device that starts anew keeps its slot, also where the limit is reached" {
  concur start --user device1 --session s1 --device tv >/dev/null
  start_all device1 s2 s3
  concur_run start --user device1 --session s4 --device tv
  expect_answer 0 '.concurrentSessions == 3 and .evicted == ["s1"]'
  has_sessions device1 '["s2","s3","s4"]'
  concur_run heartbeat --user device1 --session s1
  expect_answer 5 '.error == "session_gone" and .reason == "evicted"
    and .evictedBy.session == "s4" and .evictedBy.device == "tv" and (.evictedBy.at | endswith("Z"))'
}

@test "a device of another user is another device" {
  concur start --user device2 --session s1 --device tv >/dev/null
  concur_run start --user device3 --session s2 --device tv
  expect_answer 0 'has("evicted") | not'
  has_sessions device2 '["s1"]'
}

@test "a reconnect above a lowered limit is allowed, and evicts nobody else" {
  concur start --user device4 --session s1 --device tv >/dev/null
  start_all device4 s2 s3
  concur limit set --user device4 --max 1 --on-limit evict-oldest >/dev/null
  concur_run start --user device4 --session s4 --device tv
  expect_answer 0 '.concurrentSessions == 3 and .limit == 1 and .evicted == ["s1"]'
}

@test "--replace takes the place of a session, and of no other" {
  start_all replace1 s1 s2 s3
  concur_run start --user replace1 --session s4
  expect_answer 1 'has("holdOff") | not'
  concur_run start --user replace1 --session s4 --replace s2
  expect_answer 0 '.concurrentSessions == 3 and .evicted == ["s2"]'
  has_sessions replace1 '["s1","s3","s4"]'
  concur_run heartbeat --user replace1 --session s2
  expect_answer 5 '.reason == "evicted" and .evictedBy.session == "s4" and (.evictedBy | has("device") | not)'
}

@test "--replace of a session that is not active is passed over" {
  start_all replace2 s1 s2
  concur_run start --user replace2 --session s3 --replace none
  expect_answer 0 '.concurrentSessions == 3 and (has("evicted") | not)'
  concur_run start --user replace2 --session s4 --replace none
  expect_answer 1 '.concurrentSessions == 3'
}

@test "--replace that makes too little room ends nobody" {
  start_all replace3 s1 s2 s3
  concur limit set --user replace3 --max 1 >/dev/null
  concur_run start --user replace3 --session s4 --replace s1
  expect_answer 1 '.concurrentSessions == 3'
  has_sessions replace3 '["s1","s2","s3"]'
}

@test "evict-oldest by the request" {
  start_all oldest1 s1 s2 s3
  concur_run start --user oldest1 --session s4 --on-limit evict-oldest
  expect_answer 0 '.concurrentSessions == 3 and .evicted == ["s1"]'
  has_sessions oldest1 '["s2","s3","s4"]'
}

@test "evict-oldest of the user, unless the request says otherwise" {
  concur limit set --user oldest2 --on-limit evict-oldest >/dev/null
  start_all oldest2 s1 s2 s3
  concur_run start --user oldest2 --session s4 --on-limit deny
  expect_answer 1 '.limit == 3'
  concur_run start --user oldest2 --session s4
  expect_answer 0 '.evicted == ["s1"]'
}

@test "evict-oldest of the plan, unless the user says otherwise" {
  concur plan set rolling --max 1 --on-limit evict-oldest >/dev/null
  concur limit set --user oldest3 --plan rolling >/dev/null
  concur limit set --user oldest4 --plan rolling --on-limit deny >/dev/null
  start_all oldest3 s1 s2
  has_sessions oldest3 '["s2"]'
  start_all oldest4 s1
  concur_run start --user oldest4 --session s2
  expect_answer 1 '.limit == 1'
}

@test "evict-oldest of the daemon, unless the plan or the user says otherwise" {
  make_dir
  export CONCUR_SOCKET=$SOCKET
  start_daemon --limit 1 --on-limit evict-oldest
  start_all abc s1
  concur_run start --user abc --session s2
  expect_answer 0 '.evicted == ["s1"] and .concurrentSessions == 1'
  concur plan set calm --max 1 --on-limit deny >/dev/null
  concur limit set --user abd --plan calm >/dev/null
  start_all abd s1
  concur_run start --user abd --session s2
  expect_answer 1 '.limit == 1'
}

@test "evict-newest by the request, the user, the plan, a line of a batch and concur run" {
  start_all newest1 s1 s2 s3
  concur_run start --user newest1 --session s4 --on-limit evict-newest
  expect_answer 0 '.evicted == ["s3"]'
  concur_run limit set --user newest2 --max 1 --on-limit evict-newest
  expect_answer 0 '.onLimit == "evict-newest"'
  start_all newest2 s1 s2
  has_sessions newest2 '["s2"]'
  concur plan set last-in --max 2 --on-limit evict-newest >/dev/null
  concur limit set --user newest3 --plan last-in >/dev/null
  start_all newest3 s1 s2 s3
  has_sessions newest3 '["s1","s3"]'
  start_all newest4 s1 s2 s3
  concur batch <<<'{"command":"start","user":"newest4","session":"s4","onLimit":"evict-newest"}' >/dev/null
  has_sessions newest4 '["s1","s2","s4"]'
  start_all newest5 s1 s2 s3
  concur run --user newest5 --session s4 --on-limit evict-newest -- true
  has_sessions newest5 '["s1","s2"]'
}

@test "who got in by evicting is evicted by nobody for as long, but by itself" {
  concur limit set --user keep1 --max 2 --on-limit evict-oldest >/dev/null
  start_all keep1 s1 s2
  concur start --user keep1 --session s3 --ip 192.0.2.1 >/dev/null
  concur_run start --user keep1 --session s4
  expect_answer 0 '.evicted == ["s2"]'
  concur_run start --user keep1 --session s5
  expect_answer 1 '.holdOff > 170 and .holdOff <= 180'
  concur_run start --user keep1 --session s6 --ip 192.0.2.1
  expect_answer 0 '.evicted == ["s3"]'
  concur_run start --user keep1 --session s7 --replace s4
  expect_answer 0 '.evicted == ["s4"]'
}

@test "after a lowered limit as many of the oldest leave as it takes, oldest first" {
  start_all oldest5 s1 s2 s3
  concur limit set --user oldest5 --max 2 --on-limit evict-oldest >/dev/null
  concur_run start --user oldest5 --session s4
  expect_answer 0 '.concurrentSessions == 2 and .evicted == ["s1", "s2"]'
}

@test "end of an evicted session says so" {
  start_all end1 s1 s2 s3
  concur start --user end1 --session s4 --device tv --replace s1 >/dev/null
  concur_run end --user end1 --session s1
  expect_answer 0 '.ended == false and .concurrentSessions == 3 and .reason == "evicted"
    and .evictedBy.session == "s4" and .evictedBy.device == "tv"'
}

@test "an evicted session may not evict back, says for how long, and starts where there is room" {
  start_all hold1 s1 s2 s3
  concur start --user hold1 --session s4 --on-limit evict-oldest >/dev/null
  concur_run start --user hold1 --session s1 --on-limit evict-oldest
  expect_answer 1 '.holdOff > 170 and .holdOff <= 180'
  concur_run start --user hold1 --session s1 --replace s4
  expect_answer 1 '.holdOff > 170 and .holdOff <= 180'
  has_sessions hold1 '["s2","s3","s4"]'
  concur_run start --user hold1 --session s1
  expect_answer 1 'has("holdOff") | not'
  concur end --user hold1 --session s2 >/dev/null
  concur_run start --user hold1 --session s1 --on-limit evict-oldest
  expect_answer 0 '.concurrentSessions == 3 and (has("evicted") | not)'
}

@test "nor may its device under another session's name; the same names of another user may" {
  concur start --user hold2 --session s1 --device phone >/dev/null
  start_all hold2 s2 s3
  concur start --user hold2 --session s4 --device tv --replace s1 >/dev/null
  concur_run start --user hold2 --session s9 --device phone --on-limit evict-oldest
  expect_answer 1 '.holdOff > 170'
  start_all hold3 s2 s3 s4
  concur_run start --user hold3 --session s1 --device phone --on-limit evict-oldest
  expect_answer 0 '.evicted == ["s2"]'
}

@test "a device that reconnected is not held off" {
  concur start --user hold4 --session s1 --device tv >/dev/null
  start_all hold4 s2 s3
  concur start --user hold4 --session s4 --device tv >/dev/null
  concur_run start --user hold4 --session s1 --on-limit evict-oldest
  expect_answer 0 '.evicted == ["s2"]'
}

@test "after three minutes, to the millisecond, it may evict again; a restart forgets nothing" {
  make_dir
  export CONCUR_SOCKET=$SOCKET
  start_daemon_with_clock --limit 1 --on-limit evict-oldest --lease 10m
  start_all abc s1
  advance_clock 1000
  start_all abc s2
  advance_clock 179999
  concur_run start --user abc --session s1
  expect_answer 1 '.holdOff == 0.001'
  advance_clock 1
  concur_run start --user abc --session s1
  expect_answer 0 '.evicted == ["s2"]'
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
  start_daemon --limit 1 --on-limit evict-oldest --lease 10m
  concur_run start --user abc --session s2
  expect_answer 1 '.holdOff > 0 and .holdOff <= 180'
}

@test "observe mode admits what would be denied, and says so" {
  make_dir
  export CONCUR_SOCKET=$SOCKET
  start_daemon --mode observe
  start_all abc s1 s2 s3
  concur_run start --user abc --session s4
  expect_answer 0 '.concurrentSessions == 4 and .limit == 3 and .wouldDeny == true'
  concur_run start --user abc --session s4
  expect_answer 0 'has("wouldDeny") | not'
  concur_run start --user abc --session s5 --on-limit evict-oldest
  expect_answer 0 '.concurrentSessions == 5 and .wouldEvict == ["s1", "s2"] and (has("evicted") | not)'
  has_sessions abc '["s1","s2","s3","s4","s5"]'
  concur_run start --user abc --session s6 --replace s5
  expect_answer 0 '.evicted == ["s5"] and .concurrentSessions == 5'
}

@test "a start that renews changes address, content and meta, and nothing else" {
  concur start --user renew1 --session s1 --device tv --ip 192.0.2.1 --content film --meta a=b >/dev/null
  concur_run start --user renew1 --session s1 --device phone --ip 192.0.2.2 --content series --meta c=d
  expect_answer 0 '.concurrentSessions == 1'
  concur_run list --user renew1
  expect_answer 0 '.sessions[0] | .device == "tv" and .ip == "192.0.2.2" and .content == "series"
    and .meta == {c: "d"}'
  concur start --user renew1 --session s1 >/dev/null
  concur_run list --user renew1
  expect_answer 0 '.sessions[0] | .content == "series" and .meta == {c: "d"}'
}

@test "a start that renews evicts nobody" {
  start_all renew2 s1 s2 s3
  concur_run start --user renew2 --session s3 --replace s1 --on-limit evict-oldest
  expect_answer 0 'has("evicted") | not'
  has_sessions renew2 '["s1","s2","s3"]'
}
