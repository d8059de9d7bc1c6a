"""A start that is one too many is let in for a while (overlap), as users see it.

(The rules, with clocks that stand still: tests/unit/session/registry_overlap_test.cpp; over a fleet: the units of Desks. Against
the model: replay_evening. `concur run`: tests/cli/run.bats.)"""

import json
import unittest

import harness
from harness import SECOND, request
from test_blocks import Operators


class Overlap(Operators):
    options = ("--limit", "1", "--overlap", "5s", "--lease", "600s")

    def grace(self):
        return {"provisional": True, "graceEndsAt": harness.rfc3339(self.clock.wall + 5 * SECOND)}

    def events(self):
        """All of them, without what tells them apart."""
        wanted = self.answer(200, "GET", "/v1/status")["events"]["seq"]
        with self.daemon.connect() as connection:
            connection.send(request("GET", "/v1/events?since=0"))
            received, lines = b"", []
            while not lines or lines[-1]["seq"] < wanted:
                received += connection.socket.recv(1 << 16)
                lines = [json.loads(line) for line in received.splitlines(keepends=True)
                         if line.startswith(b"{") and line.endswith(b"\n")]
        return [{what: line[what] for what in ("event", "session", "provisional", "graceEndsAt", "concurrentSessions") if what in line}
                for line in lines]

    def metric(self, name):
        text = self.ask("GET", "/metrics").body.decode()
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"concurrencyd_{name} "))

    def test_it_stays_where_the_other_ends_by_then(self):
        self.start("abc", "s1")
        grace = self.grace()
        for answer in (self.start("abc", "s2"), self.beat("abc", "s2")):
            self.assertEqual({what: answer[what] for what in grace}, grace)
        listed = self.answer(200, "GET", "/v1/users/abc/sessions")["sessions"]
        self.assertEqual([each.get("graceEndsAt") for each in listed], [None, grace["graceEndsAt"]])
        self.assertNotIn("provisional", self.beat("abc", "s1"))
        self.answer(200, "DELETE", harness.session_path("abc", "s1"))
        self.clock.advance(5 * SECOND)
        self.assertNotIn("provisional", self.beat("abc", "s2"))
        self.assertEqual(self.events(), [
            {"event": "started", "session": "s1", "concurrentSessions": 1},
            {"event": "started", "session": "s2", "concurrentSessions": 2, **grace},
            {"event": "ended", "session": "s1", "concurrentSessions": 1},
            {"event": "started", "session": "s2", "concurrentSessions": 1, "provisional": False}])
        self.assertEqual(self.metric('overlaps_total{outcome="stayed"}'), 1)

    def test_it_ends_where_the_other_goes_on_and_nobody_need_ask(self):
        self.start("abc", "s1")
        self.start("abc", "s2")
        self.assertEqual(self.start("abc", "s3", status=409)["concurrentSessions"], 2)
        self.clock.advance(5 * SECOND)
        harness.wait_until(lambda: self.metric('overlaps_total{outcome="denied"}') == 1, "the sweeper came by")
        gone = self.beat("abc", "s2", status=410)
        self.assertEqual((gone["error"], gone["reason"]), ("session_gone", "denied"))
        self.assertEqual(self.events()[-1], {"event": "denied", "session": "s2", "provisional": True, "concurrentSessions": 1})
        refused = self.ask("GET", "/v1/authorize?user=abc&session=s2")
        self.assertEqual((refused.status, refused.header("X-Concur-Reason")), (403, "limit_reached"))
        self.start("abc", "s4", status=409)
        self.clock.advance(10 * SECOND)
        self.assertTrue(self.start("abc", "s4")["provisional"])
        report = self.answer(200, "GET", "/v1/report?user=abc")["users"]
        self.assertEqual(report[0]["denials"], 4)  # of s2 when its time was over, and three answers

    def test_over_kill_9_it_is_judged_at_the_first_look_and_remembered(self):
        self.start("abc", "s1")
        grace = self.grace()
        self.start("abc", "s2", {"limit": 1})
        self.daemon.kill()
        self.clock.advance(4 * SECOND)
        self.daemon.start()
        self.assertEqual(self.beat("abc", "s2")["graceEndsAt"], grace["graceEndsAt"])
        self.daemon.kill()
        self.clock.advance(60 * SECOND)
        self.daemon.start()
        self.assertEqual(self.beat("abc", "s2", status=410)["reason"], "denied")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.beat("abc", "s2", status=410)["reason"], "denied")
        self.assertEqual(self.answer(200, "GET", "/v1/users/abc/sessions")["concurrentSessions"], 1)

    def test_a_proxy_s_viewer_goes_on_while_it_is_let_in(self):
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=old").status, 204)
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=new").status, 204)
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=third").status, 403)
        self.clock.advance(5 * SECOND)
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=new").status, 403)
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=old").status, 204)

    def test_it_is_explained_and_shown_and_reloaded(self):
        self.start("abc", "s1")
        said = self.answer(200, "POST", "/v1/users/abc/explain")
        self.assertEqual((said["would"], said["provisional"]), ("start", True))
        self.assertIn("for a while", said["message"])
        self.assertEqual(self.answer(200, "GET", "/v1/status")["overlap"], 5)

    def test_a_waiting_start_is_let_in_when_it_has_to_go(self):
        """Overlap goes before waiting; and who waits behind it gets the room when it ends."""
        self.start("abc", "s1")
        self.assertTrue(self.start("abc", "s2", {"wait": 60})["provisional"])
        with self.daemon.connect() as connection:
            connection.send(harness.start_request("abc", "s3", {"wait": 60}))
            harness.wait_until(lambda: self.answer(200, "GET", "/v1/status")["waiting"] == 1, "it waits")
            self.answer(200, "DELETE", harness.session_path("abc", "s1"))
            self.answer(200, "DELETE", harness.session_path("abc", "s2"))
            answer = connection.receive()
        self.assertEqual((answer.status, "provisional" in answer.json()), (201, False))


if __name__ == "__main__":
    unittest.main()
