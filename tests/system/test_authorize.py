"""/v1/authorize, which proxies ask: what it reads, what it answers, whom it lets in."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import unittest
import urllib.parse

import doors
import harness

NO_STORE = "no-store"


def fields_of(**values):
    return [f"{name.replace('_', '-')}: {value}" for name, value in values.items()]


def authorize_request(target="/v1/authorize", method="GET", **fields):
    return harness.request(method, target, headers=fields_of(**fields))


class Authorize(unittest.TestCase):
    OPTIONS = []

    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon(*self.OPTIONS))
        self.connection = self.enterContext(self.daemon.connect())

    def ask(self, user=None, session=None, target="/v1/authorize", method="GET", **fields):
        if user is not None:
            fields["X_Concur_User"] = user
        if session is not None:
            fields["X_Concur_Session"] = session
        self.connection.send(authorize_request(target, method, **fields))
        return self.receive(method)

    def receive(self, method):
        if method != "HEAD":
            return self.connection.receive()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.connection.socket.recv(1)
        return harness.Response(int(head[9:12]), head[:-4], b"")

    def refused(self, answer, reason, status=403):
        self.assertEqual((answer.status, answer.header("X-Concur-Reason")), (status, reason))
        self.assertEqual(answer.header("Cache-Control"), NO_STORE)
        self.assertEqual(set(answer.json()), {"error", "message"})
        return answer

    def active(self, user="abc"):
        return [each["session"] for each in self.connection.list(user).json()["sessions"]]


class Answers(Authorize):
    def test_three_play_and_the_fourth_does_not_until_one_is_gone(self):
        for number in range(1, 4):
            answer = self.ask("abc", f"s{number}", X_Concur_IP="192.0.2.9", X_Concur_Device=f"d{number}")
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertEqual({name: answer.header(name) for name in
                              ("Cache-Control", "X-Concur-Count", "X-Concur-Limit", "X-Concur-Session", "Content-Type")},
                             {"Cache-Control": NO_STORE, "X-Concur-Count": str(number), "X-Concur-Limit": "3",
                              "X-Concur-Session": f"s{number}", "Content-Type": None})
        denied = self.refused(self.ask("abc", "s4"), "limit_reached")
        self.assertEqual(denied.json(), {"error": "limit_reached", "message": "User abc is trying to watch 4 streams at once, "
                                                                             "which is too many."})
        self.assertEqual((denied.header("X-Concur-Count"), denied.header("X-Concur-Limit")), ("3", "3"))
        self.assertIn(int(denied.header("Retry-After")), range(80, 92))
        for secret in (b"192.0.2.9", b"d1", b"s1"):
            self.assertNotIn(secret, denied.head + denied.body)
        self.assertEqual(self.ask("abc", "s2").status, 204)
        self.connection.end("abc", "s1")
        self.assertEqual(self.ask("abc", "s4").status, 204)
        self.assertEqual(self.active(), ["s2", "s3", "s4"])

    def test_details_are_kept(self):
        self.ask("abc", "s1", X_Concur_Device="tv", X_Concur_IP="[2001:db8::1]:443", X_Concur_Content="film")
        session, = self.connection.list("abc").json()["sessions"]
        self.assertEqual((session["device"], session["ip"], session["content"]), ("tv", "2001:db8::1", "film"))

    def test_behind_a_tail_it_is_200_and_the_tail_is_the_viewers_uri(self):
        for method in ("GET", "HEAD"):
            for tail in ("/", "/live/x.m3u8?a=b", "/%zz?%", "//", "/../healthz", "/live/x?user=eve&session=x"):
                answer = self.ask("abc", "s1", f"/v1/authorize{tail}", method)
                self.assertEqual((answer.status, answer.body), (200, b""), tail)
                self.assertEqual(answer.header("X-Concur-Session"), "s1")
        sid = urllib.parse.quote('cid="film",sid="cm-1",st=l')
        self.assertEqual(self.ask("abc", target=f"/v1/authorize/seg.ts?CMCD={sid}").header("X-Concur-Session"), "cm-1")
        self.assertEqual(self.active(), ["s1", "cm-1"])

    def test_options_there_counts_nothing(self):
        answer = self.ask("abc", "s1", "/v1/authorize/live/x", "OPTIONS")
        self.assertEqual((answer.status, answer.body), (200, b""))
        answer = self.ask("abc", "s1", method="OPTIONS")
        self.assertEqual((answer.status, answer.header("Allow")), (204, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.active(), [])

    def test_head_acts_as_get(self):
        for number in range(1, 4):
            self.assertEqual(self.ask("abc", f"s{number}", method="HEAD").status, 204)
        answer = self.ask("abc", "s4", method="HEAD")
        self.assertEqual((answer.status, answer.header("X-Concur-Reason")), (403, "limit_reached"))
        self.assertEqual(self.active(), ["s1", "s2", "s3"])

    def test_over_http_1_0(self):
        for head, kept in ((b"", False), (b"Connection: keep-alive\r\n", False)):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(harness.seconds(20))
                client.connect(str(self.daemon.socket))
                client.sendall(b"GET /v1/authorize?user=abc&session=s1 HTTP/1.0\r\n" + head + b"\r\n")
                got = b"".join(iter(lambda: client.recv(65536), b""))
            self.assertTrue(got.startswith(b"HTTP/1.1 204 No Content\r\n"), got)
            self.assertTrue(b"\r\nConnection: close\r\n" in got and not kept, got)

    def test_without_a_user_it_asks_who_it_is(self):
        for fields in ({}, {"user": ""}, {"user": "x" * 257}, {"target": "/v1/authorize?user=a&user=b"},
                       {"target": "/v1/authorize?user=%zz", "X_Concur_User": "abc"},
                       {"target": "/v1/authorize/x?user=abc"}):
            answer = self.refused(self.ask(session="s1", **fields), None, 401)
            self.assertEqual(answer.json()["error"], "unauthorized")
        answer = self.connection.ask(harness.request("GET", "/v1/authorize", headers=[
            "X-Concur-User: abc", "X-Concur-User: eve", "X-Concur-Session: s1"]))
        self.refused(answer, None, 401)

    def test_without_a_session_it_refuses(self):
        for fields in ({}, {"session": ""}, {"session": "x" * 257}, {"target": "/v1/authorize?session=1&session=2"}):
            self.refused(self.ask("abc", **fields), "no_session")

    def test_a_name_that_no_field_can_hold_is_encoded(self):
        answer = self.ask(target=f"/v1/authorize?user=abc&session={urllib.parse.quote('é 1%')}")
        self.assertEqual(answer.header("X-Concur-Session"), "%C3%A9%201%25")

    def test_players_are_known_by_what_they_send_anyway(self):
        for fields, session in (({"X_Playback_Session_Id": "AV-1"}, "AV-1"), ({"CMCD_Session": 'sid="cm-1",st=v'}, "cm-1"),
                                ({"X_Original_URI": "/seg.ts?CMCD=" + urllib.parse.quote('sid="cm-2"')}, "cm-2")):
            self.assertEqual(self.ask("abc", **fields).header("X-Concur-Session"), session)


class NeverRevives(Authorize):
    def test_who_was_ended_purged_or_evicted_stays_out_and_may_begin_anew(self):
        self.assertEqual(self.ask("abc", "ended").status, 204)
        self.connection.end("abc", "ended")
        self.refused(self.ask("abc", "ended"), "ended")

        self.assertEqual(self.ask("abc", "purged").status, 204)
        self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        answer = self.refused(self.ask("abc", "purged"), "purged")
        self.assertEqual((answer.header("X-Concur-Count"), answer.header("X-Concur-Limit")), ("0", "3"))

        for session in ("evicted", "s2", "s3"):
            self.assertEqual(self.ask("abc", session, X_Concur_Device=session).status, 204)
        self.connection.start("abc", "s4", {"onLimit": "evict-oldest", "device": "secret"})
        answer = self.refused(self.ask("abc", "evicted"), "evicted")
        self.assertNotIn(b"secret", answer.head + answer.body)
        self.assertEqual(self.active(), ["s2", "s3", "s4"])

        self.connection.end("abc", "s2")
        self.assertEqual(self.ask("abc", "anew").status, 204)
        for session, reason in (("ended", "ended"), ("purged", "purged"), ("evicted", "evicted")):
            self.refused(self.ask("abc", session), reason)

    def test_also_after_a_restart(self):
        self.assertEqual(self.ask("abc", "purged").status, 204)
        self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        for end in (self.daemon.stop, self.daemon.kill):
            end()
            self.daemon.start()
            with self.daemon.connect() as self.connection:
                self.refused(self.ask("abc", "purged"), "purged")

    def test_others_may_still_start_it_and_then_it_plays(self):
        self.connection.start("abc", "s1")
        self.connection.end("abc", "s1")
        self.refused(self.ask("abc", "s1"), "ended")
        self.assertEqual(self.connection.start("abc", "s1").status, 201)
        self.assertEqual(self.ask("abc", "s1").status, 204)

    def test_it_renews_as_itself(self):
        token = self.connection.start("abc", "s1").json()["start"]
        self.ask("abc", "s1")
        self.assertEqual(self.connection.heartbeat("abc", "s1").json()["start"], token)


class Leases(unittest.TestCase):
    def test_who_sends_nothing_for_a_lease_of_its_own_is_gone_and_may_come_back(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        with harness.Daemon(clock=clock, folder=folder, settings={"authorize-lease": "30s"}) as daemon:
            with daemon.connect() as connection:
                def ask():
                    return connection.ask(authorize_request("/v1/authorize?user=abc&session=s1")).status

                def left():
                    session, = connection.list("abc").json()["sessions"]
                    return harness.milliseconds(session["expiresAt"]) - clock.wall

                self.assertEqual((ask(), left()), (204, 30_000))
                clock.advance(29_999)
                self.assertEqual((ask(), left()), (204, 30_000))
                clock.advance(30_000)
                self.assertEqual(connection.list("abc").json()["concurrentSessions"], 0)
                self.assertEqual((ask(), left()), (204, 30_000))
                daemon.reload({"authorize-lease": "10s"})
                self.assertEqual((ask(), left()), (204, 10_000))
                daemon.reload({"authorize-lease": None})
                clock.advance(10_000)
                self.assertEqual((ask(), left()), (204, 90_000))


class Sources(unittest.TestCase):
    def test_what_the_config_says_by_reload(self):
        settings = {"authorize-user": "cookie:account header:x-account", "authorize-session": "path:3 cookie:sid",
                    "authorize-device": "hash:ip,user-agent", "authorize-ip": "header:x-forwarded-for",
                    "authorize-content": "path:1", "authorize-type": "cookie:screen", "authorize-kind": "cmcd:st path:2",
                    "authorize-uri": "X-Forwarded-Uri"}
        with harness.Daemon(settings=settings) as daemon, daemon.connect() as connection:
            answer = connection.ask(authorize_request(
                Cookie="a=b; account=abc; screen=tv", CMCD_Session="st=ll", X_Forwarded_Uri="/live/x/s1/seg.ts", X_Original_URI="/forged/x/s9/seg.ts",
                X_Forwarded_For="192.0.2.1, 10.0.0.1", User_Agent="player", X_Concur_User="eve"))
            self.assertEqual((answer.status, answer.header("X-Concur-Session")), (204, "s1"))
            session, = connection.list("abc").json()["sessions"]
            self.assertEqual((session["ip"], session["content"], session["meta"]),
                             ("192.0.2.1", "live", {"type": "tv", "kind": "live"}))
            self.assertRegex(session["device"], "^~[0-9a-f]{32}$")
            daemon.reload({"authorize-user": "header:x-account"})
            self.assertEqual(connection.ask(authorize_request(Cookie="account=abc; sid=s1")).status, 401)
            self.assertEqual(connection.ask(authorize_request(X_Account="abc", Cookie="sid=s1")).status, 204)

    def test_what_is_no_source_is_named(self):
        for key, value, message in (("authorize-user", "", "it takes one source at least"),
                                    ("authorize-session", "  ", "it takes one source at least"),
                                    ("authorize-device", "query:x", "'query:x' is no source"),
                                    ("authorize-ip", "field:ip", "'field:ip' is no source"),
                                    ("authorize-uri", "a b", "it takes the name of a header's field"),
                                    ("authorize-lease", "0", "it takes 1s to 30d")):
            folder = harness.private_folder()
            (folder / "conf").write_text(f"{key} = {value}\n")
            done = subprocess.run(
                [str(harness.DAEMON), "--config", str(folder / "conf"), "--check-config"], capture_output=True, text=True,
                env=harness.clean_environment(), timeout=harness.seconds(20))
            self.assertEqual(done.returncode, 2, key)
            self.assertIn(message, done.stderr)


class CannotDecide(unittest.TestCase):
    def test_what_cannot_be_stored_is_503_and_what_needs_no_disk_is_answered(self):
        with harness.Daemon() as daemon, daemon.connect() as connection:
            def ask(session):
                return connection.ask(authorize_request(f"/v1/authorize?user=abc&session={session}"))

            self.assertEqual([ask(f"s{n}").status for n in range(3)], [204, 204, 204])
            unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
            answer = connection.ask(authorize_request("/v1/authorize?user=other&session=s"))
            self.assertEqual((answer.status, answer.header("Retry-After"), answer.header("Cache-Control"),
                              answer.header("X-Concur-Reason")), (503, "1", NO_STORE, None))
            self.assertEqual([ask("s0").status, ask("s9").status], [204, 403])
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)

    def test_who_starts_too_often_is_denied(self):
        with harness.Daemon("--start-rate", "2", "--limit", "0") as daemon, daemon.connect() as connection:
            answers = [connection.ask(authorize_request(f"/v1/authorize?user=abc&session={n}")) for n in range(3)]
            self.assertEqual([answer.status for answer in answers], [204, 204, 403])
            self.assertEqual(answers[2].header("X-Concur-Reason"), "too_many_requests")
            self.assertGreaterEqual(int(answers[2].header("Retry-After")), 1)

    def test_more_sessions_than_there_may_be_is_503(self):
        with harness.Daemon("--max-sessions", "1") as daemon, daemon.connect() as connection:
            statuses = [connection.ask(authorize_request(f"/v1/authorize?user={n}&session=s")).status for n in range(2)]
            self.assertEqual(statuses, [204, 503])


class Doors(unittest.TestCase):
    """Who comes in, and that nothing which is no denial looks like one."""

    VIEWER = {"Origin": "https://site.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors",
              "Authorization": "Bearer of-the-viewer"}
    TARGET = "/v1/authorize?user=abc&session=s1"

    def setUp(self):
        self.folder = harness.private_folder()

    def tcp(self, daemon, headers, target=TARGET):
        connection = http.client.HTTPConnection("127.0.0.1", doors.tcp_port(daemon), timeout=harness.seconds(20))
        status, body = doors.ask(connection, "GET", target, headers=headers)
        connection.close()
        return status, body

    def test_with_keys(self):
        keys = doors.Keys(self.folder)
        with harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(keys.path), folder=self.folder) as daemon:
            for role in ("client", "operator"):
                self.assertEqual(self.tcp(daemon, self.VIEWER | {"x-api-key": keys.of[role], "Host": "site.example"})[0], 204)
            for wrong in ({}, {"x-api-key": "wrong"}, {"x-api-key": keys.of["metrics"]},
                          {"Authorization": f"Bearer {keys.of['client']}"}):
                status, body = self.tcp(daemon, self.VIEWER | wrong)
                self.assertEqual(status, 503, (wrong, body))

    def test_without_keys_the_host_counts(self):
        with harness.Daemon("--listen", "127.0.0.1:0", folder=self.folder) as daemon:
            self.assertEqual(self.tcp(daemon, self.VIEWER)[0], 204)
            self.assertEqual(self.tcp(daemon, self.VIEWER | {"Host": "site.example"})[0], 503)
            self.assertEqual(self.tcp(daemon, {"Origin": "https://site.example"}, "/v1/status")[0], 403)

    @unittest.skipUnless(os.getuid() == 0, "takes root to be somebody else")
    def test_on_the_unix_socket_operators_are_guarded(self):
        self.folder.chmod(0o755)
        with harness.Daemon("--socket-mode", "0666", folder=self.folder) as daemon:
            def ask(who, headers, target=self.TARGET):
                connection = doors.UnixHttp(daemon.socket, **who)
                status, _ = doors.ask(connection, "GET", target, headers=headers)
                connection.close()
                return status

            client, operator = dict(uid=doors.NOBODY, gid=doors.STRANGERS_GROUP), {}
            self.assertEqual(ask(client, self.VIEWER | {"Host": "site.example"}), 204)
            self.assertEqual(ask(client, self.VIEWER | {"Host": "site.example"}, "/v1/status"), 200)
            self.assertEqual(ask(operator, self.VIEWER), 503)
            self.assertEqual(ask(operator, {"Host": "site.example"}), 503)
            self.assertEqual(ask(operator, {"Host": "concur"}), 204)
            self.assertEqual(ask(operator, self.VIEWER, "/v1/status"), 403)
            self.assertEqual(ask(operator, {"Host": "evil.example"}, "/v1/status"), 403)
            self.assertEqual(ask(operator, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, "/v1/status"), 403)
            self.assertEqual(ask(operator, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, "/openapi.json"), 200)
            for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost:8080", "Host": "localhost:8080"}):
                self.assertEqual(ask(operator, headers, "/v1/status"), 200, headers)

    def test_a_header_that_is_too_long_is_no_denial(self):
        with harness.Daemon() as daemon, daemon.connect() as connection:
            answer = connection.ask(authorize_request(self.TARGET, Cookie="x" * 9000))
            self.assertEqual(answer.status, 431)


class Races(unittest.TestCase):
    def test_never_more_than_the_limit_however_many_segments_race(self):
        with harness.Daemon() as daemon, harness.Fleet(daemon.socket, 50) as fleet:
            batches = [[authorize_request(f"/v1/authorize?user=abc&session={number % 25}")] * 20 for number in range(50)]
            answers = fleet.exchange(batches, last_byte_together=True)
            playing = {int(answer.header("X-Concur-Session")) for each in answers for answer in each if answer.status == 204}
            self.assertEqual(len(playing), 3)
            self.assertEqual({answer.status for each in answers for answer in each}, {204, 403})
            for number, each in enumerate(answers):
                self.assertEqual({answer.status for answer in each}, {204 if number % 25 in playing else 403})

    def test_a_stop_answers_what_was_sent(self):
        with harness.Daemon() as daemon, daemon.connect() as connection:
            connection.send(authorize_request("/v1/authorize?user=abc&session=s1"))
            daemon.process.send_signal(signal.SIGTERM)
            self.assertEqual(connection.receive().status, 204)
            self.assertEqual(daemon.process.wait(harness.seconds(20)), 0)


if __name__ == "__main__":
    unittest.main()
