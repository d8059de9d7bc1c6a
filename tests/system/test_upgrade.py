"""A database that an older daemon wrote is taken over whole: sessions, limits, plans, hold-offs and the record.

`data/3a1dec2.db` was written by the daemon of that commit, under a test clock whose boot and instant are known, by:

    plans: premium (5, deny), unused (1)       limits: abc (2, evict-oldest), zoë müller (plan premium)
    abc: s1 on tv; s2 on phone, ttl 1200; s3 on tablet, which evicted s1
    zoë müller: séance 1      plain: s1 to s3, and s4 denied      ended: s1, which ended
"""

import shutil
import unittest

import harness
from harness import SECOND

DATABASE = harness.REPOSITORY / "tests" / "system" / "data" / "3a1dec2.db"
STOPPED = 2 * SECOND  # by the clock below, when that daemon was stopped


class Upgrade(unittest.TestCase):
    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)  # the same boot of the same machine
        self.clock.advance(STOPPED)
        self.daemon = harness.Daemon("--lease", "600s", clock=self.clock, folder=folder)
        shutil.copy(DATABASE, self.daemon.database)
        self.enterContext(self.daemon)
        self.connection = self.enterContext(self.daemon.connect())

    def sessions_of(self, user):
        return self.connection.list(user).json()["sessions"]

    def test_sessions_are_as_they_were(self):
        self.assertEqual(self.sessions_of("abc"), [
            {"session": "s2", "startedAt": "2026-11-23T16:00:01.000Z", "lastSeenAt": "2026-11-23T16:00:01.000Z",
             "expiresAt": "2026-11-23T16:20:01.000Z", "device": "phone"},
            {"session": "s3", "startedAt": "2026-11-23T16:00:02.000Z", "lastSeenAt": "2026-11-23T16:00:02.000Z",
             "expiresAt": "2026-11-23T16:10:02.000Z", "device": "tablet"}])
        self.assertEqual(self.sessions_of("zoë müller"), [
            {"session": "séance 1", "startedAt": "2026-11-23T16:00:02.000Z", "lastSeenAt": "2026-11-23T16:00:02.000Z",
             "expiresAt": "2026-11-23T16:10:02.000Z", "ip": "2001:db8::1", "content": "film/1", "meta": {"app": "4.2"}}])
        self.assertEqual([each["session"] for each in self.sessions_of("plain")], ["s1", "s2", "s3"])
        self.assertEqual(self.sessions_of("ended"), [])
        self.assertEqual(self.connection.get("/v1/status").json()["sessions"], 6)

    def test_limits_and_plans_hold(self):
        said = self.connection.limit("abc").json()
        self.assertEqual((said["limit"], said["from"], said["onLimit"]), (2, "user", "evict-oldest"))
        said = self.connection.limit("zoë müller").json()
        self.assertEqual((said["limit"], said["from"], said["plan"], said["onLimit"]), (5, "plan", "premium", "deny"))
        self.assertEqual([each["plan"] for each in self.connection.get("/v1/plans").json()["plans"]], ["premium", "unused"])

    def test_who_was_evicted_is_held_off_until_its_time_is_over(self):
        for session, device in (("s1", "other"), ("new", "tv")):  # by session and by device
            answer = self.connection.start("abc", session, {"device": device})
            self.assertEqual((answer.status, answer.json().get("holdOff")), (409, 180), answer)
        self.clock.advance(180 * SECOND)
        self.assertEqual(self.connection.start("abc", "new", {"device": "tv"}).json()["evicted"], ["s2"])

    def test_the_record_goes_on(self):
        report = self.connection.get("/v1/report?since=1d").json()
        said = {each["user"]: {name: each[name] for name in ("starts", "denials", "evictions", "peak", "attemptedPeak",
                                                             "devices", "addresses", "score")}
                for each in report["users"]}
        self.assertEqual(said, {
            "abc": {"starts": 3, "denials": 0, "evictions": 1, "peak": 2, "attemptedPeak": 3, "devices": 3,
                    "addresses": 1, "score": 1},
            "plain": {"starts": 3, "denials": 1, "evictions": 0, "peak": 3, "attemptedPeak": 4, "devices": 4,
                      "addresses": 4, "score": 1}})
        self.connection.start("plain", "s5", {"device": "d5"})
        report = self.connection.get("/v1/report?since=1d").json()
        figures, = [each for each in report["users"] if each["user"] == "plain"]
        self.assertEqual((figures["denials"], figures["devices"]), (2, 5))

    def test_it_outlives_a_kill(self):
        self.assertEqual(self.connection.start("new", "s1").status, 201)
        self.daemon.kill()
        self.daemon.start()
        with self.daemon.connect() as connection:
            self.assertEqual(connection.get("/v1/status").json()["sessions"], 7)


if __name__ == "__main__":
    unittest.main()
