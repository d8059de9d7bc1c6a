"""What a request may look like, byte for byte: what could be read in two ways is refused, and what is only unusual is taken."""

import collections
import json
import os
import select
import socket
import subprocess
import time
import unittest

import doors
import harness


class Raw(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon())

    def answers(self, data, *, path=None):
        """All that comes for those bytes until the daemon closes, or the client, once it has sent all, is answered."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(harness.seconds(20))
            client.connect(str(path or self.daemon.socket))
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            parser, answers = harness.ResponseParser(), []
            while got := client.recv(65536):
                answers += parser.feed(got)
        return answers


class BodyLength(Raw):
    def test_what_hides_behind_a_body_of_unknown_length_is_no_request(self):
        hidden = b"PUT /v1/users/evil/sessions/1 HTTP/1.1\r\nHost: x\r\n\r\n"
        for fields in (b"Transfer-Encoding: x", b"Transfer-Encoding: x\r\nContent-Length: 0",
                       b"Content-Length: 0\r\nTransfer-Encoding: x", b"Content-Length: 0\r\nTransfer-Encoding: chunked",
                       b"Transfer-Encoding: chunked\r\nContent-Length: 0", b"Transfer-Encoding: chunked, x",
                       b"Transfer-Encoding: x, chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x"):
            with self.subTest(fields):
                answers = self.answers(b"POST /v1/purge HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n" + hidden)
                self.assertEqual([answer.status for answer in answers], [400])
                self.assertEqual(answers[0].header("Connection"), "close")
                self.assertIn("its body has no one length", answers[0].json()["message"])
        with self.daemon.connect() as connection:
            self.assertEqual(connection.get("/v1/users/evil/sessions").json()["concurrentSessions"], 0)


class Target(Raw):
    def test_in_absolute_form(self):
        for target in (b"http://concur/healthz", b"HTTP://concur:80/healthz", b"https://[::1]/healthz"):
            answers = self.answers(b"GET " + target + b" HTTP/1.1\r\nHost: concur\r\n\r\n")
            self.assertEqual([answer.status for answer in answers], [200], target)
        answer, = self.answers(b"GET http://concur/startSession/userId/a/sessionId/b HTTP/1.1\r\nHost: concur\r\n\r\n")
        self.assertEqual(answer.body, b'{"user":"a","concurrentSessions":1}')
        answer, = self.answers(b"OPTIONS http://concur HTTP/1.1\r\n\r\n")
        self.assertEqual(answer.status, 204)

    def test_in_absolute_form_its_authority_is_the_host_that_is_checked(self):
        with harness.Daemon("--listen", "127.0.0.1:0") as daemon:
            address = ("127.0.0.1", doors.tcp_port(daemon))
            for target, host, status in (("http://localhost/healthz", "evil.example", 200),
                                         ("http://evil.example/healthz", "localhost", 403),
                                         ("http://localhost@evil.example/healthz", "localhost", 400),
                                         ("/healthz", "evil.example", 403)):
                with socket.create_connection(address) as client:
                    client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                    self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 %d " % status), (target, host))


class Input(Raw):
    def test_what_a_route_does_not_know_is_refused_but_where_it_is_passed_over(self):
        with self.daemon.connect() as connection:
            def status(method, target, body=None):
                return connection.ask(harness.request(method, target, body)).status

            self.assertEqual(status("GET", "/v1/sessions?limt=1"), 400)
            self.assertEqual(status("GET", "/v1/events?usr=abc"), 400)
            self.assertEqual(status("POST", "/v1/batch?user=abc", b""), 400)
        with self.daemon.connect() as connection:
            self.assertEqual(status("PUT", "/v1/users/a/sessions/s?ttl=5"), 400)
            self.assertEqual(status("PUT", "/v1/users/a/sessions/s", b"null"), 201)
            self.assertEqual(status("POST", "/v1/users/a/sessions/s/heartbeat", b"{}"), 200)
            self.assertEqual(status("DELETE", "/v1/users/a/sessions/s", b'{"force":true}'), 400)
            self.assertEqual(status("GET", "/v1/status", b"x"), 400)
            self.assertEqual(status("GET", "/startSession/userId/a/sessionId/b?utm=1", b"x"), 200)
            self.assertEqual(status("GET", "/endSession/userId/a/sessionId/b?utm=1"), 200)

    def test_a_beacon_ends_a_session_whatever_it_brings(self):
        with self.daemon.connect() as connection:
            for body, kind in ((b"", "text/plain;charset=UTF-8"), (b"\x00\xff not JSON", "application/octet-stream"),
                               (b'{"a":', "application/json"), (b"--x\r\n\r\n", "multipart/form-data; boundary=x")):
                self.assertEqual(connection.start("a", "s").status, 201)
                answer = connection.ask(b"POST /v1/users/a/sessions/s/end?why=unload HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                        + kind.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                self.assertEqual((answer.status, answer.json()),
                                 (200, {"user": "a", "session": "s", "ended": True, "concurrentSessions": 0}))
                answer = connection.ask(harness.request("POST", "/v1/users/a/sessions/s/end"))
                self.assertEqual((answer.status, answer.json()["ended"]), (200, False))


class ByteOrderMark(Raw):
    def test_in_front_of_a_body_or_a_batch_is_passed_over(self):
        mark = "\ufeff".encode()
        with self.daemon.connect() as connection:
            answer = connection.ask(harness.request("PUT", "/v1/users/a/sessions/s1", mark + b'{"ttl":600}'))
            self.assertEqual((answer.status, answer.json()["heartbeatInterval"]), (201, 200))
            self.assertEqual(connection.ask(harness.request("PUT", "/v1/users/a/limit", mark + b'{"limit":5}')).status, 200)
            self.assertEqual(connection.ask(harness.request("POST", "/v1/purge", mark + b'{"user":"b"}')).status, 200)
            self.assertEqual(connection.ask(harness.request("PUT", "/v1/users/a/sessions/s2", mark + mark)).status, 400)
            line = b'{"command":"start","user":"b","session":"s"}\n'
            for text, statuses in ((mark + line, [201]), (mark + b"\n" + line, [200]), (mark, []), (line + mark + line, [200, 200])):
                answer = connection.ask(harness.request("POST", "/v1/batch", text))
                self.assertEqual([json.loads(each)["status"] for each in answer.body.splitlines()], statuses, text)

    def test_in_front_of_what_concur_reads_is_passed_over(self):
        line = '{"command":"start","user":"b","session":"s"}\n'
        for text, count in (("\ufeff" + line, 1), ("\ufeff\n" + line, 1), ("\ufeff", 0)):
            done = subprocess.run([str(harness.CONCUR), "batch", "--socket", str(self.daemon.socket)], input=text.encode(),
                                  capture_output=True, timeout=harness.seconds(20), env=harness.clean_environment())
            self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, count), (text, done))


class Lines(Raw):
    def test_empty_ones_before_a_request(self):
        get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        post = b"POST /v1/users/a/sessions/b/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
        answers = self.answers(b"\r\n" + get + b"\r\n\r\n" + post + b"\r\n" + get)
        self.assertEqual([answer.status for answer in answers], [200, 404, 200])

    def test_one_that_ends_with_lf_alone_is_named(self):
        for data in (b"GET /healthz HTTP/1.1\nHost: x\n\n", b"GET /healthz HTTP/1.1\r\nHost: x\n\n",
                     b"PUT /v1/users/a/sessions/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"):
            answer, = self.answers(data)
            self.assertEqual((answer.status, answer.header("Connection")), (400, "close"))
            self.assertIn("a line ends with LF alone", answer.json()["message"])


@unittest.skipUnless(os.environ.get("CONCUR_TEST_LONG"), "takes 77 s: CONCUR_TEST_LONG=1")
class Idle(unittest.TestCase):
    def test_a_request_as_the_connection_closes_is_answered_or_was_not_sent(self):
        get = harness.request("GET", "/healthz")
        with harness.Daemon("--listen", "127.0.0.1:0") as daemon:
            port = doors.tcp_port(daemon)
            clients = []
            begun = time.monotonic()
            for n in range(1500):
                client = self.enterContext(socket.socket(socket.AF_UNIX if n % 2 else socket.AF_INET))
                client.connect(str(daemon.socket) if n % 2 else ("127.0.0.1", port))
                client.settimeout(harness.seconds(10))
                client.sendall(get)
                self.assertIn(b"Keep-Alive: timeout=75\r\n", client.recv(65536))
                clients.append((time.monotonic(), client))
            self.assertLess(time.monotonic() - begun, 70)
            seen = collections.Counter()
            for n, (asked, client) in enumerate(clients):
                time.sleep(max(0, asked + 74.4 + 2.2 * n / len(clients) - time.monotonic()))
                seen[client.family.name, self.outcome(client, get)] += 1
                client.close()
        print(dict(seen))
        self.assertFalse([what for family, what in seen if what in ("reset", "lost") and family == "AF_UNIX"], seen)
        self.assertLessEqual(sum(count for (_, what), count in seen.items() if what in ("reset", "lost")), 1, seen)
        self.assertEqual({what for _, what in seen} - {"reset", "lost"}, {"answered", "not sent"}, seen)

    @staticmethod
    def outcome(client, data):
        poll = select.poll()
        poll.register(client, select.POLLIN)
        if poll.poll(0):
            return "not sent"  # its end is here: whoever looks before sending sees it
        try:
            client.sendall(data)
        except BrokenPipeError:
            return "not sent"
        try:
            return "answered" if client.recv(65536) else "lost"
        except ConnectionResetError:
            return "reset"


if __name__ == "__main__":
    unittest.main()
