"""The first service's own API, to the byte: over a raw socket, through `curl --unix-socket`, and where the same things
can be said there, through `concur`."""

import json
import re
import subprocess
import unittest

import harness
from harness import SECOND, concur, first_service_request, rfc3339

MISSING = b"Please specify a userId and sessionId"
JSON = b"application/json"
PLAIN = b"text/plain; charset=utf-8"


def allowed(user, count):
    return f'{{"user":"{user}","concurrentSessions":{count}}}'.encode()


class WithToken:
    """Equal to these bytes, with a token's in the middle."""

    def __init__(self, before, after):
        self.pattern = re.compile(re.escape(before) + rb"[0-9a-f]+\.[0-9a-f]+" + re.escape(after))

    def __eq__(self, other):
        return self.pattern.fullmatch(other) is not None

    def __repr__(self):
        return f"<{self.pattern.pattern}>"


def granted(user, session, count, expires):
    """The v1 API's answer to a start."""
    return WithToken(f'{{"user":"{user}","session":"{session}","start":"'.encode(),
                     (f'","concurrentSessions":{count},"limit":3,"expiresAt":"{expires}",'
                      '"heartbeatInterval":30}\n').encode())


def too_many(user, streams):
    return f"User {user} is trying to watch {streams} streams at once, which is too many.".encode()


class DaemonTest(unittest.TestCase):
    """One daemon with a frozen clock for all tests of a class; each test has users of its own."""

    @classmethod
    def setUpClass(cls):
        folder = harness.private_folder()
        cls.clock = harness.TestClock(folder)
        cls.daemon = harness.Daemon(clock=cls.clock, folder=folder)
        cls.enterClassContext(cls.daemon)


class RawSocket(DaemonTest):
    def setUp(self):
        self.connection = self.enterContext(self.daemon.connect())

    def start(self, user, session):
        return self.connection.ask(first_service_request("startSession", user, session))

    def end(self, user, session):
        return self.connection.ask(first_service_request("endSession", user, session))

    def assert_is(self, answer, status, body):
        self.assertEqual((answer.status, answer.body), (status, body))
        self.assertEqual(answer.header("content-type").encode(), JSON if status == 200 else PLAIN)
        self.assertEqual(answer.header("content-length"), str(len(body)))

    def test_the_story(self):
        self.assert_is(self.start("abc", "s1"), 200, b'{"user":"abc","concurrentSessions":1}')
        self.assert_is(self.start("abc", "s2"), 200, b'{"user":"abc","concurrentSessions":2}')
        self.assert_is(self.start("abc", "s3"), 200, b'{"user":"abc","concurrentSessions":3}')
        self.assert_is(self.start("abc", "s2"), 200, b'{"user":"abc","concurrentSessions":3}')
        self.assert_is(self.start("abc", "s4"), 400, b"User abc is trying to watch 4 streams at once, which is too many.")
        self.assert_is(self.start("abc", "s4"), 400, b"User abc is trying to watch 4 streams at once, which is too many.")
        self.assert_is(self.end("abc", "s1"), 200, b'{"user":"abc","concurrentSessions":2}')
        self.assert_is(self.start("abc", "s4"), 200, b'{"user":"abc","concurrentSessions":3}')
        self.assert_is(self.start("someone else", "s1"), 200, b'{"user":"someone else","concurrentSessions":1}')

    def test_the_bytes_on_the_wire(self):
        self.connection.send(first_service_request("startSession", "wire", "s1"))
        answer = self.connection.receive()
        lines = answer.head.split(b"\r\n")
        self.assertEqual(lines[0], b"HTTP/1.1 200 OK")
        self.assertEqual(answer.body[-1:], b"}", "no newline")
        for session in ("s2", "s3"):
            self.start("wire", session)
        answer = self.start("wire", "s4")
        self.assertEqual(answer.head.split(b"\r\n")[0], b"HTTP/1.1 400 Bad Request")
        self.assertEqual(answer.body[-1:], b".", "no newline")

    def test_the_documented_call_with_its_headers(self):
        answer = self.connection.ask(harness.request(
            "GET", "/startSession/userId/thisIsaTestUserId/sessionId/thisIsaTestSessionId",
            headers=("Content-Type: application/json", "x-api-key: d41d8cd98f00b204e9800998ecf8427e")))
        self.assert_is(answer, 200, b'{"user":"thisIsaTestUserId","concurrentSessions":1}')

    def test_a_missing_user_or_session(self):
        for what in ("startSession", "endSession"):
            for user, session in (("", "s1"), ("abc", ""), ("", "")):
                with self.subTest(what=what, user=user, session=session):
                    self.assert_is(self.connection.ask(first_service_request(what, user, session)), 400, MISSING)

    def test_a_missing_user_or_session_on_the_v1_api_carries_the_same_text(self):
        for method, end in (("PUT", ""), ("DELETE", ""), ("POST", "/heartbeat")):
            for path in ("/v1/users//sessions/s1", "/v1/users/abc/sessions/", "/v1/users//sessions/"):
                with self.subTest(method=method, path=path):
                    answer = self.connection.ask(harness.request(method, path + end))
                    self.assertEqual(answer.status, 400)
                    self.assertEqual(answer.json()["error"], "invalid_request")
                    self.assertEqual(answer.json()["message"], MISSING.decode())

    def test_percent_encoded_ids_come_back_decoded(self):
        for name in ("zoë", "a b", "a/b", "50%", "?&=#", "日本", "📺", "a+b", "..", "dev/startSession"):
            with self.subTest(name=name):
                self.assert_is(self.start(name, name), 200, allowed(name, 1))
                self.assert_is(self.start(name, "s2"), 200, allowed(name, 2))
                self.assert_is(self.start(name, name), 200, allowed(name, 2))
                self.assert_is(self.start(name, "s3"), 200, allowed(name, 3))
                self.assert_is(self.start(name, "s4"), 400, too_many(name, 4))
                self.assert_is(self.end(name, name), 200, allowed(name, 2))

    def test_ids_are_one_and_the_same_however_they_are_encoded(self):
        ask = self.connection.ask
        for path in ("/startSession/userId/plain/sessionId/s1", "/startSession/userId/%70%6C%61%69%6e/sessionId/%731"):
            self.assert_is(ask(harness.request("GET", path)), 200, allowed("plain", 1))
        self.assert_is(self.start("PLAIN", "s1"), 200, allowed("PLAIN", 1))

    def test_json_is_escaped_as_the_first_service_did_and_the_refusal_is_not(self):
        for name in ('say "hi"', "back\\slash"):
            escaped = json.dumps(name)[1:-1]
            for count in (1, 2, 3):
                self.assert_is(self.start(name, f"s{count}"), 200, allowed(escaped, count))
            self.assert_is(self.start(name, "s4"), 400, too_many(name, 4))

    def test_what_is_no_id_is_refused_with_400(self):
        for bad in ("%00", "a%0Ab", "%7F", "%FF", "%C3", "%ED%A0%80", "%", "%4", "%zz", "a" * 257, "%C3%BC" * 129):
            for path in (f"/startSession/userId/{bad}/sessionId/s1", f"/startSession/userId/abc/sessionId/{bad}"):
                with self.subTest(path=path[:60]):
                    self.assertEqual(self.connection.ask(harness.request("GET", path)).status, 400)
        longest = "ü" * 128
        self.assert_is(self.start(longest, longest), 200, allowed(longest, 1))

    def test_ending_what_is_not_active_tells_the_count(self):
        self.assert_is(self.end("ender", "never"), 200, allowed("ender", 0))
        self.start("ender", "s1")
        self.assert_is(self.end("ender", "never"), 200, allowed("ender", 1))
        self.assert_is(self.end("ender", "s1"), 200, allowed("ender", 0))
        self.assert_is(self.end("ender", "s1"), 200, allowed("ender", 0))

    def test_pipelined_requests_are_answered_in_order(self):
        calls = [("startSession", "s1"), ("startSession", "s2"), ("endSession", "s1"), ("startSession", "s3"),
                 ("startSession", "s3"), ("startSession", "s4"), ("startSession", "s5"), ("endSession", "s3"),
                 ("endSession", "s2"), ("endSession", "s4")]
        counts = [1, 2, 1, 2, 2, 3, None, 2, 1, 0]
        self.connection.send(b"".join(first_service_request(what, "pipe", session) for what, session in calls))
        for count in counts:
            status, body = (200, allowed("pipe", count)) if count is not None else (400, too_many("pipe", 4))
            self.assert_is(self.connection.receive(), status, body)

    def test_it_is_one_service_with_the_v1_api(self):
        self.start("both", "s1")
        self.assertEqual(self.connection.start("both", "s2").json()["concurrentSessions"], 2)
        self.assertEqual(self.connection.heartbeat("both", "s1").status, 200)
        listed = self.connection.list("both").json()["sessions"]
        self.assertEqual([each["session"] for each in listed], ["s1", "s2"])
        self.assertTrue(self.connection.end("both", "s1").json()["ended"])
        self.assert_is(self.end("both", "s2"), 200, allowed("both", 0))


class Leases(unittest.TestCase):
    """On the first service's API a repeat is the sign of life."""

    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = harness.Daemon("--lease", "90s", clock=self.clock, folder=folder)
        self.enterContext(self.daemon)

    def ask(self, what, user, session):
        with self.daemon.connect() as connection:
            answer = connection.ask(first_service_request(what, user, session))
        return answer.status, answer.body

    def test_a_session_is_gone_at_the_very_millisecond_its_lease_is_over(self):
        for session in ("s1", "s2", "s3"):
            self.ask("startSession", "abc", session)
        self.clock.advance(60 * SECOND)
        self.assertEqual(self.ask("startSession", "abc", "s2"), (200, allowed("abc", 3)))
        self.clock.advance(30 * SECOND - 1)
        self.assertEqual(self.ask("startSession", "abc", "s4"), (400, too_many("abc", 4)))
        self.clock.advance(1)
        self.assertEqual(self.ask("startSession", "abc", "s4"), (200, allowed("abc", 2)))
        self.assertEqual(self.ask("startSession", "abc", "s1"), (200, allowed("abc", 3)))
        self.assertEqual(self.ask("startSession", "abc", "s3"), (400, too_many("abc", 4)))

    def test_above_a_lowered_limit_a_repeat_is_refused_with_the_present_count(self):
        for session in ("s1", "s2", "s3"):
            self.ask("startSession", "abc", session)
        self.daemon.restart("--lease", "90s", "--limit", "2")
        self.assertEqual(self.ask("startSession", "abc", "s1"), (400, too_many("abc", 3)))
        self.assertEqual(self.ask("startSession", "abc", "s4"), (400, too_many("abc", 4)))
        with self.daemon.connect() as connection:
            self.assertEqual(connection.start("abc", "s1").status, 200, "on the v1 API a repeat renews")
            self.assertEqual(connection.start("abc", "s4").status, 409)
        self.ask("endSession", "abc", "s3")
        self.assertEqual(self.ask("startSession", "abc", "s1"), (200, allowed("abc", 2)))


class Curl(DaemonTest):
    def curl(self, path, *options):
        program = harness.require_program("curl", "curl")
        ended = subprocess.run([program, "--silent", "--show-error", "--unix-socket", str(self.daemon.socket), *options,
                                "--write-out", "|%{http_code}|%{content_type}", "http://localhost" + path],
                               capture_output=True, timeout=harness.seconds(30), env=harness.clean_environment())
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))
        body, status, content_type = ended.stdout.rsplit(b"|", 2)
        return int(status), body, content_type

    def test_the_story(self):
        start, end = "/startSession/userId/abc/sessionId/", "/endSession/userId/abc/sessionId/"
        for count, session in ((1, "s1"), (2, "s2"), (3, "s3"), (3, "s1")):
            self.assertEqual(self.curl(start + session), (200, allowed("abc", count), JSON))
        self.assertEqual(self.curl(start + "s4"), (400, too_many("abc", 4), PLAIN))
        self.assertEqual(self.curl(end + "s1"), (200, allowed("abc", 2), JSON))
        self.assertEqual(self.curl(start + "s4"), (200, allowed("abc", 3), JSON))

    def test_the_documented_call(self):
        self.assertEqual(
            self.curl("/startSession/userId/thisIsaTestUserId/sessionId/thisIsaTestSessionId", "--location", "--request", "GET",
                      "--header", "Content-Type: application/json", "--header", "x-api-key:abcdef"),
            (200, allowed("thisIsaTestUserId", 1), JSON))

    def test_a_missing_user_or_session(self):
        self.assertEqual(self.curl("/startSession/userId//sessionId/s1"), (400, MISSING, PLAIN))
        self.assertEqual(self.curl("/startSession/userId/abc/sessionId/"), (400, MISSING, PLAIN))

    def test_percent_encoded_ids(self):
        self.assertEqual(self.curl("/startSession/userId/zo%C3%AB%20m/sessionId/a%2Fb"), (200, allowed("zoë m", 1), JSON))

    def test_the_v1_api_with_a_body(self):
        started = self.curl("/v1/users/v1/sessions/s1", "--request", "PUT", "--header", "Content-Type: application/json",
                            "--data", '{"device":"tv","meta":{"app":"4.2"}}')
        expires = rfc3339(self.clock.wall + 90 * SECOND)
        self.assertEqual(started, (201, granted("v1", "s1", 1, expires), JSON))
        status, body, _ = self.curl("/v1/users/v1/sessions")
        self.assertEqual(status, 200)
        session = json.loads(body)["sessions"][0]
        self.assertEqual((session["device"], session["meta"]), ("tv", {"app": "4.2"}))


class Concur(DaemonTest):
    """The same story in concur's words: its standard output is the v1 answer, whole, and its exit code says the same."""

    def run_concur(self, *arguments):
        ended = concur(*arguments, socket=self.daemon.socket)
        return ended.returncode, ended.stdout, ended.stderr

    def granted(self, user, session, count):
        return granted(user, session, count, rfc3339(self.clock.wall + 90 * SECOND))

    def test_the_story(self):
        call = ("start", "--user", "abc", "--session")
        for count, session in ((1, "s1"), (2, "s2"), (3, "s3"), (3, "s1")):
            self.assertEqual(self.run_concur(*call, session), (0, self.granted("abc", session, count), b""))
        code, out, err = self.run_concur(*call, "s4")
        self.assertEqual((code, err), (1, b""))
        denied = json.loads(out)
        self.assertEqual(denied["error"], "limit_reached")
        self.assertEqual(denied["message"], too_many("abc", 4).decode())
        self.assertEqual((denied["concurrentSessions"], denied["limit"], denied["retryAfter"]), (3, 3, 90))
        self.assertEqual([each["session"] for each in denied["sessions"]], ["s1", "s2", "s3"])
        self.assertEqual(self.run_concur("end", "--user", "abc", "--session", "s1"),
                         (0, b'{"user":"abc","session":"s1","ended":true,"concurrentSessions":2}\n', b""))
        self.assertEqual(self.run_concur("heartbeat", "--user", "abc", "--session", "s2"),
                         (0, self.granted("abc", "s2", 2), b""))
        code, out, err = self.run_concur("heartbeat", "--user", "abc", "--session", "s1")
        self.assertEqual((code, err, json.loads(out)["reason"]), (5, b"", "ended"))
        code, out, err = self.run_concur("heartbeat", "--user", "abc", "--session", "never")
        self.assertEqual((code, err, json.loads(out)["error"]), (5, b"", "not_found"))
        self.assertEqual(self.run_concur(*call, "s4"), (0, self.granted("abc", "s4", 3), b""))
        code, out, err = self.run_concur("list", "--user", "abc")
        self.assertEqual((code, err), (0, b""))
        self.assertEqual([each["session"] for each in json.loads(out)["sessions"]], ["s2", "s3", "s4"])
        self.assertEqual(self.run_concur("purge", "--user", "abc", "--dry-run"), (0, b'{"wouldPurge":3,"users":1}\n', b""))
        self.assertEqual(self.run_concur("purge", "--user", "abc"), (0, b'{"purged":3}\n', b""))
        code, out, err = self.run_concur("heartbeat", "--user", "abc", "--session", "s4")
        self.assertEqual((code, err, json.loads(out)["reason"]), (5, b"", "purged"))

    def test_a_missing_user_or_session(self):
        for user, session in (("", "s1"), ("abc", "")):
            code, out, err = self.run_concur("start", "--user", user, "--session", session)
            self.assertEqual(code, 2)
            self.assertIn(MISSING, out + err)
            if out:
                self.assertEqual(json.loads(out)["error"], "invalid_request")

    def test_odd_ids_go_through_whole(self):
        for name in ("zoë m", "a/b?c", "50%", 'say "hi"', "back\\slash"):
            code, out, err = self.run_concur("start", "--user", name, "--session", name)
            self.assertEqual((code, err), (0, b""))
            self.assertEqual((json.loads(out)["user"], json.loads(out)["session"]), (name, name))
            with self.daemon.connect() as connection:
                self.assertEqual([each["session"] for each in connection.list(name).json()["sessions"]], [name])

    def test_details_are_kept(self):
        code, out, err = self.run_concur("start", "--user", "details", "--session", "s1", "--device", "tv 1",
                                         "--ip", "10.0.0.1", "--content", "film/7", "--meta", "app=4.2", "--meta", "k=a=b")
        self.assertEqual((code, err), (0, b""))
        with self.daemon.connect() as connection:
            session = connection.list("details").json()["sessions"][0]
        now, expires = rfc3339(self.clock.wall), rfc3339(self.clock.wall + 90 * SECOND)
        self.assertEqual(session, {"session": "s1", "startedAt": now, "lastSeenAt": now, "expiresAt": expires, "device": "tv 1",
                                   "ip": "10.0.0.1", "content": "film/7", "meta": {"app": "4.2", "k": "a=b"}})

    def test_no_daemon_is_distinguished_from_no(self):
        ended = concur("start", "--user", "abc", "--session", "s1", "--timeout", "1s",
                       socket=self.daemon.folder / "absent.sock")
        self.assertEqual((ended.returncode, ended.stdout), (3, b""))
        self.assertTrue(ended.stderr.startswith(b"concur: cannot "), ended.stderr)
        self.assertEqual(ended.stderr.count(b"\n"), 1)

    def test_a_usage_error_is_2(self):
        for arguments in ((), ("start",), ("start", "--user", "abc"), ("dance",), ("start", "--unknown", "x"),
                          ("start", "--user", "a", "--session", "s", "--ttl", "soon"), ("purge",)):
            with self.subTest(arguments=arguments):
                ended = concur(*arguments)
                self.assertEqual((ended.returncode, ended.stdout), (2, b""))
                self.assertTrue(ended.stderr)


if __name__ == "__main__":
    unittest.main()
