#!/usr/bin/env python3
"""Load over a restart: starts, heartbeats and ends, from clients of one request a connection and from clients that keep
theirs, until SIGTERM. Writes what came of it; exits 1 where a request failed or an acknowledged session is not there.

  load.py SOCKET RESULT
"""

import http.client
import json
import signal
import socket
import sys
import threading
import time


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client(threading.Thread):
    def __init__(self, path, name, keeps):
        super().__init__(daemon=True)
        self.path, self.prefix, self.user, self.keeps = path, name, name, keeps
        self.connection = Connection(path)
        self.enough = threading.Event()
        self.answers, self.reconnects, self.longest, self.failures = 0, 0, 0, []

    def ask(self, method, target, expected):
        began = time.monotonic()
        for _ in range(2):
            try:
                self.connection.request(method, target)
            except BrokenPipeError:  # nothing was sent: the daemon had told that it stops
                self.connection.close()
                self.reconnects += 1
                continue
            try:
                answer = self.connection.getresponse()
                body = answer.read()
            except (http.client.HTTPException, OSError) as error:
                self.failures.append(f"{method} {target}: {error!r}")
                self.connection.close()
                return
            break
        self.longest = max(self.longest, time.monotonic() - began)
        self.answers += 1
        if answer.status not in expected:
            self.failures.append(f"{method} {target}: {answer.status} {body!r}")
        if not self.keeps or answer.will_close:
            self.connection.close()

    def run(self):
        number = 0
        while not self.enough.is_set():
            number += 1
            # Another one in time: of one user 200 starts a minute are served.
            self.user = f"{self.prefix}-{number // 100}"
            session = f"/v1/users/{self.user}/sessions/s{number}"
            self.ask("PUT", session, (201,))
            self.ask("POST", session + "/heartbeat", (200,))
            self.ask("DELETE", session, (200,))
        self.ask("PUT", f"/v1/users/{self.user}/sessions/last", (201,))
        self.ask("POST", f"/v1/users/{self.user}/sessions/last/heartbeat", (200,))


def main():
    path, result = sys.argv[1:]
    clients = [Client(path, f"load{number}", number % 2 == 0) for number in range(8)]
    # Sessions from before the upgrade, whose heartbeats must find them after it.
    keeper = Client(path, "keeper", False)
    for number in range(300):
        keeper.user = f"kept{number}"
        keeper.ask("PUT", f"/v1/users/{keeper.user}/sessions/s", (201,))
    for client in clients:
        client.start()
    with open(result + ".going", "w") as going:
        going.write("going\n")
    signal.sigwait({signal.SIGTERM})
    for client in clients:
        client.enough.set()
    for client in clients:
        client.join()
    for number in range(300):
        keeper.ask("POST", f"/v1/users/kept{number}/sessions/s/heartbeat", (200,))
    everybody = [*clients, keeper]
    failures = [failure for client in everybody for failure in client.failures]
    with open(result, "w") as told:
        json.dump({"answers": sum(client.answers for client in everybody), "failed": len(failures),
                   "reconnects": sum(client.reconnects for client in everybody),
                   "longestSeconds": round(max(client.longest for client in everybody), 3), "keptSessions": 300,
                   "failures": failures[:5]}, told)
        told.write("\n")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
