"""What a daemon finds at its start that is out of the ordinary, and what becomes of it while it runs."""

import grp
import os
import pathlib
import signal
import subprocess
import threading
import time
import unittest

import doors
import harness


class Piped(unittest.TestCase):
    """Settings and keys that come through a pipe, as `<(...)` makes one."""

    def setUp(self):
        self.daemon = harness.Daemon()

    def pipe(self, text):
        """A pipe's end with that text in it and nobody at the other, which the daemon inherits."""
        end, other = os.pipe()
        os.write(other, text.encode())
        os.close(other)
        self.addCleanup(os.close, end)
        self.daemon.pass_fds += (end,)
        return pathlib.Path(f"/dev/fd/{end}")

    def reload(self):
        before = self.daemon._reloads()
        self.daemon.process.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: self.daemon._reloads() > before, "it is reloaded")

    def limit(self):
        with self.daemon.connect() as connection:
            return connection.get("/v1/status").json()["limit"]

    def test_settings_are_read_once_and_stay(self):
        self.daemon.config = self.pipe("limit = 7\n")
        with self.daemon:
            self.assertEqual(self.limit(), 7)
            self.reload()
            self.assertEqual(self.limit(), 7)
            self.assertIn(f"{self.daemon.config} is no regular file and can be read only once: its values stay",
                          self.daemon.log_text())

    def test_keys_are_read_once_and_stay(self):
        key = "k" * 32
        keys = self.pipe(f"one client {key}\n")
        self.daemon.options += ["--listen", "127.0.0.1:0", "--api-key-file", str(keys)]
        with self.daemon:
            self.reload()
            self.assertIn(f"{keys} is no regular file and can be read only once: its keys stay", self.daemon.log_text())
            connection = doors.http.client.HTTPConnection("127.0.0.1", doors.tcp_port(self.daemon))
            self.addCleanup(connection.close)
            self.assertEqual(doors.ask(connection, "GET", "/v1/status", headers={"x-api-key": key})[0], 200)

    def test_a_fifo_that_is_written_late_is_waited_for(self):
        self.daemon.config = self.daemon.folder / "fifo"
        os.mkfifo(self.daemon.config)

        def write():
            time.sleep(0.3)
            self.daemon.config.write_text("limit = 5\n")

        writer = threading.Thread(target=write)
        writer.start()
        with self.daemon:
            writer.join()
            self.assertEqual(self.limit(), 5)
            self.reload()
            self.assertEqual(self.limit(), 5)

    def test_one_that_nobody_writes_ends_the_start(self):
        fifo = self.daemon.folder / "fifo"
        os.mkfifo(fifo)
        done = subprocess.run([str(harness.DAEMON), "--config", str(fifo), "--check-config"], capture_output=True, text=True,
                              timeout=harness.seconds(30), env=harness.clean_environment())
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"cannot read config file {fifo}: it is no regular file, and its end did not come", done.stderr)

    def test_a_file_that_became_a_fifo_holds_nobody_up(self):
        with self.daemon:
            self.daemon.config.unlink()
            os.mkfifo(self.daemon.config)
            self.daemon.process.send_signal(signal.SIGHUP)
            harness.wait_until(lambda: "its end did not come; the old values stay" in self.daemon.log_text(), "it is said",
                               within=5)


class SocketRemoved(unittest.TestCase):
    def answers(self, path):
        try:
            with harness.Connection(path, timeout=5) as connection:
                return connection.get("/v1/status").json()["pid"]
        except OSError:
            return None

    def test_a_removed_one_is_bound_anew_and_nobody_is_lost(self):
        with harness.Daemon("--socket-mode", "0640") as daemon, daemon.connect() as before:
            self.assertEqual(before.get("/healthz").status, 200)
            for removed in ((daemon.socket,), (daemon.socket, pathlib.Path(f"{daemon.socket}.lock"))):
                for path in removed:
                    path.unlink()
                harness.wait_until(lambda: self.answers(daemon.socket) == daemon.pid, "it is found again", within=5)
                self.assertEqual(daemon.socket.stat().st_mode & 0o777, 0o640)
                self.assertEqual(before.get("/healthz").status, 200)
                self.assertTrue(pathlib.Path(f"{daemon.socket}.lock").exists())
            self.assertEqual(daemon.log_text().count(f"the socket {daemon.socket} was removed while its daemon runs: listening"
                                                     " there anew"), 2)
            self.assertIn(f"the lock of {daemon.socket} was removed while its daemon runs: locked anew", daemon.log_text())
            self.assertEqual(self.second(daemon).returncode, 11)
        self.assertFalse(daemon.socket.exists())

    def test_who_waits_at_the_old_one_is_answered(self):
        with harness.Daemon() as daemon:
            os.kill(daemon.pid, signal.SIGSTOP)
            with daemon.connect() as waits:
                waits.send(harness.request("GET", "/healthz"))
                daemon.socket.unlink()
                os.kill(daemon.pid, signal.SIGCONT)
                self.assertEqual(waits.receive().status, 200)

    def second(self, daemon):
        """What becomes of another daemon on the same socket."""
        return subprocess.run([str(harness.DAEMON), "--socket", str(daemon.socket), "--database", str(daemon.folder / "other"),
                               "--config", "/dev/null"], capture_output=True, text=True, timeout=harness.seconds(20),
                              env=harness.clean_environment())

    def test_a_removed_lock_alone_lets_nobody_in(self):
        with harness.Daemon() as daemon:
            lock = pathlib.Path(f"{daemon.socket}.lock")
            lock.unlink()
            harness.wait_until(lock.exists, "it is locked anew", within=5)
            self.assertEqual(self.second(daemon).returncode, 11)

    def test_that_of_a_successor_is_left_alone(self):
        first = harness.Daemon().start()
        second = harness.Daemon()
        second.socket = first.socket
        # Faster than it notices: the second daemon has taken both names before the first one looks.
        os.kill(first.pid, signal.SIGSTOP)
        first.socket.unlink()
        pathlib.Path(f"{first.socket}.lock").unlink()
        with second:
            os.kill(first.pid, signal.SIGCONT)
            harness.wait_until(lambda: "clients do not find this daemon there" in first.log_text(), "it is said", within=5)
            first.stop()
            self.assertEqual(self.answers(second.socket), second.pid)
        self.assertFalse(second.socket.exists())

    def test_what_else_stands_there_is_left_alone_and_reported_once(self):
        with harness.Daemon() as daemon:
            daemon.socket.rename(f"{daemon.socket}-moved")
            daemon.socket.write_text("mine")
            harness.wait_until(lambda: "another file stands at" in daemon.log_text(), "it is said", within=5)
            time.sleep(1.5)
            self.assertEqual(daemon.log_text().count("another file stands at"), 1)
            self.assertEqual(daemon.socket.read_text(), "mine")
            daemon.socket.unlink()
            harness.wait_until(lambda: self.answers(daemon.socket) == daemon.pid, "it is found again", within=5)
            daemon.socket.unlink()
            daemon.socket.write_text("mine")
        self.assertEqual(daemon.socket.read_text(), "mine")


class SocketGroup(unittest.TestCase):
    def test_one_that_is_named_must_be_there(self):
        done = subprocess.run([str(harness.DAEMON), "--socket", "/nonexistent/s", "--database", "/nonexistent/d", "--config",
                               "/dev/null", "--socket-group", "no-such-group"], capture_output=True, text=True,
                              timeout=harness.seconds(20), env=harness.clean_environment())
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("cannot set socket-group to 'no-such-group': there is no such group", done.stderr)

    @unittest.skipUnless(os.getuid() == 0, "takes root")
    def test_it_may_be_a_number_for_a_container_has_no_names(self):
        with harness.Daemon("--socket-group", "54322") as daemon:
            self.assertEqual(daemon.socket.stat().st_gid, 54322)

    @unittest.skipUnless(os.getuid() == 0, "takes root")
    def test_its_members_may_connect_and_others_not_also_once_it_is_bound_anew(self):
        group = next(each for each in grp.getgrall() if each.gr_gid not in (0, doors.STRANGERS_GROUP))
        with harness.Daemon("--socket-group", group.gr_name, "--socket-mode", "0660") as daemon:
            os.chmod(daemon.folder, 0o755)
            for _ in range(2):
                info = daemon.socket.stat()
                self.assertEqual((info.st_uid, info.st_gid, info.st_mode & 0o777), (0, group.gr_gid, 0o660))
                member = doors.UnixHttp(daemon.socket, doors.NOBODY, doors.STRANGERS_GROUP, [group.gr_gid])
                self.addCleanup(member.close)
                self.assertEqual(doors.ask(member, "GET", "/v1/status")[0], 200)
                other = doors.UnixHttp(daemon.socket, doors.NOBODY, doors.STRANGERS_GROUP)
                with self.assertRaises(PermissionError):
                    other.connect()
                other.close()
                daemon.socket.unlink()
                harness.wait_until(daemon.socket.exists, "it is bound anew", within=5)
                harness.wait_until(lambda: daemon.socket.stat().st_mode & 0o777 == 0o660, "its mode is set", within=5)


class StandardStreams(unittest.TestCase):
    def test_closed_ones_are_not_taken_by_its_files(self):
        for closed in ("2>&-", "0<&- 1>&- 2>&-", "0<&- 2>&-", "1>&-"):
            daemon = harness.Daemon()
            daemon.launcher = ["sh", "-c", f'exec "$0" "$@" {closed}']
            with daemon:
                with daemon.connect() as connection:
                    connection.start("a", "s")
                daemon.process.send_signal(signal.SIGHUP)
                files = {number: os.readlink(f"/proc/{daemon.pid}/fd/{number}") for number in "012"}
                expected = {"0": "/dev/null", "1": str(daemon.log), "2": str(daemon.log)}
                for number in expected:
                    if f"{number}>&-" in closed:
                        expected[number] = "/dev/null"
                self.assertEqual(files, expected, closed)
            for lock in (f"{daemon.socket}.lock", f"{daemon.database}.lock"):
                self.assertRegex(pathlib.Path(lock).read_text(), r"\A\d*\n?\Z")


if __name__ == "__main__":
    unittest.main()
