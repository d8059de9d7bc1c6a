"""Clocks that lie and machines that sleep or boot anew: leases, retryAfter and the hold-off run on a clock that nobody
can set.

The clocks are those of tests/support/test_clock.c, so all of it is to the millisecond and none of it takes its time.
(The same jumps in an evening of thousands of users: replay_evening.py.)"""

import datetime
import itertools
import subprocess
import time
import unittest

import harness
from harness import SECOND, rfc3339

DAY = 86_400 * SECOND
LEASE = 90 * SECOND
INTERVAL = LEASE // 3
HOLD_OFF = 180 * SECOND
ODDLY_LEASED = {"short": 5 * SECOND, "usual": LEASE, "long": 3600 * SECOND}
JUMPS = (DAY, -2 * DAY, DAY)


class ClockTest(unittest.TestCase):
    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = harness.Daemon("--lease", "90s", "--limit", "3", clock=self.clock, folder=folder)
        self.enterContext(self.daemon)
        self.jumped = 0  # by how much the wall clock is off what it would be

    def ask(self, what, *arguments):
        with self.daemon.connect() as connection:
            return getattr(connection, what)(*arguments)

    def assert_answers(self, status, what, *arguments):
        answer = self.ask(what, *arguments)
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def sessions(self, user):
        return {each["session"]: each for each in self.assert_answers(200, "list", user)["sessions"]}

    def shown(self, boot):
        """An instant of the boot clock, as it is to be shown now."""
        return rfc3339(boot - self.clock.boot + self.clock.wall)

    def evict(self, user):
        """Has an active session `loser`, on the device `tv`, evicted by `winner`. The user's limit becomes 1."""
        self.assert_answers(200, "limit", user, {"limit": 1})
        self.assert_answers(201, "start", user, "loser", {"device": "tv", "ttl": 7200})
        reported = self.assert_answers(201, "start", user, "winner", {"onLimit": "evict-oldest", "ttl": 7200})
        self.assertEqual(reported["evicted"], ["loser"])

    def hold_off(self, user):
        """The hold-off of `loser` as a denial gives it, in milliseconds; it is the same for its device."""
        reported = [self.assert_answers(409, "start", user, *start)["holdOff"]
                for start in (("loser", {"onLimit": "evict-oldest"}), ("loser", {"replace": "winner"}),
                              ("other", {"onLimit": "evict-oldest", "device": "tv"}))]
        self.assertEqual(len(set(reported)), 1, reported)
        return round(reported[0] * 1000)

    def assert_may_evict_again(self, user):
        reported = self.assert_answers(201, "start", user, "loser", {"replace": "winner"})
        self.assertEqual(reported["evicted"], ["winner"])


class WallClock(ClockTest):
    def test_leases_and_retry_after_do_not_heed_it_and_times_shown_follow_it(self):
        began = self.clock.boot
        for session in ("s1", "s2", "s3"):
            self.assert_answers(201, "start", "abc", session)
        for number, jump in enumerate(JUMPS, 1):
            self.clock.advance(10 * SECOND)
            self.clock.jump_wall(jump)
            denied = self.assert_answers(409, "start", "abc", "s4")
            self.assertEqual(denied["retryAfter"], (LEASE - number * 10 * SECOND) / 1000)
            for session in self.sessions("abc").values():
                self.assertEqual([session[name] for name in ("startedAt", "lastSeenAt", "expiresAt")],
                                 [self.shown(began), self.shown(began), self.shown(began + LEASE)])
        self.clock.advance(LEASE - 30 * SECOND - 1)
        self.clock.jump_wall(-DAY)
        self.assertEqual(len(self.sessions("abc")), 3)
        renewed = self.assert_answers(200, "heartbeat", "abc", "s1")
        self.assertEqual(renewed["expiresAt"], self.shown(self.clock.boot + LEASE))
        self.clock.advance(1)
        self.assertEqual(list(self.sessions("abc")), ["s1"])
        self.clock.jump_wall(DAY)
        self.assertEqual(self.assert_answers(410, "heartbeat", "abc", "s2")["reason"], "expired")

    def test_a_hold_off_does_not_heed_it_and_the_eviction_is_shown_by_it(self):
        self.evict("abc")
        evicted = self.clock.boot
        for number, jump in enumerate(JUMPS, 1):
            self.clock.advance(20 * SECOND)
            self.clock.jump_wall(jump)
            self.assertEqual(self.hold_off("abc"), HOLD_OFF - number * 20 * SECOND)
            gone = self.assert_answers(410, "heartbeat", "abc", "loser")
            self.assertEqual(gone["evictedBy"], {"session": "winner", "at": self.shown(evicted)})
        self.clock.advance(HOLD_OFF - 60 * SECOND - 1)
        self.assertEqual(self.hold_off("abc"), 1)
        self.clock.jump_wall(-DAY)
        self.clock.advance(1)
        self.assert_may_evict_again("abc")

    def test_nor_does_a_hold_off_over_a_restart_in_the_same_boot(self):
        for number, (jump, stop) in enumerate(itertools.product(JUMPS, (self.daemon.stop, self.daemon.kill))):
            with self.subTest(jump=jump, stop=stop.__name__):
                user = f"u{number}"
                self.evict(user)
                self.clock.advance(50 * SECOND)
                stop()
                self.clock.jump_wall(jump)
                self.clock.advance(25 * SECOND)
                self.daemon.start()
                self.assertEqual(self.hold_off(user), HOLD_OFF - 75 * SECOND)
                self.clock.advance(HOLD_OFF - 75 * SECOND - 1)
                self.assertEqual(self.hold_off(user), 1)
                self.clock.advance(1)
                self.assert_may_evict_again(user)


class Suspend(ClockTest):
    def test_each_session_has_an_interval_left_and_no_more_than_its_lease(self):
        for name, lease in ODDLY_LEASED.items():
            self.assert_answers(201, "start", "abc", name, {"ttl": lease // 1000})
        self.clock.suspend(self.daemon, 600 * SECOND)
        woken = self.clock.boot
        expires = {name: each["expiresAt"] for name, each in self.sessions("abc").items()}
        self.assertEqual(expires, {
            "short": self.shown(woken + 5 * SECOND // 3),
            "usual": self.shown(woken + INTERVAL),
            "long": self.shown(woken - 600 * SECOND + 3600 * SECOND),
        })
        self.clock.advance(INTERVAL - 1)
        self.assertEqual(list(self.sessions("abc")), ["usual", "long"])
        self.clock.advance(1)
        self.assertEqual(list(self.sessions("abc")), ["long"])

    def test_what_had_expired_before_it_stays_so(self):
        self.assert_answers(201, "start", "abc", "before", {"ttl": 5})
        self.clock.advance(5 * SECOND)
        self.assertEqual(self.sessions("abc"), {})
        self.clock.suspend(self.daemon, 600 * SECOND)
        self.assertEqual(self.assert_answers(410, "heartbeat", "abc", "before")["reason"], "expired")

    def test_one_after_the_other_make_nothing_immortal(self):
        self.assert_answers(201, "start", "abc", "s1")
        for _ in range(10):
            # Each sleep may give one interval more, but only to whom the last one's is not over.
            self.clock.suspend(self.daemon, 600 * SECOND)
            self.assertEqual(list(self.sessions("abc")), ["s1"])
            self.clock.advance(INTERVAL - 1)
            self.assertEqual(list(self.sessions("abc")), ["s1"])
        self.clock.advance(1)
        self.assertEqual(self.sessions("abc"), {})

    def test_a_hold_off_goes_on_while_the_machine_sleeps(self):
        self.evict("abc")
        self.clock.suspend(self.daemon, 100 * SECOND)
        self.assertEqual(self.hold_off("abc"), HOLD_OFF - 100 * SECOND)
        self.clock.suspend(self.daemon, 80 * SECOND)
        self.assert_may_evict_again("abc")


class Reboot(ClockTest):
    """The boot clock begins anew, and the wall clock, which alone shows how long it took, may be wrong."""

    WALLS = {"right": 0, "a day ahead": DAY, "a day behind": -DAY, "a month ahead": 31 * DAY, "lost": None}
    TOOK = 40 * SECOND

    def reboot(self, stop, wall):
        """Returns how long it took, as far as the wall clock shows, which is what the daemon has to go by."""
        stop()
        off = -self.clock.wall if wall is None else wall  # a machine without a battery begins in 1970
        self.clock.reboot(7 * SECOND, self.clock.wall + self.TOOK + off)
        self.daemon.start()
        return self.TOOK + off

    def each_case(self):
        for (name, wall), stop in itertools.product(self.WALLS.items(), (self.daemon.stop, self.daemon.kill)):
            # From the same point each time; else the wall clocks of the cases before would add up.
            self.daemon.kill()
            self.clock.reboot(5_000_000 * SECOND, 1_795_449_600 * SECOND)
            self.daemon.start()
            with self.daemon.connect() as connection:
                connection.ask(harness.request("POST", "/v1/purge", {"all": True}))
            yield f"{name}, {stop.__name__}", lambda wall=wall, stop=stop: self.reboot(stop, wall)

    def test_each_session_has_between_an_interval_and_its_lease(self):
        for user, reboot in self.each_case():
            with self.subTest(user):
                for name, lease in ODDLY_LEASED.items():
                    self.assert_answers(201, "start", user, name, {"ttl": lease // 1000})
                self.clock.advance(2 * SECOND)
                took = reboot() + 2 * SECOND
                sessions = self.sessions(user)
                self.assertEqual(list(sessions), list(ODDLY_LEASED), "none has expired")
                left = {name: min(lease, max(lease // 3, lease - took)) for name, lease in ODDLY_LEASED.items()}
                self.assertEqual({name: each["expiresAt"] for name, each in sessions.items()},
                                 {name: rfc3339(self.clock.wall + each) for name, each in left.items()})
                self.assertEqual(self.assert_answers(409, "start", user, "s4")["retryAfter"], min(left.values()) / 1000)
                for name in sorted(left, key=left.get):
                    self.clock.advance(left[name] - 1 - (self.clock.boot - 7 * SECOND))
                    self.assertIn(name, self.sessions(user))
                    self.clock.advance(1)
                    self.assertNotIn(name, self.sessions(user))
                self.assertEqual(self.sessions(user), {}, "none lives for ever")

    def test_a_hold_off_lasts_three_minutes_at_most(self):
        for user, reboot in self.each_case():
            with self.subTest(user):
                self.evict(user)
                self.clock.advance(10 * SECOND)
                took = reboot() + 10 * SECOND
                left = min(HOLD_OFF, HOLD_OFF - took)
                if left > 0:
                    self.assertEqual(self.hold_off(user), left)
                    self.clock.advance(left - 1)
                    self.assertEqual(self.hold_off(user), 1)
                    self.clock.advance(1)
                self.assert_may_evict_again(user)

    def test_limits_and_plans_do_not_heed_it(self):
        for user, reboot in self.each_case():
            with self.subTest(user):
                self.assert_answers(200, "plan", "premium", {"limit": 2, "onLimit": "evict-oldest"})
                self.assert_answers(200, "limit", user, {"plan": "premium"})
                before = self.assert_answers(200, "limit", user)
                reboot()
                self.assertEqual(self.assert_answers(200, "limit", user), before)
                self.assertEqual(before["limit"], 2)

    def test_where_the_system_does_not_tell_its_boots_apart_each_start_is_taken_for_a_new_boot(self):
        self.assert_answers(201, "start", "abc", "s1")
        self.evict("def")
        for jump, left, held_off in ((0, LEASE - 20 * SECOND, HOLD_OFF - 20 * SECOND), (-DAY, LEASE, HOLD_OFF),
                                     (DAY, LEASE - 60 * SECOND, HOLD_OFF - 60 * SECOND), (DAY, INTERVAL, 0)):
            self.daemon.stop()
            self.clock.boot_id.write_text("")
            self.clock.jump_wall(jump)
            self.clock.advance(20 * SECOND)
            self.daemon.start()
            self.assertEqual(self.sessions("abc")["s1"]["expiresAt"], self.shown(self.clock.boot + left))
            if held_off:
                self.assertEqual(self.hold_off("def"), held_off)
        self.assert_may_evict_again("def")

    def test_one_after_the_other_with_clocks_ever_wronger_make_nothing_immortal(self):
        self.assert_answers(201, "start", "abc", "s1")
        self.evict("def")
        for round_number in range(6):
            self.reboot(self.daemon.kill if round_number % 2 else self.daemon.stop, -DAY)
            self.assertEqual(list(self.sessions("abc")), ["s1"])
            self.assertLessEqual(self.hold_off("def"), HOLD_OFF)
            self.clock.advance(5 * SECOND)
        self.clock.advance(LEASE - 5 * SECOND)
        self.assertEqual(self.sessions("abc"), {})
        self.clock.advance(HOLD_OFF - LEASE)
        self.assert_may_evict_again("def")


class TimeNamespace(unittest.TestCase):
    """The kernel's own clocks, with nothing preloaded: the boot clock is moved by a time namespace, as by the migration
    of a container, while the boot id stays. It must not be believed."""

    DAY_AHEAD = ["unshare", "--time", "--boottime", str(DAY // 1000)]

    def setUp(self):
        try:
            subprocess.run([*self.DAY_AHEAD, "true"], check=True, capture_output=True, timeout=harness.seconds(20))
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("needs a kernel with time namespaces, and the right to make one")
        self.daemon = harness.Daemon("--lease", "3600s", "--limit", "2")
        self.addCleanup(self.daemon.kill)

    def start(self, launcher):
        self.daemon.launcher = launcher
        self.daemon.start()

    def ask(self, what, *arguments):
        with self.daemon.connect() as connection:
            return getattr(connection, what)(*arguments)

    def test_a_boot_clock_a_day_off_leaves_each_session_between_an_interval_and_its_lease(self):
        for stop, launchers in itertools.product((self.daemon.stop, self.daemon.kill),
                                                 (([], self.DAY_AHEAD), (self.DAY_AHEAD, []))):
            with self.subTest(stop=stop.__name__, goes="ahead" if not launchers[0] else "back"):
                user = f"user of {stop.__name__} {len(launchers[0])}"
                self.start(launchers[0])
                self.assertEqual(self.ask("start", user, "s1", {"ttl": 7200}).status, 201)
                self.assertEqual(self.ask("start", user, "s2").status, 201)
                self.assertEqual(self.ask("start", user, "s3", {"onLimit": "evict-oldest"}).json()["evicted"], ["s1"])
                stop()
                before = time.time()
                self.start(launchers[1])
                listed = self.ask("list", user).json()["sessions"]
                denied = self.ask("start", user, "s1", {"onLimit": "evict-oldest"})
                after = time.time()
                self.assertEqual([each["session"] for each in listed], ["s2", "s3"])
                for each in listed:
                    expires = datetime.datetime.fromisoformat(each["expiresAt"].replace("Z", "+00:00")).timestamp()
                    self.assertGreaterEqual(expires, before + 1200 - 0.01)
                    # Ahead, the leases seem to have run out while the daemon was down; back, they have yet to begin.
                    self.assertLessEqual(expires, after + (3600 if launchers[0] else 1200) + 0.01)
                if denied.status == 409:
                    self.assertLessEqual(denied.json()["holdOff"], HOLD_OFF / 1000)
                else:  # a day has passed, as far as the daemon can know
                    self.assertEqual((denied.status, launchers[0]), (201, []))
                self.daemon.kill()


if __name__ == "__main__":
    unittest.main()
