"""The log never holds the daemon up, whatever its reader does."""

import os
import re
import threading
import unittest

import harness


class NobodyReads(unittest.TestCase):
    """Standard error is a pipe that is full, and stays so."""

    REQUESTS = 20_000  # each logs a line: several times what the pipe and the daemon hold

    def setUp(self):
        self.daemon = harness.Daemon("--log-level", "debug")
        os.mkfifo(self.daemon.log)
        self.reader = os.open(self.daemon.log, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, self.reader)
        self.daemon.log_tail = lambda: "(a pipe)"

    def fill(self):
        with self.daemon.connect() as connection:
            for _ in range(self.REQUESTS // 100):
                pipeline = [harness.start_request("abc", f"s{number}") for number in range(100)]
                connection.send(b"".join(pipeline))
                for _ in pipeline:
                    self.assertIn(connection.receive().status, (200, 201, 409))

    def test_everything_is_answered_and_it_stops(self):
        with self.daemon:
            self.fill()

    def test_the_reader_that_comes_late_is_shown_how_many_are_missing(self):
        read = []

        def drain():
            os.set_blocking(self.reader, True)
            while part := os.read(self.reader, 65536):
                read.append(part)

        with self.daemon:
            self.fill()
            late = threading.Thread(target=drain)
            late.start()
        late.join()
        lines = b"".join(read).decode().splitlines()
        notices = [re.search(r"warning (\d+) lines of the log were dropped here", line) for line in lines]
        dropped = sum(int(notice[1]) for notice in notices if notice)
        requests = sum("PUT /v1/users/abc/sessions/" in line for line in lines)
        self.assertGreater(dropped, 0)
        self.assertGreaterEqual(dropped + requests, self.REQUESTS)
        self.assertIn("stopped", lines[-1], "what is logged last is written before the end")


if __name__ == "__main__":
    unittest.main()
