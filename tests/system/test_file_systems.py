"""File systems that are full, or can only be read: real ones (tmpfs), so this takes the right to mount; skipped without.

What cannot be kept is refused, nothing acknowledged is lost, and the daemon goes on by itself when there is room.
"""

import atexit
import os
import pathlib
import subprocess
import tempfile
import unittest

import faults
import harness

ROUNDS = faults.times(6, 100)


def mount(size):
    """A folder that is a file system of that many KiB; skips the test where that is not permitted."""
    # Short, for the socket in it.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k,mode=0700", "none", folder],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        folder.rmdir()
        raise unittest.SkipTest(f"no right to mount a file system: {done.stderr.strip()}")
    atexit.register(unmount, folder)
    return folder


def unmount(folder):
    if os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", folder], check=True)
    if folder.exists():
        folder.rmdir()


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def fill(folder, leave=0):
    """Takes all room but some bytes."""
    with open(folder / "ballast", "ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass
    size = os.path.getsize(folder / "ballast")
    os.truncate(folder / "ballast", max(0, size - leave))


class OnAFileSystem(unittest.TestCase):
    def setUp(self):
        faults.require_plain_daemon(self)  # confined it would not see the file system
        self.folder = mount(size=6 << 10)
        self.addCleanup(unmount, self.folder)
        self.daemon = harness.Daemon("--lease", "3600s", folder=self.folder)
        # What is logged must not need room on the same disk.
        self.daemon.log = harness.private_folder() / "log"
        self.addCleanup(self.daemon.kill)
        self.ledger = faults.Ledger()
        self.copy = self.daemon.log.with_name("copy")

    def work_until_it_is_full(self, connection):
        """Some fit into what the log has room for already."""
        before = self.ledger.refused

        def is_full():
            self.assertTrue(self.ledger.work(connection))
            return self.ledger.refused > before

        harness.wait_until(is_full, "the disk is full")
        answer = self.ledger.refusal
        self.assertEqual(answer.header("Retry-After"), "1")
        self.assertIn(f"cannot commit to {self.daemon.database}", answer.json()["message"])
        self.assertRegex(answer.json()["message"], "full|No space")

    def restart_and_compare(self):
        self.daemon.kill()
        faults.assert_sound(self.daemon.database, self.copy)
        self.daemon.start()
        self.ledger.compare(self.daemon)


class Full(OnAFileSystem):
    def test_it_refuses_and_recovers_when_room_comes_back(self):
        chosen = faults.chance("full")
        self.daemon.start()
        for _ in range(ROUNDS):
            with self.daemon.connect() as connection:
                self.assertTrue(self.ledger.work(connection))
                fill(self.folder, leave=chosen.randrange(0, 40_000))
                self.work_until_it_is_full(connection)
                user = next(user for (user, _), active in self.ledger.active.items() if active)
                self.assertEqual(connection.heartbeat(user, "s1").status, 200)
                self.assertEqual(connection.list(user).status, 200)
                faults.count("a full file system", "503 with Retry-After; heartbeats and lists go on")
                os.unlink(self.folder / "ballast")
                harness.wait_until(lambda: connection.get("/healthz").status == 200, "it notices the room by itself")
                before = self.ledger.refused
                self.assertTrue(self.ledger.work(connection))
                self.assertEqual(self.ledger.refused, before)
            self.restart_and_compare()

    def test_killed_while_it_is_full(self):
        self.daemon.start()
        for _ in range(ROUNDS):
            with self.daemon.connect() as connection:
                fill(self.folder)
                self.work_until_it_is_full(connection)
            self.daemon.kill()
            runs = faults.ends_or_runs(self.daemon)
            if runs:
                # What was kept is there, though nothing more can be.
                self.ledger.compare(self.daemon)
                faults.count("a start on a full file system", "runs, all that was acknowledged is there")
            else:
                self.assertIn(self.daemon.process.returncode, (12, 13), self.daemon.log_tail())
                self.assertRegex(self.daemon.log_tail(), "cannot .*(full|space)")
                faults.count("a start on a full file system", f"exit {self.daemon.process.returncode}, with the cause")
            self.daemon.kill()
            os.unlink(self.folder / "ballast")
            self.restart_and_compare()

    def test_its_files_are_removed_while_there_is_no_room_for_new_ones(self):
        self.daemon.start()
        with self.daemon.connect() as connection:
            for _ in range(20):
                self.assertTrue(self.ledger.work(connection))
            fill(self.folder)
            for suffix in ("", "-wal", "-shm"):
                os.unlink(self.folder / f"sessions.db{suffix}")
            answer = connection.start("abc", "late")
            self.assertEqual(answer.status, 503, answer)
            self.assertIn("its files were taken away, and no new ones can be written", answer.json()["message"])
            os.unlink(self.folder / "ballast")
            harness.wait_until(lambda: connection.get("/healthz").status == 200, "it notices the room by itself")
        self.restart_and_compare()
        faults.count("files removed on a full file system", "503 until there is room, nothing lost")

    def test_a_new_database_does_not_fit(self):
        fill(self.folder, leave=4096)
        self.assertFalse(faults.ends_or_runs(self.daemon))
        self.assertEqual(self.daemon.process.returncode, 12, self.daemon.log_tail())
        self.assertRegex(self.daemon.log_tail(), f"cannot open database {self.daemon.database}: .*full")
        faults.count("a new database on a full file system", "exit 12")
        os.unlink(self.folder / "ballast")
        self.daemon.start()
        self.assertEqual(faults.all_sessions(self.daemon), [])
        self.daemon.stop()

    def test_recover_does_not_fit(self):
        self.daemon.start()
        with self.daemon.connect() as connection:
            for _ in range(10):
                self.assertTrue(self.ledger.work(connection))
        self.daemon.stop()
        before = self.daemon.database.read_bytes()
        fill(self.folder, leave=len(before) // 2)
        names = sorted(os.listdir(self.folder))
        done = faults.recover(self.daemon)
        self.assertEqual((done.returncode, done.stdout), (12, ""), done)
        self.assertIn("No space left on device", done.stderr)
        self.assertEqual(sorted(os.listdir(self.folder)), names)
        self.assertEqual(self.daemon.database.read_bytes(), before)
        faults.count("--recover on a full file system", "exit 12, nothing left behind")


class ReadOnly(OnAFileSystem):
    def test_a_start_says_so_and_the_next_has_everything(self):
        chosen = faults.chance("read-only")
        self.daemon.start()
        for number in range(ROUNDS):
            with self.daemon.connect() as connection:
                for _ in range(chosen.randrange(1, 5)):
                    self.assertTrue(self.ledger.work(connection))
            if number % 2:
                self.daemon.stop()
            else:
                self.daemon.kill()
            names = sorted(os.listdir(self.folder))
            before = self.daemon.database.read_bytes()
            remount(self.folder, "ro")
            self.assertFalse(faults.ends_or_runs(self.daemon))
            self.assertEqual(self.daemon.process.returncode, 12)
            self.assertRegex(self.daemon.log_tail(500), "cannot .*: Read-only file system")
            faults.count("a start on a read-only file system", "exit 12, with the cause")
            done = faults.recover(self.daemon)
            self.assertEqual((done.returncode, done.stdout), (12, ""), done)
            self.assertIn("Read-only file system", done.stderr)
            faults.count("--recover on a read-only file system", "exit 12, with the cause")
            self.assertEqual(sorted(os.listdir(self.folder)), names)
            self.assertEqual(self.daemon.database.read_bytes(), before)
            remount(self.folder, "rw")
            self.daemon.start()
            self.ledger.compare(self.daemon)

    def test_a_database_folder_that_is_read_only_with_the_socket_elsewhere(self):
        self.daemon.start()
        with self.daemon.connect() as connection:
            self.assertTrue(self.ledger.work(connection))
        self.daemon.stop()
        self.daemon.socket = self.daemon.log.with_name("s.sock")
        remount(self.folder, "ro")
        self.assertFalse(faults.ends_or_runs(self.daemon))
        self.assertEqual(self.daemon.process.returncode, 12)
        self.assertIn(f"cannot lock {self.daemon.database}.lock: Read-only file system", self.daemon.log_tail())
        self.assertNotIn("ReadWritePaths", self.daemon.log_tail())
        self.assertFalse(self.daemon.socket.exists())
        self.daemon.environment = {"NOTIFY_SOCKET": "/nonexistent"}
        self.assertFalse(faults.ends_or_runs(self.daemon))
        self.daemon.environment = {}
        self.assertIn("Read-only file system (a service may write where its unit says: a drop-in with "
                      f"ReadWritePaths={self.folder}, as in the example database-elsewhere.conf)", self.daemon.log_tail())
        remount(self.folder, "rw")
        self.daemon.start()
        self.ledger.compare(self.daemon)


if __name__ == "__main__":
    unittest.main()
