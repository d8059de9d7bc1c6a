"""Who shares: what the record holds and reports, in what space, and over what lives and clocks.

A flood of a million denials in each form: CONCUR_TEST_DENIALS=1000000 (default: 20,000).
"""

import os
import sqlite3
import unittest

import harness
from harness import SECOND, seconds
from streams import ask_batch, command

HOUR = 3600 * SECOND
DAY = 24 * HOUR
DENIALS = int(os.environ.get("CONCUR_TEST_DENIALS") or 20_000)
PART = 61 * SECOND  # after which what was counted is stored


class Recorded(unittest.TestCase):
    options = ()

    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = self.enterContext(harness.Daemon("--lease", "1h", *self.options, clock=self.clock, folder=folder))
        self.database = str(folder / "sessions.db")

    def report(self, query=""):
        with self.daemon.connect() as connection:
            answer = connection.get(f"/v1/report?{query}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def batch(self, lines):
        """The statuses of these commands."""
        statuses = []
        for begin in range(0, len(lines), 10_000):
            with self.daemon.connect(timeout=seconds(120)) as connection:
                statuses += [line["status"] for line in ask_batch(connection, b"".join(lines[begin:begin + 10_000])).lines()]
        return statuses

    def rows(self):
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as database:
            # A row of each hour and user, added up or not.
            return database.execute("SELECT count(*) FROM (SELECT hour, user FROM history "
                                    "UNION SELECT hour, user FROM history_parts)").fetchone()[0]

    def file_bytes(self):
        return os.stat(self.database).st_size


class Lives(Recorded):
    def watch(self, devices):
        with self.daemon.connect() as connection:
            for device in range(devices):
                connection.start("abc", f"s{device}", {"device": f"d{device}", "ip": f"2001:db8::{device}"})

    def test_what_was_recorded_outlives_a_restart_and_adds_up(self):
        self.watch(5)
        before = self.report()["users"]
        self.assertEqual([(each["user"], each["starts"], each["denials"], each["attemptedPeak"], each["devices"],
                           each["addresses"], each["score"]) for each in before], [("abc", 3, 2, 5, 5, 1, 2)])
        self.daemon.restart()
        self.assertEqual(self.report()["users"], before)
        with self.daemon.connect() as connection:
            connection.start("abc", "s9")
        self.assertEqual(self.report()["users"][0]["denials"], 3)

    def test_what_was_stored_outlives_kill_9(self):
        self.watch(5)
        before = self.report()["users"]  # a report stores what it reports
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.report()["users"], before)

    def test_hours_are_reported_one_by_one(self):
        self.watch(4)
        self.clock.advance(2 * HOUR)
        self.watch(5)
        hours = self.report("user=abc")["hours"]
        self.assertEqual([(each["hour"][11:13], each["attemptedPeak"]) for each in hours], [("16", 4), ("18", 5)])
        self.assertEqual(self.report("user=nobody")["users"], [])

    def test_one_session_that_many_people_renew(self):
        """Each is seen, though there is never more than one session (D8)."""
        with self.daemon.connect() as connection:
            for device, address in (("tv", "192.0.2.1"), ("phone", "198.51.100.2")):
                connection.start("abc", "tok", {"device": device, "ip": address})
            connection.start("xyz", "tok", {"ip": "192.0.2.1"})
            connection.start("xyz", "tok", {"ip": "198.51.100.2"})
            shown = connection.list("abc").json()["sessions"]
        self.assertEqual([(each["device"], each["ip"]) for each in shown], [("tv", "198.51.100.2")], "the latest address")
        self.assertEqual([(each["user"], each["starts"], each["devices"], each["addresses"], each["conflicts"], each["score"])
                          for each in self.report()["users"]], [("abc", 1, 2, 2, 1, 1), ("xyz", 1, 0, 2, 1, 1)])
        self.daemon.restart()
        with self.daemon.connect() as connection:
            self.assertEqual(connection.list("abc").json()["sessions"][0]["ip"], "198.51.100.2")

    def test_addresses_as_scripts_have_them(self):
        """All of these are two households (D11), however many ports and proxies there are."""
        with self.daemon.connect() as connection:
            for number, address in enumerate((
                    "192.0.2.1", "192.0.2.1:5555", "192.0.2.1, 10.0.0.1", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80",
                    "2001:db8::1", "[2001:DB8::1]:443", "2001:db8:0::1%eth0", "[2001:db8::1], 192.0.2.1")):
                connection.start("abc", f"s{number}", {"ip": address})
            shown = [each["ip"] for each in connection.list("abc").json()["sessions"]]
            self.assertEqual(shown, ["192.0.2.1"] * 3)
        self.assertEqual([(each["user"], each["addresses"]) for each in self.report()["users"]], [("abc", 2)])

    def test_a_detail_is_no_reason_to_refuse_a_viewer(self):
        with self.daemon.connect() as connection:
            bodies = [b"null", b"[]", b'{"device":null,"ip":"","content":null,"meta":[],"ttl":null,"limit":"","onLimit":null}']
            for number, body in enumerate(bodies):
                self.assertEqual(connection.start(f"u{number}", "s", body).status, 201, body)
            long = {"device": "d" * 500, "ip": "x" * 500, "content": "é" * 500, "meta": {"title": "é" * 900}}
            self.assertEqual(connection.start("u9", "s", long).status, 201)
            shown, = connection.list("u9").json()["sessions"]
            self.assertEqual((len(shown["device"]), shown["ip"], shown["content"]), (256, "x" * 256, "é" * 128))
            self.assertTrue("é" * 400 in shown["meta"]["title"], shown["meta"])
            self.assertEqual(connection.start("u9", "t", {**long, "device": "d" * 499 + "e"}).json()["concurrentSessions"], 2)

    def test_since_counts_back_from_now(self):
        self.watch(5)
        self.clock.advance(3 * HOUR)
        self.assertEqual(len(self.report("since=3h")["users"]), 1)
        self.assertEqual(len(self.report("since=2h")["users"]), 0)

    def test_a_clock_that_was_set_far_ahead_does_not_empty_the_record(self):
        self.watch(5)
        self.report()
        self.clock.jump_wall(365 * DAY)
        with self.daemon.connect() as connection:
            connection.start("another", "s1")
            connection.end("another", "s1")
        self.clock.jump_wall(-365 * DAY)
        self.assertEqual(self.report()["users"][0]["denials"], 2)

    def test_bad_questions_are_refused(self):
        with self.daemon.connect() as connection:
            for query in ("since=soon", "top=x", "top=1001", "user=", "whatIfLimit=-1"):
                self.assertEqual(connection.get(f"/v1/report?{query}").status, 400, query)


class Floods(Recorded):
    """However many denials there are, the record grows with users and hours alone, and gives its room back."""

    def store(self, rows):
        self.clock.advance(PART)
        harness.wait_until(lambda: self.rows() >= rows, "the record is stored", 300)

    def trim(self):
        before = self.file_bytes()
        self.clock.advance(31 * DAY)
        with self.daemon.connect() as connection:
            connection.start("tomorrow", "s1")
        harness.wait_until(lambda: self.rows() == 0, "the record is trimmed", 300)
        return before

    def test_against_one_user(self):
        self.batch([command("start", "abc", f"s{number}") for number in range(3)])
        self.store(1)
        memory, size = harness.resident_bytes(self.daemon.pid), self.file_bytes()
        for begin in range(0, DENIALS, 10_000):
            wanted = min(10_000, DENIALS - begin)
            statuses = self.batch([command("start", "abc", f"x{begin + number}", device=f"d{begin + number}")
                                   for number in range(wanted)])
            self.assertEqual(statuses, [409] * wanted)
        self.store(1)
        self.assertEqual(self.rows(), 1)
        reported = self.report()["users"][0]
        self.assertEqual(reported["denials"], DENIALS)
        self.assertEqual(reported["attemptedPeak"], 3 + 32)
        self.assertTrue(0.6 < reported["devices"] / DENIALS < 1.6, reported)
        self.assertLess(self.file_bytes() - size, 256 << 10)
        # What batches and their answers take, and the 65,536 events that are kept.
        self.assertLess(harness.resident_bytes(self.daemon.pid) - memory, harness.memory(64 << 20))
        self.trim()
        self.say("one user", memory, size)

    def say(self, who, memory, size):
        if DENIALS >= 1_000_000:
            print(f"{DENIALS:,} denials against {who}: memory {memory >> 10:,} KiB before, "
                  f"{harness.resident_bytes(self.daemon.pid) >> 10:,} KiB after; file {size >> 10:,} KiB before, "
                  f"{self.file_bytes() >> 10:,} KiB after trimming")

    def test_against_as_many_users(self):
        users = DENIALS // 4 if DENIALS < 1_000_000 else DENIALS
        memory, size = harness.resident_bytes(self.daemon.pid), self.file_bytes()
        self.batch([command("start", f"user{number // 3}", f"s{number}") for number in range(3 * users)])
        statuses = self.batch([command("start", f"user{number}", "denied", device="d") for number in range(users)])
        self.assertEqual(statuses, [409] * users)
        self.store(users)
        self.assertEqual(self.rows(), users)
        self.assertEqual(self.report("whatIfLimit=3")["whatIf"]["usersRefused"], users)
        before = self.trim()
        if before > 32 << 20:  # a small file keeps its room for the next flood
            harness.wait_until(lambda: self.file_bytes() < before // 2, "the file gives room back", 300)
        self.say(f"{users:,} users (peak of the file {before >> 10:,} KiB)", memory, size)


if __name__ == "__main__":
    unittest.main(verbosity=2)
