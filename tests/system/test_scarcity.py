"""Too few files or too little memory (prlimit(2)), from the start on or all of a sudden: the daemon runs, or ends with a code and
a cause; it is never ended by a signal, and nothing acknowledged is lost. (Files that run out under connections: test_bounds;
the size of files: test_bounds, test_file_systems.)
"""

import resource
import struct
import time
import unittest

import faults
import harness

KIB, MIB = 1 << 10, 1 << 20


def own_data():
    """How many bytes of variables the daemon has from its first moment on: with counters of coverage it is many more."""
    program = harness.DAEMON.read_bytes()
    at, = struct.unpack_from("<Q", program, 0x20)  # of ELF's program headers, elf(5)
    size, count = struct.unpack_from("<HH", program, 0x36)
    headers = [struct.unpack_from("<IIQQQQQQ", program, at + number * size) for number in range(count)]
    loaded, writable = 1, 2
    return sum(memory for kind, flags, *_, memory, _ in headers if kind == loaded and flags & writable)


class Scarce(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon("--lease", "3600s")
        self.addCleanup(self.daemon.kill)
        self.ledger = faults.Ledger()
        self.copy = self.daemon.folder / "copy"

    def work(self, rounds):
        with self.daemon.connect() as connection:
            for _ in range(rounds):
                self.assertTrue(self.ledger.work(connection))

    def works(self):
        """False where it ends instead: it may have just enough to start and no more."""
        try:
            self.ledger.compare(self.daemon)
            with self.daemon.connect() as connection:
                return self.ledger.work(connection)
        except (harness.ConnectionLost, OSError):
            return False

    def starts_or_says_why(self, fault, *limit):
        """True where it runs, and works, under the limit; what is in the database is there afterwards in each case."""
        self.daemon.launcher = ["prlimit", *limit, "--"]
        runs = faults.ends_or_runs(self.daemon) and self.works()
        if runs:
            self.daemon.stop()
            faults.count(fault, "runs")
        else:
            code = self.daemon.process.wait(harness.seconds(20))
            self.assertIn(code, (1, 2, 11, 12, 13, 127), self.daemon.log_tail())
            text = self.daemon.log.read_text().splitlines()[-1]
            self.assertRegex(text, "cannot |error while loading shared libraries|out of memory")
            faults.count(fault, f"exit {code}, with the cause")
        faults.assert_sound(self.daemon.database, self.copy)
        self.daemon.launcher = []
        self.daemon.start()
        self.ledger.compare(self.daemon)
        self.daemon.stop()
        return runs

    def test_few_files_from_the_start(self):
        faults.require_plain_daemon(self)
        self.daemon.start()
        self.work(rounds=5)
        self.daemon.stop()
        for files in (4, 5, 6, 8, 11, 14, 20, 63, 64, 100):
            runs = self.starts_or_says_why("few open files at the start", f"--nofile={files}:{files}")
            # With fewer it could open what it needs, and take nobody in.
            self.assertEqual(runs, files >= 64)

    def test_little_memory_from_the_start(self):
        faults.require_plain_daemon(self)
        self.daemon.start()
        self.work(rounds=20)
        self.daemon.stop()
        sizes = [size * MIB for size in range(8, 40, 2)] + [64 * MIB, 128 * MIB, 512 * MIB]
        for kind in ("--as", "--data"):
            ran = [self.starts_or_says_why("little memory at the start", f"{kind}={size}") for size in sizes]
            self.assertTrue(ran[-1])
        # Below these the C library does not get as far as the program.
        sizes = [own_data() + size * KIB for size in range(310, 2310, 200)]
        small = [self.starts_or_says_why("little memory at the start", f"--data={size}") for size in sizes]
        self.assertFalse(small[0])

    def test_memory_that_runs_out_under_load(self):
        """Whatever it does about it, an answer that it gave holds."""
        faults.require_plain_daemon(self)
        chosen = faults.chance("memory")
        for _ in range(faults.times(6, 200)):
            self.daemon.start()
            with open(f"/proc/{self.daemon.pid}/statm", encoding="ascii") as statm:
                size = int(statm.read().split()[0]) * resource.getpagesize()
            _, hard = resource.prlimit(self.daemon.pid, resource.RLIMIT_AS)
            resource.prlimit(self.daemon.pid, resource.RLIMIT_AS, (size + chosen.randrange(2 * MIB), hard))
            self.work_until_it_gives_up()
            self.daemon.kill()
            faults.assert_sound(self.daemon.database, self.copy)
            self.daemon.start()
            self.ledger.compare(self.daemon)
            self.daemon.kill()

    def work_until_it_gives_up(self):
        connections, deadline = [], time.monotonic() + harness.seconds(4)
        try:
            while self.daemon.running() and time.monotonic() < deadline:
                connection = self.daemon.connect()
                connections.append(connection)
                for _ in range(5):
                    if not self.ledger.work(connection, users=200):
                        break
        except OSError:
            pass
        for connection in connections:
            connection.close()
        try:
            with self.daemon.connect() as connection:
                self.assertEqual(connection.get("/v1/status").status, 200)
            faults.count("memory that runs out under load", "goes on")
            return
        except (OSError, harness.ConnectionLost):
            code = self.daemon.process.wait(harness.seconds(20))
        self.assertEqual(code, 1, self.daemon.log_tail())
        self.assertRegex(self.daemon.log_tail(), "cannot go on: (std::bad_alloc|out of memory)")
        faults.count("memory that runs out under load", "exit 1, with the cause; the next start has all")


if __name__ == "__main__":
    unittest.main()
