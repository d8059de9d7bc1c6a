#!/usr/bin/env python3
"""client.py USER SESSION SECONDS: a session for so many seconds, over the Unix socket, with Python's standard library.

Exit status: 0 it played, 1 denied, 3 no answer (apply your own rule), 5 the session was ended by somebody else."""

import http.client
import json
import os
import socket
import sys
import time
import urllib.parse

SOCKET = os.environ.get("CONCUR_SOCKET", "/run/concurrencyd/concurrencyd.sock")


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(SOCKET)


def ask(method, path, body=None):
    connection = Unix("localhost")
    try:
        connection.request(method, path, body and json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError as error:
        return 0, {"message": str(error)}
    finally:
        connection.close()


user, session, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
path = f"/v1/users/{urllib.parse.quote(user, safe='')}/sessions/{urllib.parse.quote(session, safe='')}"
status, answer = ask("PUT", path, {"device": "example"})
if status not in (200, 201):
    print(answer["message"], file=sys.stderr)
    sys.exit(1 if status in (409, 429) else 3)
start, until = answer["start"], time.monotonic() + seconds
print(f"playing: {answer['concurrentSessions']} of {answer['limit']}")
while (left := until - time.monotonic()) > 0:
    time.sleep(min(left, answer["heartbeatInterval"]))
    status, beat = ask("POST", path + "/heartbeat", {"start": start})
    if status in (404, 410):
        print(beat["message"], file=sys.stderr)
        sys.exit(5)
ask("DELETE", f"{path}?start={start}")
