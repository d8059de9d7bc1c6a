#!/usr/bin/env python3
"""A server on a Unix socket that answers as no good daemon would.

usage: stub_server.py SOCKET deaf            never accepts, and has room for one connection
       stub_server.py SOCKET mute            accepts and never answers
       stub_server.py SOCKET slow SECONDS    answers after that time
       stub_server.py SOCKET say TEXT        answers with these bytes, in Python's escapes, and closes
       stub_server.py SOCKET record FILE     appends each request to the file and answers {}
       stub_server.py SOCKET drop FILE       appends each request to the file and closes without an answer
       stub_server.py SOCKET work WHAT UNIT N TEXT   answers what is asked with TEXT once the status was asked for N times;
                                     the status says that WHAT has done one of ten more each time
       stub_server.py SOCKET without-events FILE STATUS   as record, but answers that status to who wants events
"""

import json
import os
import socket
import sys
import time

EMPTY_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\n"


def main():
    path, mode, *rest = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    # Listening before it has its name, so that whoever sees the socket can connect.
    listener.bind(path + ".new")
    listener.listen(0 if mode == "deaf" else 64)
    os.chmod(path + ".new", 0o666)
    os.rename(path + ".new", path)
    if mode == "deaf":
        time.sleep(3600)
    kept = []
    asked = 0
    while True:
        connection, _ = listener.accept()
        request = connection.recv(65536)
        if mode == "mute":
            kept.append(connection)
            continue
        if mode == "work":
            what, unit, times, text = rest
            if not request.startswith(b"GET /v1/status"):
                kept.append(connection)
                continue
            asked += 1
            status = json.dumps({"work": [{"what": what, "unit": unit, "done": min(asked, 10), "total": 10}]})
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                               b"Content-Length: %d\r\n\r\n%s" % (len(status), status.encode()))
            connection.close()
            if asked >= int(times):
                for each in kept:
                    each.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
                    each.close()
                kept = []
            continue
        if mode == "slow":
            time.sleep(float(rest[0]))
        if mode in ("record", "drop", "without-events"):
            with open(rest[0], "ab") as file:
                file.write(request)
        if mode == "drop":
            connection.close()
            continue
        if mode == "without-events" and request.startswith(b"GET /v1/events"):
            answer = EMPTY_ANSWER.replace(b"200 OK", rest[1].encode() + b" No")
            connection.sendall(answer)
            connection.close()
            continue
        text = rest[0].encode().decode("unicode_escape").encode("latin-1") if mode == "say" else EMPTY_ANSWER
        try:
            connection.sendall(text)
        except BrokenPipeError:
            pass
        connection.close()


main()
