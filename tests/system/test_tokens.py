"""The tokens of starts, as requests have them: which start a repeat, a heartbeat or an end means, also after a crash."""

import json
import pathlib
import shutil
import sqlite3
import unittest

import harness
from harness import SECOND

BEAT = "/v1/users/v/sessions/dev1/heartbeat"
SESSION = "/v1/users/v/sessions/dev1"
OLD = harness.REPOSITORY / "tests" / "system" / "data" / "3a1dec2.db"


class Tokens(unittest.TestCase):
    def setUp(self):
        self.folder = harness.private_folder()
        self.clock = harness.TestClock(self.folder)
        self.daemon = self.enterContext(harness.Daemon("--lease", "600s", clock=self.clock, folder=self.folder))
        self.connection = self.enterContext(self.daemon.connect())

    def ask(self, method, target, body=None):
        return self.connection.ask(harness.request(method, target, body))

    def start(self, body=None):
        return self.ask("PUT", SESSION, body).json()["start"]

    def assert_renewed(self, token, body=None):
        answer = self.ask("POST", BEAT, body)
        self.assertEqual((answer.status, answer.json()["start"]), (200, token), answer)

    def assert_other_start(self, answer, status):
        said = answer.json()
        self.assertEqual((answer.status, said["reason"]), (status, "other_start"), answer)
        self.assertNotIn("evictedBy", said)

    def active(self):
        return self.connection.list("v").json()["sessions"]

    def test_a_late_end_changes_nothing(self):
        first, second = self.start(), self.start()
        before = self.active()
        for answer in (self.ask("DELETE", f"{SESSION}?start={first}"),
                       self.ask("POST", f"{SESSION}/end?start={first}", {"anything": 1}),
                       self.ask("POST", f"{SESSION}/end?x=y&start={first}")):
            self.assert_other_start(answer, 200)
            self.assertEqual(answer.json(), {"user": "v", "session": "dev1", "ended": False, "concurrentSessions": 1,
                                             "reason": "other_start"})
        self.assert_other_start(self.ask("POST", BEAT, {"start": first, "ttl": 60}), 410)
        self.assertEqual(self.active(), before)
        self.assertTrue(self.ask("POST", f"{SESSION}/end?start={second}").json()["ended"])

    def test_a_repeat_with_the_present_token_renews_as_itself(self):
        first = self.start()
        self.assertEqual(self.start({"start": first, "content": "film"}), first)
        second = self.start()
        self.assertNotEqual(second, first)
        self.assertNotIn(self.start({"start": first}), (first, second))  # of an earlier one, it is another start

    def test_a_token_of_a_session_that_ended_means_no_later_one(self):
        first = self.start()
        self.ask("DELETE", f"{SESSION}?start={first}")
        self.assertEqual(self.ask("POST", BEAT, {"start": first}).json()["reason"], "ended")
        second = self.start({"start": first})
        self.assertNotEqual(second, first)
        self.assert_other_start(self.ask("DELETE", f"{SESSION}?start={first}"), 200)
        self.assert_renewed(second, {"start": second})

    def test_in_a_batch(self):
        first, second = self.start(), self.start()
        lines = [{"command": "heartbeat", "start": first}, {"command": "heartbeat", "start": second, "ttl": 60},
                 {"command": "start", "start": second}, {"command": "end", "start": first}, {"command": "end", "start": "x"},
                 {"command": "end", "ttl": 60}, {"command": "end", "start": second}]
        body = b"".join(json.dumps({**line, "user": "v", "session": "dev1"}).encode() + b"\n" for line in lines)
        answers = [json.loads(line) for line in self.ask("POST", "/v1/batch", body).body.splitlines()]
        self.assertEqual([each["status"] for each in answers], [410, 200, 200, 200, 400, 400, 200])
        self.assertEqual([each.get("reason") for each in answers],
                         ["other_start", None, None, "other_start", None, None, None])
        self.assertEqual((answers[1]["heartbeatInterval"], answers[2]["start"], answers[6]["ended"]), (20, second, True))

    def test_what_is_no_token_is_invalid_and_nothing_as_absent(self):
        token = self.start()
        for text in ("x", "1", token + " ", token.upper() + "G", "0" + token, token + ".1", "\u0661.1", "f" * 17 + ".0"):
            for answer in (self.ask("POST", BEAT, {"start": text}), self.ask("PUT", SESSION, {"start": text}),
                           self.ask("DELETE", f"{SESSION}?start={harness.segment(text)}"),
                           self.ask("POST", f"{SESSION}/end?start={harness.segment(text)}")):
                self.assertEqual((answer.status, answer.json()["error"]), (400, "invalid_request"), text)
        for body in ({"start": 1}, {"start": []}, {"start": {}}, {"starts": token}, {"start": token, "device": "tv"}):
            self.assertEqual(self.ask("POST", BEAT, body).status, 400, body)
        self.assertEqual(self.ask("DELETE", f"{SESSION}?starts={token}").status, 400)
        for body in (None, {}, b"null", {"start": None, "ttl": None}, {"start": "", "ttl": ""}):
            self.assert_renewed(token, body)
        self.assertTrue(self.ask("DELETE", f"{SESSION}?start=").json()["ended"])

    def test_the_first_services_api_keeps_the_token_and_its_bytes(self):
        token = self.start()
        answer = self.ask("GET", "/startSession/userId/v/sessionId/dev1")
        self.assertEqual((answer.status, answer.body), (200, b'{"user":"v","concurrentSessions":1}'))
        self.assert_renewed(token, {"start": token})

    def test_a_heartbeats_lease_survives_a_crash(self):
        self.start()
        self.assertEqual(self.ask("POST", BEAT, {"ttl": "30m"}).json()["heartbeatInterval"], 600)
        self.daemon.kill()
        self.clock.advance(1200 * SECOND)
        self.daemon.start()
        with self.daemon.connect() as connection:
            self.assertEqual(connection.list("v").json()["sessions"][0]["expiresAt"], self.shown(600 * SECOND))

    def shown(self, later):
        return harness.rfc3339(self.clock.wall + later)

    def test_after_a_crash_a_newer_one_than_remembered_is_accepted(self):
        first = self.start()
        self.clock.advance(SECOND)
        second = self.start()
        self.clock.advance(SECOND)
        third = self.start()
        self.daemon.kill()
        self.daemon.start()
        self.connection = self.enterContext(self.daemon.connect())
        self.assert_renewed(third, {"start": third})
        for earlier in (first, second):
            self.assert_other_start(self.ask("POST", BEAT, {"start": earlier}), 410)
            self.assert_other_start(self.ask("DELETE", f"{SESSION}?start={earlier}"), 200)
        self.assertTrue(self.ask("DELETE", f"{SESSION}?start={third}").json()["ended"])

    def test_after_a_crash_no_start_gets_a_token_that_was_given_before(self):
        given = [self.start() for _ in range(20)]
        self.clock.advance(SECOND)
        self.daemon.kill()
        self.daemon.start()
        self.connection = self.enterContext(self.daemon.connect())
        latest = self.start()
        self.assertNotIn(latest, given)
        self.assert_other_start(self.ask("DELETE", f"{SESSION}?start={given[-1]}"), 200)
        self.assert_renewed(latest)

    def test_a_clean_stop_forgets_nothing(self):
        given = [self.start() for _ in range(3)]
        self.daemon.restart()
        self.connection = self.enterContext(self.daemon.connect())
        self.assert_other_start(self.ask("DELETE", f"{SESSION}?start={given[1]}"), 200)
        self.assert_renewed(given[2])

    def test_an_end_of_a_session_of_an_earlier_run_ends_no_later_one(self):
        """Though that run left nothing in the database by which one could tell."""
        old = self.start()
        self.ask("DELETE", SESSION)
        self.clock.advance(SECOND)
        self.daemon.restart()
        self.connection = self.enterContext(self.daemon.connect())
        self.start()
        self.assert_other_start(self.ask("DELETE", f"{SESSION}?start={old}"), 200)


class OfAnOlderDatabase(unittest.TestCase):
    def test_sessions_of_an_older_database_have_tokens_and_keep_them(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        clock.advance(2 * SECOND)
        daemon = harness.Daemon("--lease", "600s", clock=clock, folder=folder)
        shutil.copy(OLD, daemon.database)
        with daemon:
            with daemon.connect() as connection:
                token = connection.heartbeat("plain", "s1").json()["start"]
                later = connection.start("plain", "s1").json()["start"]
                self.assertNotEqual(token, later)
            daemon.restart()
            with daemon.connect() as connection:
                self.assertEqual(connection.heartbeat("plain", "s1").json()["start"], later)
                late = connection.ask(harness.request("DELETE", f"/v1/users/plain/sessions/s1?start={token}")).json()
                self.assertEqual((late["ended"], late["reason"]), (False, "other_start"))
        with sqlite3.connect(pathlib.Path(daemon.database)) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM sessions WHERE start > 0").fetchone(), (1,))


if __name__ == "__main__":
    unittest.main()
