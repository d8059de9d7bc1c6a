"""What operators do about users and sessions: blocks, messages, purges by what sessions have, how old one may be, and all of it
in a batch.

(How a single box and a fleet decide: the units of Registry and Desks. Over crashes: the simulation.)"""

import json
import subprocess
import time
import unittest

import harness
from harness import SECOND, request

SENTENCE = "User abc is trying to watch {} streams at once, which is too many."


def block_path(user):
    return f"/v1/users/{harness.segment(user)}/block"


class Operators(unittest.TestCase):
    options = ()
    settings = None

    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = harness.Daemon("--start-rate", "0", *self.options, clock=self.clock, folder=folder, settings=self.settings)
        self.daemon.start()
        self.addCleanup(self.daemon.kill)

    def ask(self, method, path, body=None):
        with self.daemon.connect() as connection:
            return connection.ask(request(method, path, body))

    def answer(self, status, method, path, body=None):
        answer = self.ask(method, path, body)
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def start(self, user, session, body=None, status=201):
        return self.answer(status, "PUT", harness.session_path(user, session), body)

    def beat(self, user, session, status=200):
        return self.answer(status, "POST", harness.session_path(user, session) + "/heartbeat")

    def block(self, user, **said):
        return self.answer(200, "PUT", block_path(user), said)

    def batch(self, *lines):
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        with self.daemon.connect() as connection:
            answer = connection.ask(request("POST", "/v1/batch", body))
        return [json.loads(line) for line in answer.body.splitlines()]


class Blocks(Operators):
    def test_each_way_to_start_is_refused_and_what_is_active_goes_on(self):
        self.start("abc", "s1")
        shown = self.block("abc", **{"for": "1h", "message": "Please call us."})
        now = self.clock.wall
        self.assertEqual(shown, {"user": "abc", "blocked": True, "since": harness.rfc3339(now),
                                 "until": harness.rfc3339(now + 3600 * SECOND), "message": "Please call us."})
        self.clock.advance(30 * SECOND)
        refused = self.ask("PUT", harness.session_path("abc", "s2"))
        self.assertEqual((refused.status, refused.json()), (409, {
            "error": "blocked", "message": "Please call us.", "user": "abc", "session": "s2", "concurrentSessions": 1, "limit": 3,
            "retryAfter": 3570}))
        self.assertEqual(refused.header("X-Content-Type-Options"), "nosniff")
        proxy = self.ask("GET", "/v1/authorize?user=abc&session=s3")
        self.assertEqual((proxy.status, proxy.header("X-Concur-Reason"), proxy.header("Retry-After"), proxy.json()["message"]),
                         (403, "blocked", "3570", "Please call us."))
        self.assertEqual(proxy.header("X-Content-Type-Options"), "nosniff")
        hook = self.ask("POST", "/v1/hooks/srs", {"action": "on_play", "client_id": "c", "ip": "192.0.2.1", "vhost": "v", "app": "a",
                                                  "stream": "s", "param": "?user=abc"})
        self.assertEqual((hook.status, hook.json()["msg"]), (403, "Please call us."))
        first = self.ask("GET", "/startSession/userId/abc/sessionId/s4")
        self.assertEqual((first.status, first.body.decode()), (400, SENTENCE.format(2)))
        self.assertEqual([line["status"] for line in self.batch({"command": "start", "user": "abc", "session": "s5"})], [409])
        self.beat("abc", "s1")
        self.start("abc", "s1", status=200)
        self.assertTrue(self.answer(200, "GET", "/v1/users/abc/sessions")["blocked"])
        self.assertIn(b'concurrencyd_starts_total{outcome="blocked"} 5\n', self.ask("GET", "/metrics").body)
        self.assertIn(b"concurrencyd_blocks 1\n", self.ask("GET", "/metrics").body)
        self.assertEqual(self.answer(200, "GET", "/v1/status")["blocks"], 1)
        self.clock.advance(3569 * SECOND + 999)
        self.assertEqual(self.start("abc", "s2", status=409)["retryAfter"], 0.001)
        self.clock.advance(1)
        self.start("abc", "s2")
        self.assertEqual(self.answer(200, "GET", block_path("abc")), {"user": "abc", "blocked": False})

    def test_over_kill_9_and_a_clean_stop_and_until_it_is_lifted(self):
        self.block("abc", message="Please call us.")
        self.block("xyz", **{"for": 60})
        for stop in (self.daemon.kill, self.daemon.stop):
            stop()
            self.clock.advance(10 * SECOND)
            self.daemon.start()
            self.assertEqual(self.start("abc", "s1", status=409)["message"], "Please call us.")
            self.assertNotIn("retryAfter", self.start("abc", "s1", status=409))
        self.assertEqual(self.start("xyz", "s1", status=409)["retryAfter"], 40)
        listed = self.answer(200, "GET", "/v1/blocks")["blocks"]
        self.assertEqual({each["user"] for each in listed}, {"abc", "xyz"})
        self.assertEqual(self.answer(200, "DELETE", block_path("abc")), {"user": "abc", "blocked": False})
        self.answer(200, "DELETE", block_path("abc"))
        self.daemon.kill()
        self.daemon.start()
        self.start("abc", "s1")
        self.clock.advance(40 * SECOND)
        self.start("xyz", "s1")

    def test_in_observe_mode_too(self):
        self.daemon.restart("--mode", "observe", "--start-rate", "0")
        self.block("abc")
        self.assertEqual(self.start("abc", "s1", status=409)["message"], "User abc is blocked.")

    def test_what_is_refused(self):
        for body in ({"for": 0}, {"for": -1}, {"for": "4000d"}, {"message": "x" * 513}, {"message": "a\nb"}, {"until": 5}, []):
            self.answer(400, "PUT", block_path("abc"), body)
        self.answer(400, "DELETE", harness.session_path("abc", "s1") + "?message=" + "x" * 513)
        self.answer(400, "DELETE", harness.session_path("abc", "s1") + "?message=a%0Ab")
        self.answer(400, "PUT", harness.session_path("abc", "s1"), {"replace": "s2", "replaceAll": True})
        self.assertEqual(self.answer(200, "GET", "/v1/blocks"), {"blocks": []})

    def test_events_tell_of_them(self):
        self.block("abc", **{"for": 60, "message": "Please call us."})
        self.answer(200, "DELETE", block_path("abc"))
        with self.daemon.connect() as connection:
            connection.send(request("GET", "/v1/events?since=0"))
            text = b""
            while text.count(b"}\n") < 2:
                text += connection.socket.recv(65536)
        events = [json.loads(line) for line in text.splitlines() if line.startswith(b"{")]
        self.assertEqual([(each["event"], each["user"], each.get("message")) for each in events],
                         [("blocked", "abc", "Please call us."), ("unblocked", "abc", None)])
        self.assertEqual(harness.milliseconds(events[0]["until"]) - harness.milliseconds(events[0]["at"]), 60 * SECOND)


class Messages(Operators):
    def test_the_viewer_is_told_also_after_a_restart(self):
        for session in ("s1", "s2", "s3"):
            self.start("abc", session)
        self.answer(200, "DELETE", harness.session_path("abc", "s1") + "?message=Good%20night.")
        self.answer(200, "POST", harness.session_path("abc", "s2") + "/end?message=Good%20night.")
        self.answer(200, "POST", "/v1/purge", {"user": "abc", "message": "Please call us."})
        for stop in (lambda: None, self.daemon.kill, self.daemon.stop):
            stop()
            if not self.daemon.running():
                self.daemon.start()
            for session, reason, message in (("s1", "ended", "Good night."), ("s2", "ended", "Good night."),
                                             ("s3", "purged", "Please call us.")):
                gone = self.ask("POST", harness.session_path("abc", session) + "/heartbeat")
                self.assertEqual((gone.status, gone.json()["reason"], gone.json()["message"]), (410, reason, message))
                self.assertEqual(gone.header("X-Content-Type-Options"), "nosniff")
        self.assertEqual(self.answer(200, "DELETE", harness.session_path("abc", "s3"))["message"], "Please call us.")
        proxy = self.ask("GET", "/v1/authorize?user=abc&session=s3")
        self.assertEqual((proxy.status, proxy.header("X-Concur-Reason"), proxy.json()["message"]), (403, "purged", "Please call us."))


class Wording(Operators):
    settings = {"limit": "1", "denial-message": "{user}: {attempted} > {limit}, {active} {user}"}

    def test_a_denial_says_what_is_set_but_on_the_first_service(self):
        self.start("{limit}", "s1")
        self.start("abc", "s1")
        self.assertEqual(self.start("{limit}", "s2", status=409)["message"], "{limit}: 2 > 1, 1 {limit}")
        proxy = self.ask("GET", "/v1/authorize?user=abc&session=s3")
        self.assertEqual((proxy.status, proxy.json()["message"]), (403, "abc: 2 > 1, 1 abc"))
        self.assertEqual(self.ask("GET", "/startSession/userId/abc/sessionId/s4").body.decode(), SENTENCE.format(2))
        self.daemon.reload({"denial-message": "No."})
        self.assertEqual(self.start("abc", "s2", status=409)["message"], "No.")
        self.daemon.reload({"denial-message": None})
        self.assertEqual(self.start("abc", "s2", status=409)["message"], SENTENCE.format(2))


class Longest(Operators):
    settings = {"longest": "5m"}

    def test_to_the_millisecond_over_a_restart_and_a_reload(self):
        began = self.clock.wall
        self.assertEqual(self.start("abc", "s1", {"ttl": "1d"})["expiresAt"], harness.rfc3339(began + 300 * SECOND))
        self.start("abc", "s2")
        for _ in range(9):
            self.clock.advance(30 * SECOND)
            self.beat("abc", "s2")
        self.daemon.kill()
        self.daemon.start()
        self.clock.advance(30 * SECOND - 1)
        self.assertEqual(self.beat("abc", "s2")["expiresAt"], harness.rfc3339(began + 300 * SECOND))
        self.assertEqual(self.beat("abc", "s1")["concurrentSessions"], 2)
        self.clock.advance(1)
        self.assertEqual(self.beat("abc", "s2", 410)["reason"], "expired")
        self.assertEqual(self.beat("abc", "s1", 410)["reason"], "expired")
        self.start("abc", "s3", {"ttl": "1h"})
        self.clock.advance(100 * SECOND)
        self.daemon.reload({"longest": "100001ms"})
        self.beat("abc", "s3")
        self.clock.advance(1)
        self.assertEqual(self.beat("abc", "s3", 410)["reason"], "expired")


class Purges(Operators):
    options = ("--limit", "0")

    def setUp(self):
        super().setUp()
        details = {"tv": {"ip": "192.0.2.1", "device": "tv", "content": "film", "meta": {"app": "web"}},
                   "phone": {"ip": "192.0.2.2", "device": "phone", "content": "film"}}
        for user in ("ann", "ben"):
            for session, body in details.items():
                self.start(user, session, {**body, "ttl": "1d"})
                self.clock.advance(10 * SECOND)

    def active(self):
        return {f"{each['user']}/{each['session']}" for each in self.answer(200, "GET", "/v1/sessions")["sessions"]}

    def test_all_that_is_said_must_hold_and_a_preview_says_how_many(self):
        for body, count, users in (({"ip": "192.0.2.1"}, 2, 2), ({"content": "film"}, 4, 2), ({"user": "ann", "device": "tv"}, 1, 1),
                                   ({"meta": {"app": "web"}}, 2, 2), ({"olderThan": 40}, 1, 1), ({"olderThan": 41}, 0, 0),
                                   ({"idle": 30}, 2, 1), ({"ip": "192.0.2.1", "device": "phone"}, 0, 0), ({"all": True}, 4, 2)):
            with self.subTest(body):
                self.assertEqual(self.answer(200, "POST", "/v1/purge", {**body, "dryRun": True}), {"wouldPurge": count, "users": users})
        self.assertEqual(self.answer(200, "POST", "/v1/purge", {"ip": "192.0.2.1:443", "olderThan": 30}), {"purged": 1})
        self.assertEqual(self.active(), {"ann/phone", "ben/tv", "ben/phone"})

    def test_a_block_with_it(self):
        self.assertEqual(self.answer(200, "POST", "/v1/purge", {"device": "tv", "block": "1h", "message": "Please call us."}),
                         {"purged": 2, "blocked": 2})
        self.assertEqual(self.beat("ann", "tv", 410)["message"], "Please call us.")
        self.beat("ann", "phone")
        self.assertEqual(self.start("ben", "new", status=409)["message"], "Please call us.")
        self.assertEqual(self.answer(200, "POST", "/v1/purge", {"user": "cy", "block": 60}), {"purged": 0, "blocked": 1})
        self.start("cy", "s1", status=409)

    def test_nothing_empty_means_more(self):
        for body in ({"user": ""}, {"user": None}, {"ip": ""}, {"user": "ann", "ip": None}, {"meta": {}}, {"user": "ann", "meta": None},
                     {"all": True, "user": "ann"}, {"all": True, "block": 60}, {"block": 60}, {"dryRun": True}, {}):
            with self.subTest(body):
                self.answer(400, "POST", "/v1/purge", body)
        self.assertEqual(len(self.active()), 4)

    def test_many_users_in_steps(self):
        self.batch(*({"command": "start", "user": f"u{each}", "session": "s", "device": "old"} for each in range(5000)))
        self.assertEqual(self.answer(200, "POST", "/v1/purge", {"device": "old", "block": 60}), {"purged": 5000, "blocked": 5000})
        self.assertEqual(len(self.active()), 4)
        self.start("u4999", "s", status=409)


class Batches(Operators):
    def test_limits_plans_and_blocks(self):
        answers = self.batch({"command": "plan", "plan": "gold", "limit": 5}, {"command": "limit", "user": "abc", "plan": "gold"},
                             {"command": "limit", "user": "abc", "limit": 7, "onLimit": "evict-oldest"},
                             {"command": "limit", "user": "abc", "limit": None}, {"command": "block", "user": "xyz", "message": "No."},
                             {"command": "start", "user": "xyz", "session": "s1"}, {"command": "unblock", "user": "xyz"},
                             {"command": "limit", "user": "abc", "plan": "gone"}, {"command": "plan", "plan": "default", "limit": 1})
        self.assertEqual([each["status"] for each in answers], [200, 200, 200, 200, 200, 409, 200, 400, 400])
        shown = self.answer(200, "GET", harness.limit_path("abc"))
        self.assertEqual((shown["limit"], shown["from"], shown["plan"], shown["onLimit"]), (5, "plan", "gold", "evict-oldest"))
        self.answer(200, "PUT", harness.limit_path("abc"), {"plan": None, "onLimit": None})
        shown = self.answer(200, "GET", harness.limit_path("abc"))
        self.assertEqual((shown["limit"], shown["from"], shown["onLimit"]), (3, "default", "deny"))

    def test_a_nightly_file_of_many_lines_in_seconds(self):
        lines = harness.rounds(100_000)
        file = self.daemon.folder / "nightly"
        file.write_text("".join(f'{{"command":"limit","user":"u{each}","limit":{1 + each % 9}}}\n' for each in range(lines)))
        began = time.monotonic()
        with open(file, encoding="utf-8") as text:
            done = subprocess.run([str(harness.CONCUR), "batch", "--timeout", "60s", "--socket", str(self.daemon.socket)], stdin=text,
                                  capture_output=True, check=False, timeout=harness.seconds(120), env=harness.clean_environment())
        took = time.monotonic() - began
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = done.stdout.splitlines()
        self.assertEqual(len(answers), lines)
        self.assertTrue(all(answer.startswith(b'{"status":200,') for answer in answers))
        print(f"{lines:,} limits in {took:.1f} s")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.answer(200, "GET", harness.limit_path(f"u{lines - 1}"))["limit"], 1 + (lines - 1) % 9)


if __name__ == "__main__":
    unittest.main()
