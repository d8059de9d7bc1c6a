"""What the tests of the database's files share: a daemon, and what it acknowledged."""

import subprocess
import unittest

import faults
import harness

SUFFIXES = ("", "-wal", "-shm")


def path_of(daemon, suffix):
    return daemon.database.with_name(daemon.database.name + suffix)


def files_of(daemon):
    return [path_of(daemon, suffix) for suffix in SUFFIXES]


def inode(path):
    try:
        return path.stat().st_ino
    except OSError:
        return None


def is_open(path):
    """Whether the database at the path is one that was written and is being used."""
    return path.exists() and path.with_name(path.name + "-wal").exists() and path.stat().st_size > 0


class WithADaemon(unittest.TestCase):
    options = ()

    def setUp(self):
        self.daemon = harness.Daemon("--lease", "3600s", *self.options)
        self.daemon.start()
        self.addCleanup(self.daemon.kill)
        self.connection = None
        self.connect()
        self.addCleanup(lambda: self.connection.close())
        self.started = []

    def connect(self):
        if self.connection:
            self.connection.close()
        self.connection = self.daemon.connect()

    def start_session(self, user="abc"):
        session = f"s{len(self.started)}"
        answer = self.connection.start(user, session, {"limit": 0, "device": session})
        self.assertEqual(answer.status, 201, answer)
        self.started.append((user, session))

    def refused(self):
        answer = self.connection.start("abc", "refused", {"limit": 0})
        self.assertEqual(answer.status, 503, answer)
        return answer.json()["message"]

    def health(self):
        return self.connection.get("/healthz").status

    def wait_until_it_is_there_again(self):
        harness.wait_until(lambda: is_open(self.daemon.database) and self.health() == 200, "the database is there again",
                           within=5)

    def compare(self):
        """After a kill -9 all is there that was acknowledged, and no more."""
        self.daemon.kill()
        faults.assert_sound(self.daemon.database, self.daemon.folder / "copy")
        self.daemon.start()
        self.connect()
        self.assertEqual(sorted(faults.all_sessions(self.daemon)), sorted(self.started))


def bind(test, source, target):
    done = subprocess.run(["mount", "--bind", str(source), str(target)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        test.skipTest(f"no right to mount: {done.stderr.strip()}")
    test.addCleanup(subprocess.run, ["umount", "--lazy", str(target)], check=True)
