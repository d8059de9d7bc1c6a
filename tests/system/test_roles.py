"""Every route in every role, over the Unix socket by who connects and over TCP by key, against this table."""

import grp
import json
import os
import pathlib
import re
import unittest

import doors
import harness

ROLES = ("metrics", "client", "operator")
SESSION = "/v1/users/{user}/sessions/{session}"
# Method and pattern, who may at least, and what an allowed one is answered; in an order that makes each possible.
ROUTES = [
    ("GET", "/healthz", "metrics", None, 200),
    ("GET", "/metrics", "metrics", None, 200),
    ("GET", "/v1/status", "client", None, 200),
    ("PUT", SESSION, "client", "{}", 201),
    ("POST", SESSION + "/heartbeat", "client", None, 200),
    ("POST", SESSION + "/end", "client", None, 200),
    ("GET", "/v1/users/{user}/sessions", "client", None, 200),
    ("DELETE", SESSION, "client", None, 200),
    ("GET", "/startSession/userId/{user}/sessionId/{session}", "client", None, 200),
    ("GET", "/endSession/userId/{user}/sessionId/{session}", "client", None, 200),
    ("POST", "/v1/batch", "client", '{"command":"heartbeat","user":"abc","session":"xyz"}\n', 200),
    ("GET", "/v1/events", "client", None, 200),
    ("GET", "/v1/sessions", "operator", None, 200),
    ("POST", "/v1/purge", "operator", '{"user":"abc"}', 200),
    ("PUT", "/v1/users/{user}/limit", "operator", '{"limit":5}', 200),
    ("GET", "/v1/users/{user}/limit", "operator", None, 200),
    ("GET", "/v1/limits", "operator", None, 200),
    ("DELETE", "/v1/users/{user}/limit", "operator", None, 200),
    ("PUT", "/v1/plans/{plan}", "operator", '{"limit":5}', 200),
    ("GET", "/v1/plans/{plan}", "operator", None, 200),
    ("GET", "/v1/plans", "operator", None, 200),
    ("DELETE", "/v1/plans/{plan}", "operator", None, 200),
    ("GET", "/v1/report", "operator", None, 200),
    ("POST", "/v1/backup", "operator", None, 200),
    ("POST", "/v1/users/{user}/explain", "client", None, 200),
    ("PUT", "/v1/users/{user}/block", "operator", None, 200),
    ("GET", "/v1/users/{user}/block", "operator", None, 200),
    ("GET", "/v1/blocks", "operator", None, 200),
    ("DELETE", "/v1/users/{user}/block", "operator", None, 200),
    # This one is part of no fleet.
    ("GET", "/v1/fleet", "operator", None, 501),
    ("GET", "/v1/fleet/check", "operator", None, 501),
    ("GET", "/v1/authorize", "client", None, 401),  # nobody is named
    ("GET", "/v1/authorize/{tail}", "client", None, 401),
    ("OPTIONS", "/v1/authorize/{tail}", "client", None, 200),
    ("GET", "/v1/hooks/{dialect}", "client", None, 200),
    ("POST", "/v1/hooks/{dialect}", "client", "call=publish", 200),
    ("GET", "/openapi.json", "metrics", None, 200),
    ("GET", "/", "metrics", None, 200),
    ("GET", "/page/{file}", "metrics", None, 200),
    ("GET", "/v1/history", "operator", None, 200),
    ("GET", "/v1/settings", "operator", None, 200),
]
NAMES = {"{user}": "abc", "{session}": "xyz", "{plan}": "family", "{tail}": "live", "{dialect}": "nginx-rtmp",
         "{file}": "main.js"}


def path_of(pattern):
    path = re.sub(r"\{\w+\}", lambda name: NAMES[name[0]], pattern)
    return path + "?user=abc" if path == "/v1/events" else path


def may(role, least):
    return ROLES.index(role) >= ROLES.index(least)


class Table(unittest.TestCase):
    def test_has_every_route(self):
        source = pathlib.Path(__file__).parents[2] / "core/api/api_routes.cpp"
        known = re.findall(r'\{"([A-Z]+)",\s+"(/[^"]*)"', source.read_text())
        self.assertGreater(len(known), 20)
        self.assertEqual(sorted(known), sorted((method, pattern) for method, pattern, *_ in ROUTES))


@unittest.skipIf(os.getuid() != 0, "only root can become somebody else")
class Roles(unittest.TestCase):
    def setUp(self):
        self.folder = harness.private_folder()
        self.folder.chmod(0o755)

    def check_all(self, connect, role):
        for method, pattern, least, body, status in ROUTES:
            with self.subTest(role=role, method=method, pattern=pattern):
                connection = connect()
                got, answer = doors.ask(connection, method, path_of(pattern), body)
                connection.close()
                if may(role, least):
                    self.assertEqual(got, status, answer)
                elif pattern.startswith(("/v1/authorize", "/v1/hooks")):
                    self.assertEqual((got, json.loads(answer)["error"]), (503, "unavailable"))  # 403 would be a denial
                else:
                    self.assertEqual((got, json.loads(answer)["error"]), (403, "permission_denied"))
        self.check_widened(connect, role)

    def check_widened(self, connect, role):
        """What an operator alone may add to what is for clients."""
        if not may(role, "client"):
            return
        is_operator = role == "operator"
        start = '{"command":"start","user":"abc","session":"wide","limit":9}\n'
        for method, path, body, status in (
                ("PUT", "/v1/users/abc/sessions/wide", '{"limit":9}', 201),
                ("GET", "/v1/events", None, 200)):
            connection = connect()
            self.assertEqual(doors.ask(connection, method, path, body)[0], status if is_operator else 403, path)
            connection.close()
        connection = connect()
        status, answer = doors.ask(connection, "POST", "/v1/batch", start)
        connection.close()
        self.assertEqual(status, 200)
        self.assertEqual("permission_denied" in answer.decode(), not is_operator, answer)
        connection = connect()
        doors.ask(connection, "DELETE", "/v1/users/abc/sessions/wide")
        connection.close()

    def test_on_the_unix_socket(self):
        group = grp.getgrall()[-1]
        with harness.Daemon("--socket-mode", "0666", "--admin-group", group.gr_name, folder=self.folder) as daemon:
            for who, role in (
                    (dict(uid=doors.NOBODY, gid=doors.STRANGERS_GROUP), "client"),
                    (dict(uid=doors.NOBODY, gid=doors.STRANGERS_GROUP, groups=[doors.STRANGERS_GROUP + 1]), "client"),
                    (dict(uid=doors.NOBODY, gid=group.gr_gid), "operator"),
                    (dict(uid=doors.NOBODY, gid=doors.STRANGERS_GROUP, groups=[group.gr_gid]), "operator"),
                    (dict(), "operator")):
                with self.subTest(**who):
                    self.check_all(lambda who=who: doors.UnixHttp(daemon.socket, **who), role)

    def test_over_tcp_by_key(self):
        keys = doors.Keys(self.folder)
        with harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(keys.path), folder=self.folder) as daemon:
            port = doors.tcp_port(daemon)

            class Keyed(doors.http.client.HTTPConnection):
                key = None

                def putheader(self, header, *values):
                    super().putheader(header, *values)
                    if header == "Host":
                        super().putheader("X-Api-Key", self.key)

            def connect_with(key):
                connection = Keyed("127.0.0.1", port, timeout=harness.seconds(20))
                connection.key = key
                return connection

            for role, key in keys.of.items():
                self.check_all(lambda key=key: connect_with(key), role)

    def test_over_tcp_without_keys_it_is_a_client(self):
        with harness.Daemon("--listen", "127.0.0.1:0", folder=self.folder) as daemon:
            port = doors.tcp_port(daemon)
            self.check_all(lambda: doors.http.client.HTTPConnection("127.0.0.1", port), "client")

    def test_a_refusal_is_logged_with_who_it_was(self):
        with harness.Daemon("--socket-mode", "0666", folder=self.folder) as daemon:
            connection = doors.UnixHttp(daemon.socket, uid=doors.NOBODY, gid=doors.STRANGERS_GROUP)
            for _ in range(30):
                self.assertEqual(doors.ask(connection, "GET", "/v1/sessions")[0], 403)
            connection.close()
            reported = [line for line in daemon.log_text().splitlines() if "refused" in line]
            self.assertIn(f"refused GET /v1/sessions to uid {doors.NOBODY}, pid {os.getpid()}", reported[0])
            self.assertEqual(len(reported), 10, "the rest of a minute's is counted")


if __name__ == "__main__":
    unittest.main()
