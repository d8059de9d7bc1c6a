#!/usr/bin/env bats
# Lists of more than a page.

load helper

# 2,500 sessions of 1,250 users, made over few connections, and one user with 1,200.
setup_file() {
  share_daemon
  python3 - "$SOCKET" <<'SCRIPT'
import http.client, socket, sys

class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])

daemon = Unix("concurrencyd")

def start(user, session, body=None):
    daemon.request("PUT", f"/v1/users/{user}/sessions/{session}", body)
    answer = daemon.getresponse()
    answer.read()
    assert answer.status == 201, answer.status

for i in range(2500):
    start(f"user%20{i // 2}", f"%22{i}%5C")
for i in range(1200):
    start("crowd", f"s{i}", '{"limit":0}')
SCRIPT
}
teardown_file() { end_shared_daemon; }

@test "all users in JSON is one document" {
  concur list >"$DIR/all"
  [ "$(jq -s length "$DIR/all")" -eq 1 ]
  jq -e 'keys == ["sessions"]' "$DIR/all"
  [ "$(jq '.sessions | length' "$DIR/all")" -eq 3700 ]
  [ "$(jq '.sessions | unique_by([.user, .session]) | length' "$DIR/all")" -eq 3700 ]
  jq -e '.sessions | any(.user == "user 7" and .session == "\"14\\")' "$DIR/all"
  [ "$(tail -c 3 "$DIR/all")" = "]}" ]
}

@test "all users in NDJSON is one session a line" {
  concur list --output ndjson >"$DIR/lines"
  [ "$(wc -l <"$DIR/lines")" -eq 3700 ]
  [ "$(jq -s 'all(has("user") and has("session") and has("startedAt"))' "$DIR/lines")" = true ]
  diff <(concur list | jq -c '.sessions[]' | sort) <(jq -c . "$DIR/lines" | sort)
}

@test "one user with more than a page" {
  concur_run list --user crowd
  expect_answer 0 '.user == "crowd" and .concurrentSessions == 1200 and (.sessions | length) == 1200'
  [ "$(concur list --user crowd --output ndjson | jq -r .session | sort -u | wc -l)" -eq 1200 ]
}

@test "the lines of one user are those of the list of all users" {
  diff <(concur list --user "user 7" --output ndjson | sort) \
    <(concur list --output ndjson | grep '"user":"user 7"' | sort)
}

@test "one page is the daemon's own bytes" {
  diff <(concur list --user "user 7") \
    <(curl -s --unix-socket "$SOCKET" http://localhost/v1/users/user%207/sessions)
}

@test "a list that ends early leaves no document that could pass for the whole" {
  make_dir
  start_stub say 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 33\r\nConnection: close\r\n\r\n{"sessions":[{"a":1}],"next":"x"}HTTP'
  concur_run --socket "$SOCKET" list
  [ "$status" -eq 3 ]
  [ "$stderr" = "concur: cannot list: the answer's next page is itself" ]
  run ! jq . <<<"$output"
  remove_dir
}
