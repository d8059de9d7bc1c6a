"""The database's files are removed, renamed or replaced under a running daemon: what was acknowledged is kept, and a file
that somebody else put there is left alone."""

import os
import shutil
import sqlite3
import unittest

import databases
import faults
import harness


class Removed(databases.WithADaemon):
    def test_what_is_acknowledged_after_it_is_in_a_new_one(self):
        """The reported case: a start, rm, a start, kill -9."""
        self.start_session()
        for path in databases.files_of(self.daemon):
            path.unlink()
        self.start_session()
        self.assertTrue(databases.is_open(self.daemon.database), "before the answer")
        self.compare()

    def test_what_it_did_is_logged(self):
        """Soon: a line that was not written yet dies with a daemon that is killed."""
        self.start_session()
        for path in databases.files_of(self.daemon):
            path.unlink()
        self.start_session()
        line = "had been taken away: all that they held was written to a new one"
        harness.wait_until(lambda: line in self.daemon.log_text(), "it is logged")

    def test_each_of_the_files(self):
        for gone in ([""], ["-wal"], ["-shm"], ["", "-wal"], ["-wal", "-shm"], ["", "-shm"], [*databases.SUFFIXES]):
            with self.subTest(gone=gone):
                self.start_session()
                for suffix in gone:
                    databases.path_of(self.daemon, suffix).unlink()
                self.start_session()
                self.compare()

    def test_without_another_start_it_is_noticed_within_a_second(self):
        for take_away in (os.unlink, lambda path: path.rename(path.with_name("old" + path.name))):
            self.start_session()
            before = databases.inode(self.daemon.database)
            for path in databases.files_of(self.daemon):
                take_away(path)
            harness.wait_until(lambda: databases.is_open(self.daemon.database), "a new one is there", within=2)
            self.assertNotEqual(databases.inode(self.daemon.database), before)
            self.compare()

    def test_the_database_is_renamed_and_its_log_is_not(self):
        self.start_session()
        old = self.daemon.folder / "old.db"
        self.daemon.database.rename(old)
        self.start_session()
        self.compare()
        # What was renamed is whole by itself, for its log is gone.
        with sqlite3.connect(old) as copy:
            self.assertEqual(copy.execute("SELECT count(*) FROM sessions").fetchone(), (1,))

    def test_limits_plans_and_the_record_of_who_shares_go_along(self):
        self.assertEqual(self.connection.plan("family", {"limit": 2}).status, 200)
        self.assertEqual(self.connection.limit("abc", {"plan": "family"}).status, 200)
        statuses = [self.connection.start("abc", f"s{number}").status for number in range(3)]
        self.assertEqual(statuses, [201, 201, 409])
        before = self.connection.get("/v1/report?user=abc").json()["users"]
        for path in databases.files_of(self.daemon):
            path.unlink()
        self.wait_until_it_is_there_again()
        self.started = [("abc", "s0"), ("abc", "s1")]
        self.compare()
        self.assertEqual(self.connection.limit("abc").json()["plan"], "family")
        self.assertEqual(self.connection.get("/v1/report?user=abc").json()["users"], before)

    def test_again_and_again_under_load(self):
        ledger = faults.Ledger()
        for _ in range(faults.times(5, 50)):
            for _ in range(20):
                self.assertTrue(ledger.work(self.connection))
            for path in databases.files_of(self.daemon):
                path.unlink(missing_ok=True)
            for _ in range(20):
                self.assertTrue(ledger.work(self.connection))
            self.assertEqual(ledger.refused, 0)
            self.daemon.kill()
            self.daemon.start()
            ledger.compare(self.daemon)
            self.connect()

    def test_stopped_at_once(self):
        self.start_session()
        for path in databases.files_of(self.daemon):
            path.unlink()
        self.daemon.stop()
        self.compare()

    def test_what_a_killed_daemon_left_on_its_way(self):
        self.start_session()
        self.daemon.stop()
        self.daemon.database.rename(databases.path_of(self.daemon, ".next"))
        databases.path_of(self.daemon, "-wal").write_bytes(b"of the old one")
        self.compare()
        shutil.copy(self.daemon.database, databases.path_of(self.daemon, ".next"))
        self.compare()
        self.assertFalse(databases.path_of(self.daemon, ".next").exists())

    def test_the_mode_stays(self):
        self.daemon.database.chmod(0o640)
        self.daemon.database.unlink()
        self.start_session()
        self.assertEqual(self.daemon.database.stat().st_mode & 0o777, 0o600 | 0o040)

    def test_the_folder_is_renamed_for_a_while(self):
        """With the socket elsewhere."""
        self.daemon.stop()
        self.daemon.database = self.daemon.folder / "state" / "sessions.db"
        self.daemon.database.parent.mkdir()
        self.daemon.start()
        self.connect()
        self.start_session()
        away = self.daemon.folder / "away"
        self.daemon.database.parent.rename(away)
        harness.wait_until(lambda: self.health() == 503, "health fails", within=2)
        self.assertIn("its files were taken away, and no new ones can be written", self.refused())
        self.assertIn("see that the folder", self.daemon.log_text())
        away.rename(self.daemon.database.parent)
        harness.wait_until(lambda: self.health() == 200, "it works again")
        self.start_session()
        self.compare()
        shutil.rmtree(self.daemon.database.parent)
        harness.wait_until(lambda: self.health() == 503, "health fails", within=2)
        self.refused()
        self.daemon.database.parent.mkdir()
        self.wait_until_it_is_there_again()
        self.start_session()
        self.compare()

    def test_through_a_link(self):
        self.daemon.stop()
        real = self.daemon.folder / "real.db"
        self.daemon.database.rename(real)
        self.daemon.database.symlink_to(real)
        self.daemon.start()
        self.connect()
        self.start_session()
        real.unlink()
        self.start_session()
        self.assertTrue(self.daemon.database.is_symlink() and real.exists())
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(len(faults.all_sessions(self.daemon)), 2)


class RemovedWithoutWaitingForTheDisk(Removed):
    options = ("--durability", "normal")


class Unreadable(databases.WithADaemon):
    """What the files held is destroyed, too: then all comes from memory."""

    def prepare(self):
        self.assertEqual(self.connection.plan("family", {"limit": 9}).status, 200)
        self.assertEqual(self.connection.limit("abc", {"plan": "family"}).status, 200)
        self.assertEqual(self.connection.start("xyz", "evicted").status, 201)
        self.assertEqual(self.connection.start("xyz", "winner", {"replace": "evicted"}).status, 201)
        self.started = [("xyz", "winner")]
        for _ in range(3):
            self.start_session()

    def check_that_all_is_there(self):
        harness.wait_until(lambda: "was written to a new one there" in self.daemon.log_text(), "it is written anew", within=5)
        self.wait_until_it_is_there_again()
        self.start_session()
        self.compare()
        self.assertEqual(self.connection.limit("abc").json()["plan"], "family")
        self.assertEqual(self.connection.heartbeat("xyz", "evicted").json()["evictedBy"]["session"], "winner")
        self.assertGreater(self.connection.start("xyz", "evicted", {"replace": "winner", "limit": 1}).json()["holdOff"], 0)

    def check(self, destroy):
        self.prepare()
        destroy()
        self.check_that_all_is_there()

    def empty(self, *suffixes):
        for suffix in suffixes:
            os.truncate(databases.path_of(self.daemon, suffix), 0)

    def test_emptied_and_removed(self):
        def destroy():
            self.empty("", "-wal")
            for path in databases.files_of(self.daemon):
                path.unlink()
        self.check(destroy)

    def test_its_log_emptied_and_removed(self):
        def destroy():
            self.empty("-wal")
            for path in databases.files_of(self.daemon):
                path.unlink()
        self.check(destroy)

    def test_its_log_overwritten_and_removed(self):
        def destroy():
            log = databases.path_of(self.daemon, "-wal")
            with open(log, "r+b") as file:
                file.write(b"\0" * log.stat().st_size)
            with open(self.daemon.database, "r+b") as file:
                file.write(b"\0" * self.daemon.database.stat().st_size)
            for path in databases.files_of(self.daemon):
                path.unlink()
        self.check(destroy)

    def test_emptied_where_they_are(self):
        for suffixes in ([""], ["-wal"], ["", "-wal"]):
            with self.subTest(suffixes=suffixes):
                self.doCleanups()
                self.setUp()
                self.check(lambda suffixes=suffixes: self.empty(*suffixes))

    def test_under_load_and_many(self):
        ledger = faults.Ledger()
        for _ in range(faults.times(3, 30)):
            for _ in range(2000):
                self.assertTrue(ledger.work(self.connection))
            self.empty("", "-wal")
            for _ in range(200):
                ledger.work(self.connection)
            self.wait_until_it_is_there_again()
            for _ in range(200):
                ledger.work(self.connection)
            self.daemon.kill()
            self.daemon.start()
            ledger.compare(self.daemon)
            self.connect()


class Replaced(databases.WithADaemon):
    def other_database(self):
        other = self.daemon.folder / "other.db"
        with sqlite3.connect(other) as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("CREATE TABLE t(a)")
        made.close()
        return other

    def check_that_it_is_left_alone(self, path, content):
        self.assertRegex(self.refused(), "cannot commit to .* was taken away, and another file has its place")
        harness.wait_until(lambda: self.health() == 503, "health fails", within=2)
        self.assertEqual(self.connection.heartbeat(*self.started[0]).status, 200)
        self.assertEqual(self.connection.get("/v1/report").status, 503)
        copied = harness.concur("backup", str(self.daemon.folder / "backup"), socket=self.daemon.socket)
        self.assertEqual(copied.returncode, 3)
        self.assertIn("as soon as it is moved away", self.daemon.log_text())
        self.assertEqual(path.read_bytes(), content)

    def test_by_another_database(self):
        self.start_session()
        other = self.other_database()
        content = other.read_bytes()
        other.rename(self.daemon.database)
        self.check_that_it_is_left_alone(self.daemon.database, content)
        self.assertEqual([path.exists() for path in databases.files_of(self.daemon)], [True, False, False])
        self.daemon.database.rename(other)
        self.wait_until_it_is_there_again()
        self.start_session()
        self.compare()
        self.assertEqual(other.read_bytes(), content)

    def test_its_log(self):
        self.start_session()
        log = databases.path_of(self.daemon, "-wal")
        log.unlink()
        log.write_bytes(b"another one")
        self.check_that_it_is_left_alone(log, b"another one")
        log.unlink()
        self.wait_until_it_is_there_again()
        self.start_session()
        self.compare()

    def test_and_then_stopped(self):
        """The operator has put another database in place, and restarts the daemon to use it."""
        self.daemon.stop()
        backup = self.daemon.folder / "backup.db"
        shutil.copy(self.daemon.database, backup)
        self.daemon.start()
        self.connect()
        self.start_session()
        backup.rename(self.daemon.database)
        content = self.daemon.database.read_bytes()
        self.refused()
        self.daemon.stop()
        self.assertEqual(self.daemon.database.read_bytes(), content)
        self.assertIn("stopping while the files", self.daemon.log_text())
        self.started = []
        self.compare()

    def test_its_log_and_then_stopped(self):
        self.start_session()
        log = databases.path_of(self.daemon, "-wal")
        log.unlink()
        log.write_bytes(b"another one")
        self.refused()
        self.daemon.stop()
        self.assertEqual(log.read_bytes(), b"another one")


if __name__ == "__main__":
    unittest.main()
