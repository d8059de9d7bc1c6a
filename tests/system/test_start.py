"""What a daemon finds at its start that is out of the ordinary, and what becomes of it while it runs."""

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


if __name__ == "__main__":
    unittest.main()
