"""kill -9 at each stage of the daemon's life: start-up, migration, commits, checkpoint and stop.

At moments that chance chooses over the stage's length, and at those that the log or the files show. After each: the database
is whole, the next start succeeds, every acknowledged start is there and no other, nobody is over the limit. Kills in the
midst of requests are test_kill's.

CONCUR_TEST_LONG=1 kills 1,000 times in each stage; CONCUR_TEST_SEED chooses other moments.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import unittest

import faults
import harness

KILLS = faults.times(20, 1_000)

# A database as the first version made it, without sessions.
OLDEST = harness.REPOSITORY / "tests" / "system" / "data" / "schema-1.db"


class Killed(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon("--lease", "3600s")
        self.addCleanup(self.daemon.kill)
        self.ledger = faults.Ledger()
        self.copy = self.daemon.folder / "copy"

    def spawn(self, *options):
        """Starts it without waiting for anything."""
        with open(self.daemon.log, "ab") as log:
            self.daemon.process = subprocess.Popen([*self.daemon.command(), *options], stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=log, env=harness.clean_environment(), cwd=self.daemon.folder)

    def kill_after(self, delay):
        """Kills it then, from another thread, and returns that."""
        pid = self.daemon.pid

        def kill():
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        return thread

    def reap(self):
        code = self.daemon.process.wait(harness.seconds(20))
        self.assertIn(code, (-signal.SIGKILL, 0), self.daemon.log_tail())
        return code

    def assert_nothing_is_lost(self):
        faults.assert_sound(self.daemon.database, self.copy)
        self.daemon.start()
        self.ledger.compare(self.daemon)

    def load(self, rounds=1):
        with self.daemon.connect() as connection:
            for _ in range(rounds):
                self.assertTrue(self.ledger.work(connection))

    def wait_for_line(self, text, since):
        harness.wait_until(lambda: text in self.daemon.log.read_bytes()[since:], f"the log has {text}", pause=0)

    # ---- the stages ----

    def test_while_it_starts(self):
        self.daemon.start()
        self.load(rounds=20)
        self.daemon.kill()
        began = time.monotonic()
        self.daemon.start()
        length = time.monotonic() - began
        chosen = faults.chance("start")
        lines = (b"loaded", b"listens on")
        for number in range(KILLS):
            # With a log to be put in each time, and new sessions in it.
            self.load()
            self.daemon.kill()
            at = self.daemon.log.stat().st_size
            self.spawn()
            if number % 5 == 4:
                self.wait_for_line(lines[number // 5 % 2], at)
            else:
                time.sleep(chosen.uniform(0, 1.2 * length))
            self.daemon.kill()
            self.assert_nothing_is_lost()
            faults.count("kill -9 while it starts", "the next start has all that was acknowledged")

    def test_while_it_stops(self):
        self.daemon.start()
        began = time.monotonic()
        self.daemon.stop()
        length = time.monotonic() - began
        chosen = faults.chance("stop")
        self.daemon.start()
        ended = 0
        for number in range(KILLS):
            at = self.daemon.log.stat().st_size
            with self.daemon.connect() as connection:
                if number % 5 != 4:
                    # Requests come in as it stops: what was accepted is answered, or is not acknowledged.
                    threading.Timer(0.002, self.daemon.process.send_signal, (signal.SIGTERM,)).start()
                    killer = self.kill_after(0.002 + chosen.uniform(0, 0.7 * length))
                    while self.ledger.work(connection):
                        pass
                    killer.join()
                else:
                    self.ledger.work(connection)
                    self.daemon.process.send_signal(signal.SIGTERM)
                    self.wait_for_line((b"stopping", b"stopped")[number // 5 % 2], at)
                    self.daemon.process.kill()
            ended += self.reap() == 0
            self.assert_nothing_is_lost()
            faults.count("kill -9 while it stops", "the next start has all that was acknowledged")
        self.assertLess(ended, KILLS, "all were too late to be faults")

    def test_while_it_commits(self):
        self.daemon.start()
        chosen = faults.chance("commit")
        for _ in range(KILLS):
            with self.daemon.connect() as connection:
                killer = self.kill_after(chosen.uniform(0, 0.05))
                while self.ledger.work(connection):
                    pass
                killer.join()
            self.reap()
            self.assert_nothing_is_lost()
            faults.count("kill -9 under load", "the next start has all that was acknowledged")
        self.assertGreater(self.ledger.acknowledged(), 20 * KILLS)

    def test_while_it_checkpoints(self):
        """Nothing but a checkpoint writes to the database itself: its time of change shows the moment."""
        self.daemon.start()
        chosen = faults.chance("checkpoint")
        for _ in range(KILLS):
            done = threading.Event()
            seen = threading.Event()
            pid, before = self.daemon.pid, self.daemon.database.stat().st_mtime_ns

            def watch(pid=pid, before=before, done=done, seen=seen, delay=chosen.uniform(0, 0.002)):
                while not done.is_set():
                    if os.stat(self.daemon.database).st_mtime_ns != before:
                        time.sleep(delay)
                        os.kill(pid, signal.SIGKILL)
                        seen.set()
                        return

            watcher = threading.Thread(target=watch)
            watcher.start()
            with self.daemon.connect() as connection:
                deadline = time.monotonic() + harness.seconds(20)
                while self.ledger.work(connection, users=100) and time.monotonic() < deadline:
                    pass
            done.set()
            watcher.join()
            self.assertTrue(seen.is_set(), "no checkpoint came")
            self.reap()
            self.assert_nothing_is_lost()
            faults.count("kill -9 as a checkpoint begins", "the next start has all that was acknowledged")

    def make_oldest(self, mode, sessions):
        for suffix in ("", "-wal", "-shm", "-journal"):
            self.daemon.database.with_name(self.daemon.database.name + suffix).unlink(missing_ok=True)
        shutil.copy(OLDEST, self.daemon.database)
        connection = sqlite3.connect(self.daemon.database, isolation_level=None)
        connection.execute(f"PRAGMA journal_mode = {mode}")
        now = time.time_ns() // 1_000_000
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, 3600000, 0, 1, NULL, NULL, NULL, NULL)",
                               [(number, f"user{number // 3}", f"s{number}", now, now, now + 3_600_000)
                                for number in range(1, sessions + 1)])
        connection.execute("COMMIT")
        connection.close()

    def test_while_it_migrates(self):
        sessions = 3_000
        truth = {(f"user{number // 3}", f"s{number}") for number in range(1, sessions + 1)}
        lengths = {}
        for mode in ("WAL", "DELETE"):
            self.make_oldest(mode, sessions)
            began = time.monotonic()
            self.spawn("--migrate-only")
            self.assertEqual(self.reap(), 0)
            lengths[mode] = time.monotonic() - began
        newest = faults.assert_sound(self.daemon.database, self.copy)
        self.assertGreater(newest, 1)
        chosen = faults.chance("migration")
        versions = set()
        for number in range(KILLS):
            mode = ("WAL", "DELETE")[number % 2]
            self.make_oldest(mode, sessions)
            self.spawn(*(["--migrate-only"] if number % 3 else []))
            time.sleep(chosen.uniform(0, lengths[mode]) if number else 0)
            self.daemon.kill()
            version = faults.assert_sound(self.daemon.database, self.copy)
            versions.add(version)
            self.daemon.start()
            self.assertEqual(set(faults.all_sessions(self.daemon)), truth)
            self.daemon.kill()
            self.assertEqual(faults.assert_sound(self.daemon.database, self.copy), newest)
            faults.count("kill -9 while it migrates from schema 1", f"at schema {version} then; the next start has all")
        self.assertIn(1, versions)

    def test_a_new_database_while_it_is_made(self):
        began = time.monotonic()
        self.daemon.start()
        length = time.monotonic() - began
        self.daemon.stop()
        chosen = faults.chance("new")
        for _ in range(KILLS):
            for suffix in ("", "-wal", "-shm", "-journal"):
                self.daemon.database.with_name(self.daemon.database.name + suffix).unlink(missing_ok=True)
            self.spawn()
            time.sleep(chosen.uniform(0, length))
            self.daemon.kill()
            self.daemon.start()
            self.assertEqual(faults.all_sessions(self.daemon), [])
            self.daemon.kill()
            faults.count("kill -9 while a new database is made", "the next start makes it")


if __name__ == "__main__":
    unittest.main()
