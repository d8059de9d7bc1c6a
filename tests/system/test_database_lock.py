"""Nobody else gets in: a second daemon by no name of the file, and what another program has locked is said to be that."""

import fcntl
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import unittest

import databases
import faults
import harness


class Locked(databases.WithADaemon):
    def ends_with(self, database, code=11, *, socket=None, task=()):
        command = [str(harness.DAEMON), "--socket", str(socket or self.daemon.folder / "other.sock"), "--database",
                   str(database), "--config", str(self.daemon.config), *task]
        done = subprocess.run(command, capture_output=True, text=True, timeout=harness.seconds(20), check=False,
                              env=harness.clean_environment())
        self.assertEqual(done.returncode, code, done)
        return done.stderr

    def remove_lock_file(self):
        databases.path_of(self.daemon, ".lock").unlink()

    def check_that_others_stay_out(self):
        self.remove_lock_file()
        self.assertIn("already running", self.ends_with(self.daemon.database))
        self.assertIn("already running", self.ends_with(self.daemon.database, task=["--migrate-only"]))
        self.assertIn("already running", self.ends_with(self.daemon.database, task=["--recover"]))
        self.start_session()

    def test_without_its_lock_file(self):
        self.check_that_others_stay_out()

    def test_by_another_name(self):
        link = self.daemon.folder / "link.db"
        os.link(self.daemon.database, link)
        self.assertIn("perhaps by another name", self.ends_with(link))
        self.daemon.database.rename(self.daemon.folder / "renamed.db")
        self.ends_with(self.daemon.folder / "renamed.db")

    def test_also_when_others_have_opened_and_closed_the_file(self):
        """POSIX locks of a process end when it closes any descriptor of the file."""
        self.start_session()
        self.assertEqual(self.connection.get("/v1/report").status, 200)
        self.assertEqual(harness.concur("backup", str(self.daemon.folder / "b"), socket=self.daemon.socket).returncode, 0)
        self.daemon.database.read_bytes()
        with sqlite3.connect(self.daemon.database) as reader:
            reader.execute("SELECT count(*) FROM sessions").fetchone()
        reader.close()
        self.check_that_others_stay_out()
        # SQLite's own lock holds, too: nobody who closes the database takes its log away.
        self.assertTrue(databases.path_of(self.daemon, "-wal").exists())

    def test_also_the_new_file_where_the_old_one_was_removed(self):
        for path in databases.files_of(self.daemon):
            path.unlink()
        self.start_session()
        self.check_that_others_stay_out()
        self.compare()

    def test_on_a_bind_mount(self):
        faults.require_plain_daemon(self)
        elsewhere = self.daemon.folder / "elsewhere"
        elsewhere.mkdir()
        databases.bind(self, self.daemon.folder, elsewhere)
        self.remove_lock_file()
        self.ends_with(elsewhere / self.daemon.database.name)

    def test_it_is_free_when_the_daemon_is_gone(self):
        self.start_session()
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.compare()

    def test_older_versions_and_this_one_keep_each_other_out(self):
        """They lock the file beside it alone (flock(2))."""
        with open(databases.path_of(self.daemon, ".lock"), "rb") as older:
            with self.assertRaises(BlockingIOError):
                fcntl.flock(older, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.daemon.stop()
            fcntl.flock(older, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.ends_with(self.daemon.database)


class OnlyTheFileIsMounted(unittest.TestCase):
    def test_it_is_refused(self):
        faults.require_plain_daemon(self)
        host = harness.private_folder()
        daemon = harness.Daemon()
        daemon.database.touch()
        (host / "s.db").touch()
        databases.bind(self, host / "s.db", daemon.database)
        self.assertFalse(faults.ends_or_runs(daemon))
        self.assertEqual(daemon.process.returncode, 12)
        self.assertIn(f"mount the folder {daemon.folder} in its place", daemon.log_tail())
        self.assertEqual([path.exists() for path in databases.files_of(daemon)], [True, False, False])

    def test_its_folder_is_fine(self):
        faults.require_plain_daemon(self)
        host = harness.private_folder()
        folder = harness.private_folder()
        databases.bind(self, host, folder)
        with harness.Daemon(folder=folder) as daemon, daemon.connect() as connection:
            self.assertEqual(connection.start("abc", "s1").status, 201)
            daemon.database.unlink()
            self.assertEqual(connection.start("abc", "s2").status, 201)
        self.assertTrue((host / "sessions.db").exists())


HOLD = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN IMMEDIATE'); " \
       "print(flush=True); sys.stdin.read()"


class LockedByAnotherProgram(databases.WithADaemon):
    def test_a_start_names_it(self):
        self.daemon.stop()
        hold = HOLD.replace("BEGIN IMMEDIATE", "PRAGMA locking_mode = EXCLUSIVE").replace(
            "print", "db.execute('BEGIN EXCLUSIVE'); print")
        with subprocess.Popen([sys.executable, "-c", hold, str(self.daemon.database)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            self.assertFalse(faults.ends_or_runs(self.daemon))
            self.assertEqual(self.daemon.process.returncode, 12)
            self.assertRegex(self.daemon.log_tail(), f"database is locked .*with pid {holder.pid}")
            holder.stdin.close()
        self.daemon.start()

    def test_the_log_names_it(self):
        self.start_session()
        with subprocess.Popen([sys.executable, "-c", HOLD, str(self.daemon.database)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            self.assertIn("database is locked", self.refused())
            name = pathlib.Path(f"/proc/{holder.pid}/comm").read_text().strip()
            log = self.daemon.log_text()
            self.assertRegex(log, f"database is locked; .*another program that has it open: {name} with pid {holder.pid}\n")
            self.assertNotIn("free space", log)
            holder.stdin.close()
        harness.wait_until(lambda: self.health() == 200, "it works again")
        self.start_session()
        self.compare()


if __name__ == "__main__":
    unittest.main()
