"""Why a session is gone: told for ten minutes or a lease, of who was evicted or purged over restarts too, however many they
were."""

import json
import sqlite3
import unittest

import harness
from harness import SECOND

LEASE = 90 * SECOND
REMEMBERED = 600 * SECOND


def commands(command, names):
    lines = [json.dumps({"command": command, "user": user, "session": session}) for user, session in names]
    return harness.request("POST", "/v1/batch", ("\n".join(lines) + "\n").encode())


class GoneTest(unittest.TestCase):
    options = ()

    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = harness.Daemon("--lease", "90s", *self.options, clock=self.clock, folder=folder)
        self.daemon.start()
        self.addCleanup(self.daemon.kill)

    def ask(self, what, *arguments):
        with self.daemon.connect() as connection:
            return getattr(connection, what)(*arguments)

    def start(self, *arguments):
        answer = self.ask("start", *arguments)
        self.assertEqual(answer.status, 201, answer)
        return answer.json()

    def purge(self, body):
        answer = self.ask("ask", harness.request("POST", "/v1/purge", body))
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["purged"]

    def status_of(self, user, session):
        return self.ask("heartbeat", user, session).status

    def told(self, user, session):
        """Why, as heartbeat and end tell it."""
        beat, end = self.ask("heartbeat", user, session), self.ask("end", user, session)
        self.assertEqual((beat.status, end.status), (410, 200), (beat, end))
        beat, end = beat.json(), end.json()
        self.assertFalse(end["ended"])
        self.assertEqual((beat["error"], beat["reason"], beat.get("evictedBy")),
                         ("session_gone", end["reason"], end.get("evictedBy")))
        return beat["reason"], beat.get("evictedBy")

    def restart_each_way(self):
        for stop in (self.daemon.stop, self.daemon.kill):
            stop()
            self.clock.advance(5 * SECOND)
            self.daemon.start()
            yield stop.__name__

    def stored(self):
        with sqlite3.connect(self.daemon.database) as database:
            return database.execute("SELECT count(*) FROM gone").fetchone()[0]


class OverARestart(GoneTest):
    def test_who_was_evicted_is_told_by_whom_and_when(self):
        evicted = harness.rfc3339(self.clock.wall)
        self.start("abc", "limit", {"device": "tv"})
        self.assertEqual(self.start("abc", "newer", {"limit": 1, "onLimit": "evict-oldest", "device": "phone"})["evicted"],
                         ["limit"])
        self.start("abc", "replaced")
        self.start("abc", "taker", {"replace": "replaced"})
        self.start("abc", "reconnected", {"device": "box"})
        self.start("abc", "again", {"device": "box"})
        for _ in self.restart_each_way():
            self.assertEqual(self.told("abc", "limit"),
                             ("evicted", {"session": "newer", "device": "phone", "at": evicted}))
            self.assertEqual(self.told("abc", "replaced"), ("evicted", {"session": "taker", "at": evicted}))
            self.assertEqual(self.told("abc", "reconnected"),
                             ("evicted", {"session": "again", "device": "box", "at": evicted}))

    def test_who_was_purged_is_told(self):
        self.start("abc", "s1")
        self.start("xyz", "s1")
        self.assertEqual(self.purge({"user": "abc"}), 1)
        self.assertEqual(self.purge({"all": True}), 1)
        for _ in self.restart_each_way():
            self.assertEqual(self.told("abc", "s1"), ("purged", None))
            self.assertEqual(self.told("xyz", "s1"), ("purged", None))

    def test_of_what_the_client_did_itself_nothing_is_known_any_more(self):
        self.start("abc", "ended")
        self.ask("end", "abc", "ended")
        self.start("abc", "expired")
        self.clock.advance(LEASE)
        self.assertEqual((self.told("abc", "ended")[0], self.told("abc", "expired")[0]), ("ended", "expired"))
        for _ in self.restart_each_way():
            for session in ("ended", "expired"):
                self.assertEqual(self.status_of("abc", session), 404)

    def test_nor_of_one_that_started_anew(self):
        self.start("abc", "s1")
        self.purge({"user": "abc"})
        self.start("abc", "s1")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.status_of("abc", "s1"), 200)
        self.ask("end", "abc", "s1")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.status_of("abc", "s1"), 404, "it ended, whatever was before")

    def test_for_ten_minutes_from_when_it_went(self):
        self.start("abc", "s1")
        self.start("abc", "long", {"ttl": 1200})
        self.purge({"user": "abc"})
        self.clock.advance(REMEMBERED - 10 * SECOND - 1)
        for _ in self.restart_each_way():
            pass
        self.assertEqual(self.told("abc", "s1")[0], "purged")
        self.clock.advance(1)
        self.assertEqual(self.status_of("abc", "s1"), 404)
        self.assertEqual(self.told("abc", "long")[0], "purged", "for its own lease is longer")
        harness.wait_until(lambda: self.stored() == 1, "its row is taken away")
        self.clock.advance(REMEMBERED)
        self.assertEqual(self.status_of("abc", "long"), 404)
        harness.wait_until(lambda: self.stored() == 0, "its row is taken away")

    def test_the_wall_clock_changes_nothing_of_that_in_the_same_boot(self):
        self.start("abc", "s1")
        self.purge({"user": "abc"})
        self.clock.jump_wall(86_400 * SECOND)
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.told("abc", "s1")[0], "purged")
        self.clock.advance(REMEMBERED)
        self.assertEqual(self.status_of("abc", "s1"), 404)


class Many(GoneTest):
    options = ("--limit", "0", "--start-rate", "0", "--max-sessions", "30000")
    NAMES = [(f"u{number % 100}", f"s{number}") for number in range(30_000)]

    def batches(self, command):
        """The statuses, how often each."""
        counts = {}
        with self.daemon.connect() as connection:
            for begin in range(0, len(self.NAMES), 5000):
                for line in connection.ask(commands(command, self.NAMES[begin:begin + 5000])).body.splitlines():
                    status = json.loads(line)["status"]
                    counts[status] = counts.get(status, 0) + 1
        return counts

    def test_a_purge_of_as_many_as_there_may_be_revives_nobody(self):
        self.assertEqual(self.batches("start"), {201: len(self.NAMES)})
        self.assertEqual(self.purge({"all": True}), len(self.NAMES))
        self.assertEqual(self.batches("heartbeat"), {410: len(self.NAMES)})
        for _ in self.restart_each_way():
            self.assertEqual(self.batches("heartbeat"), {410: len(self.NAMES)})
        # Beyond it those that went first are forgotten.
        self.start("abc", "one more")
        self.ask("end", "abc", "one more")
        self.assertEqual(self.batches("heartbeat"), {410: len(self.NAMES) - 1, 404: 1})
        self.clock.advance(REMEMBERED)
        self.assertEqual(self.batches("heartbeat"), {404: len(self.NAMES)})
        harness.wait_until(lambda: self.stored() == 0, "the rows are taken away", within=60)


if __name__ == "__main__":
    unittest.main()
