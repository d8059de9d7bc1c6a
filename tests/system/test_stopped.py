"""A daemon that is stopped for a while (SIGSTOP, a debugger, a frozen container) and goes on: leases are judged by the time
that passed, what was asked meanwhile is answered, and nobody who gave a sign of life in time is lost.

The minute passes on a clock that the test sets; one stop is real, of seconds, or a minute with CONCUR_TEST_LONG=1.
"""

import os
import signal
import time
import unittest

import faults
import harness
from harness import SECOND

USERS = 200


class Stopped:
    """The daemon stands still in this block."""

    def __init__(self, daemon):
        self.daemon = daemon

    def __enter__(self):
        os.kill(self.daemon.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.daemon.pid, os.WSTOPPED)

    def __exit__(self, *unused):
        os.kill(self.daemon.pid, signal.SIGCONT)


class Stop(unittest.TestCase):
    def active(self, daemon):
        return {user for user, _ in faults.all_sessions(daemon)}

    def test_of_a_minute(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        with harness.Daemon("--lease", "90s", clock=clock, folder=folder) as daemon, daemon.connect() as connection:
            users = [f"user{number}" for number in range(USERS)]
            for user in users:
                self.assertEqual(connection.start(user, "s").status, 201)
            clock.advance(29 * SECOND)  # the next heartbeats are due in a second
            beating = users[::2]
            with Stopped(daemon):
                connection.send(b"".join(harness.heartbeat_request(user, "s") for user in beating))
                clock.advance(60 * SECOND)
            for _ in beating:
                self.assertEqual(connection.receive().status, 200)
            self.assertEqual(self.active(daemon), set(users))
            clock.advance(1 * SECOND)
            self.assertEqual(self.active(daemon), set(beating), "who gave no sign for a lease is gone, and nobody else")
            clock.advance(88 * SECOND)
            self.assertEqual(self.active(daemon), set(beating))
            clock.advance(1 * SECOND)
            self.assertEqual(self.active(daemon), set())
            faults.count("SIGSTOP for a minute", "leases to the millisecond, nobody lost who gave a sign of life")

    def test_that_is_real(self):
        length = 60 if faults.LONG else 3
        lease = 3 * length
        for _ in range(faults.times(1, 5)):
            with harness.Daemon("--lease", f"{lease}s") as daemon, daemon.connect() as connection:
                users = [f"user{number}" for number in range(USERS)]
                for user in users:
                    self.assertEqual(connection.start(user, "s").status, 201)
                with Stopped(daemon):
                    stopped = time.monotonic()
                    asked = harness.concur("list", "--timeout", "200ms", socket=daemon.socket)
                    self.assertEqual((asked.returncode, asked.stdout), (3, b""), "no answer is not taken for one")
                    starting = daemon.connect()
                    starting.send(harness.start_request("late", "s"))
                    connection.send(b"".join(harness.heartbeat_request(user, "s") for user in users))
                    time.sleep(max(0, length - (time.monotonic() - stopped)))
                for _ in users:
                    self.assertEqual(connection.receive().status, 200)
                self.assertEqual(starting.receive().status, 201)
                starting.close()
                self.assertEqual(self.active(daemon), {*users, "late"})
                faults.count(f"SIGSTOP for {length} s under way", "no answer meanwhile (concur: exit 3), then all of them")

    def test_in_the_midst_of_commits(self):
        ledger = faults.Ledger()
        with harness.Daemon("--lease", "3600s") as daemon, daemon.connect() as connection:
            chosen = faults.chance("stopped")
            for _ in range(faults.times(30, 2_000)):
                with Stopped(daemon):
                    pass
                self.assertTrue(ledger.work(connection, users=3))
                time.sleep(chosen.uniform(0, 0.002))
                faults.count("SIGSTOP and SIGCONT under load", "every answer comes")
            ledger.compare(daemon)
            daemon.kill()
            daemon.start()
            ledger.compare(daemon)


if __name__ == "__main__":
    unittest.main()
