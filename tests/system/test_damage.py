"""A database that was damaged, at each kind of place: the daemon says so and leaves it as it was, byte for byte, or what was
hit does not matter; and `concurrencyd --recover` brings out what can be read.

The two databases to be damaged are made once: one that was stopped cleanly, one of a daemon that was killed, with most of it
in its write-ahead log. CONCUR_TEST_LONG=1 flips bytes at 5,000 places each, CONCUR_TEST_SEED chooses others.
"""

import contextlib
import os
import shutil
import sqlite3
import struct
import unittest

import faults
import harness

PAGE = 4096
LOG_HEADER, FRAME_HEADER = 32, 24
SESSIONS = 600
LOGGED = 200  # of them in the write-ahead log alone
ON_A_PAGE = 25  # at most; what one damaged page may cost
FLIPS = faults.times(40, 5_000)


def user_of(number):
    return f"user{number:04}-{'x' * 120}"


def make_database(logged=0, first=0):
    """The files of a database with SESSIONS sessions, in the order they were started. With `logged` the daemon was killed, and
    so many of them are in the write-ahead log alone."""
    daemon = harness.Daemon("--lease", "3600s")

    def start_sessions(begin, end):
        daemon.start()
        with daemon.connect() as connection:
            for number in range(first + begin, first + end):
                # One commit each, so that each frame of the log is some session's.
                answer = connection.start(user_of(number), f"s{number}", {"device": f"d{number}"})
                assert answer.status == 201, answer
            connection.plan("family", {"limit": 5})
            connection.limit(user_of(first), {"plan": "family"})

    start_sessions(0, SESSIONS - logged)
    daemon.stop()
    if not logged:
        return daemon.database.read_bytes(), None
    # What was recorded of users is added up now: done later, it would take the log's room.
    daemon.start()
    with contextlib.closing(sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)) as database:
        harness.wait_until(lambda: database.execute("SELECT count(*) FROM history_parts").fetchone()[0] == 0,
                   "the record is added up")
    daemon.stop()
    start_sessions(SESSIONS - logged, SESSIONS)
    daemon.kill()
    return daemon.database.read_bytes(), daemon.database.with_name("sessions.db-wal").read_bytes()


class Case:
    """A daemon that is to be started on these files."""

    def __init__(self, database, log=None):
        self.daemon = harness.Daemon("--lease", "3600s")
        self.daemon.database.write_bytes(database)
        self.log = self.daemon.database.with_name("sessions.db-wal")
        if log is not None:
            self.log.write_bytes(log)
        self.recovered = self.daemon.database.with_name("sessions.db.recovered")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.daemon.kill()
        shutil.rmtree(self.daemon.folder)

    def files(self):
        return self.daemon.database.read_bytes(), self.log.read_bytes() if self.log.exists() else None


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sound, _ = make_database()
        cls.below_log, cls.log = make_database(LOGGED)
        assert len(cls.sound) > 40 * PAGE and len(cls.log) > 100 * PAGE
        cls.truth = {(user_of(number), f"s{number}") for number in range(SESSIONS)}

    def root_of(self, table):
        folder = harness.private_folder()
        (folder / "db").write_bytes(self.sound)
        connection = sqlite3.connect(folder / "db")
        try:
            return connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
        finally:
            connection.close()

    def flipped(self, data, at, size=1):
        return data[:at] + bytes(byte ^ 0xFF for byte in data[at:at + size]) + data[at + size:]

    # ---- what must hold whatever was damaged ----

    def refuses_or_runs(self, case, fault):
        """True where the daemon runs. Where it does not it says why, in one line, and has touched nothing."""
        before = case.files()
        if faults.ends_or_runs(case.daemon):
            return True
        self.assertEqual(case.daemon.process.returncode, 12, case.daemon.log_tail())
        self.assertEqual(case.files(), before)
        self.assertFalse(case.daemon.socket.exists())
        text = case.daemon.log_tail()
        self.assertEqual(len(text.splitlines()), 1, text)
        self.assertIn(f"cannot open database {case.daemon.database}: ", text)
        if "newer" not in text and "another program" not in text:
            self.assertIn("concurrencyd --recover", text)
        faults.count(fault, "exit 12, files untouched")
        return False

    def recovers(self, case, fault, at_least, lost_nothing=None):
        """What --recover brings out is a sound database, on which a daemon runs, and nothing in it is invented."""
        before = case.files()
        done = faults.recover(case.daemon)
        self.assertEqual(case.files(), before)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(done.stderr, "")
        if lost_nothing is not None:
            self.assertEqual("Nothing was lost." in done.stdout, lost_nothing, done.stdout)
        os.replace(case.recovered, case.daemon.database)
        case.log.unlink(missing_ok=True)
        case.daemon.start()
        found = faults.all_sessions(case.daemon)
        self.assertGreaterEqual(len(self.truth & set(found)), at_least)
        # A text that was hit but is valid is a row all the same: SQLite has no checksums.
        self.assertLessEqual(len(set(found) - self.truth), 1)
        case.daemon.stop()
        connection = sqlite3.connect(case.daemon.database)
        self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        connection.close()
        lost = len(self.truth - set(found))
        faults.count(f"--recover after: {fault}", "all sessions" if lost == 0 else f"all but {lost} sessions")

    def flip(self, fault, at, at_least, must_refuse=False):
        with Case(self.flipped(self.sound, at)) as case:
            if self.refuses_or_runs(case, fault):
                self.assertFalse(must_refuse, f"a database with a flipped byte at {at} is taken")
                found = set(faults.all_sessions(case.daemon))
                # What is hit and not noticed is one row's own value.
                self.assertGreaterEqual(len(found & self.truth), SESSIONS - 1, f"flipped at {at}")
                faults.count(fault, "runs, all sessions" if found == self.truth else "runs, one row differs")
                case.daemon.stop()
                return
        with Case(self.flipped(self.sound, at)) as case:
            self.recovers(case, fault, at_least)

    # ---- flipped bytes ----

    def test_a_byte_of_the_header(self):
        for at in (0, 5, 16, 17, 18, 19, 20, 21, 24, 28, 31, 35, 39, 47, 52, 55, 56, 59, 60, 63, 68, 71, 92, 96):
            with self.subTest(at=at):
                self.flip("a flipped byte in the header", at, SESSIONS - ON_A_PAGE, must_refuse=at in (0, 5, 68))

    def test_a_byte_of_the_schema(self):
        chosen = faults.chance("schema")
        first_cell = self.sound.index(b"CREATE TABLE")
        for at in (100, 103, 104, self.sound.index(b"device TEXT"), *(chosen.randrange(first_cell, PAGE) for _ in range(8))):
            with self.subTest(at=at):
                self.flip("a flipped byte in the schema's page", at, SESSIONS - ON_A_PAGE, must_refuse=at == 100)

    def test_a_byte_of_an_inner_page(self):
        root = (self.root_of("sessions") - 1) * PAGE
        self.assertEqual(self.sound[root], 5)  # inner, of a table
        for at in (0, 3, 4, 8, 11, 12, 13, PAGE - 1, PAGE - 3):
            with self.subTest(at=at):
                self.flip("a flipped byte in an inner page", root + at, SESSIONS - ON_A_PAGE, must_refuse=at in (0, 3, 11))

    def test_a_byte_of_a_leaf(self):
        leaf = self.sound.index(user_of(300).encode()) // PAGE * PAGE
        self.assertEqual(self.sound[leaf], 13)
        for at in (0, 3, 4, 5, 8, 9, 20):
            with self.subTest(at=at):
                self.flip("a flipped byte in a leaf", leaf + at, SESSIONS - ON_A_PAGE, must_refuse=at == 0)

    def test_bytes_anywhere(self):
        chosen = faults.chance("anywhere")
        for _ in range(FLIPS):
            at = chosen.randrange(len(self.sound))
            with self.subTest(at=at):
                self.flip("a flipped byte anywhere", at, SESSIONS - ON_A_PAGE)

    # ---- whole pages ----

    def test_pages_of_random_bytes(self):
        chosen = faults.chance("pages")
        pages = len(self.sound) // PAGE
        for count in (1, 1, 2, 5, 15):
            damaged = bytearray(self.sound)
            for page in chosen.sample(range(2, pages), count):
                damaged[page * PAGE:(page + 1) * PAGE] = chosen.randbytes(PAGE)
            with self.subTest(pages=count), Case(bytes(damaged)) as case:
                self.assertFalse(self.refuses_or_runs(case, "pages of random bytes"))
                self.recovers(case, "pages of random bytes", SESSIONS - count * ON_A_PAGE, lost_nothing=False)

    def test_a_file_that_was_cut_off(self):
        pages = len(self.sound) // PAGE
        for size, at_least in (((pages - 1) * PAGE, SESSIONS - ON_A_PAGE), ((pages - 1) * PAGE + 77, SESSIONS - ON_A_PAGE),
                               (pages // 2 * PAGE, SESSIONS // 3), (pages // 2 * PAGE + 77, SESSIONS // 3)):
            with self.subTest(size=size), Case(self.sound[:size]) as case:
                self.assertFalse(self.refuses_or_runs(case, "a file that was cut off"))
                self.recovers(case, "a file that was cut off", at_least, lost_nothing=False)

    def test_what_holds_no_row_is_reported(self):
        contents = {"random bytes": faults.chance("random").randbytes(50 * PAGE), "the first page alone": self.sound[:PAGE],
                    "half of a header": self.sound[:50], "text": b"precious\n" * 1000}
        for name, content in contents.items():
            with self.subTest(name), Case(content) as case:
                self.assertFalse(self.refuses_or_runs(case, name))
                before = case.files()
                done = faults.recover(case.daemon)
                self.assertEqual((done.returncode, done.stdout), (12, ""), done)
                self.assertIn(f"cannot recover {case.daemon.database}: nothing in it can be read", done.stderr)
                self.assertEqual(case.files(), before)
                self.assertFalse(case.recovered.exists())
                faults.count(f"--recover after: {name}", "exit 12, no file")

    def test_an_empty_file_is_a_new_database_if_it_has_no_log(self):
        with Case(b"") as case:
            self.assertTrue(self.refuses_or_runs(case, "an empty file"))
            self.assertEqual(faults.all_sessions(case.daemon), [])
            faults.count("an empty file", "runs, as with a new one")
        with Case(b"", self.log) as case:
            self.assertFalse(self.refuses_or_runs(case, "an empty file with a log"))
            self.recovers(case, "an empty file with a log", LOGGED)

    # ---- the write-ahead log ----

    def test_a_database_damaged_below_its_log(self):
        chosen = faults.chance("below")
        for _ in range(faults.times(10, 500)):
            at = chosen.randrange(len(self.below_log))
            damaged = self.flipped(self.below_log, at)
            with self.subTest(at=at), Case(damaged, self.log) as case:
                fault = "a flipped byte below a write-ahead log"
                if self.refuses_or_runs(case, fault):
                    self.assertGreaterEqual(len(self.truth & set(faults.all_sessions(case.daemon))), SESSIONS - 1)
                    faults.count(fault, "runs, all sessions")
                    case.daemon.stop()
                else:
                    self.recovers(case, fault, SESSIONS - ON_A_PAGE)

    def test_a_log_damaged_anywhere(self):
        """SQLite takes the log up to its first damaged frame: what was answered behind that is lost, in the order it was
        answered, and nothing else. --recover goes on behind it."""
        chosen = faults.chance("log")
        frame = FRAME_HEADER + PAGE
        frames = (len(self.log) - LOG_HEADER) // frame
        places = [("header", at) for at in (0, 8, 17, 25)]
        for _ in range(faults.times(8, 500)):
            begin = LOG_HEADER + chosen.randrange(frames) * frame
            places += [("frame's header", begin + chosen.randrange(FRAME_HEADER)),
                       ("frame's page", begin + FRAME_HEADER + chosen.randrange(PAGE))]
        for what, at in places:
            fault = f"a flipped byte in the log: a {what}"
            damaged = self.flipped(self.log, at)
            with self.subTest(what, at=at):
                with Case(self.below_log, damaged) as case:
                    self.assertTrue(self.refuses_or_runs(case, fault))
                    found = set(faults.all_sessions(case.daemon))
                    self.assertEqual(found, {(user_of(number), f"s{number}") for number in range(len(found))})
                    faults.count(fault, "runs with what was answered before it")
                    case.daemon.stop()
                with Case(self.below_log, damaged) as case:
                    self.recovers(case, fault, SESSIONS - ON_A_PAGE)

    def test_a_log_that_was_cut_off(self):
        chosen = faults.chance("cut")
        for _ in range(faults.times(6, 200)):
            size = chosen.randrange(len(self.log))
            with self.subTest(size=size), Case(self.below_log, self.log[:size]) as case:
                self.assertTrue(self.refuses_or_runs(case, "a log that was cut off"))
                found = set(faults.all_sessions(case.daemon))
                self.assertEqual(found, {(user_of(number), f"s{number}") for number in range(len(found))})
                faults.count("a log that was cut off", "runs with what was answered before it")
                case.daemon.stop()

    def test_the_log_of_another_file(self):
        """SQLite does not notice. Either what comes out is no sound database, which is refused with both files as they were, so
        that moving the log away mends it; or the log has every page, and then it is the other database."""
        _, foreign = make_database(SESSIONS - 20, first=10_000)
        for name, database, own in (("of its size", self.sound, SESSIONS), ("that is larger", self.below_log, None)):
            with self.subTest(name), Case(database, foreign) as case:
                if self.refuses_or_runs(case, "the log of another file"):
                    found = set(faults.all_sessions(case.daemon))
                    self.assertEqual(found, {(user_of(number), f"s{number}") for number in range(10_000, 10_000 + SESSIONS)})
                    faults.count("the log of another file", "runs, as the other database")
                    case.daemon.stop()
                    continue
                case.log.unlink()
                case.daemon.start()
                found = set(faults.all_sessions(case.daemon))
                self.assertEqual(found, {(user_of(number), f"s{number}") for number in range(own or len(found))})
                case.daemon.stop()

    # ---- --recover itself ----

    def test_recover_names_what_it_lost_and_what_to_do(self):
        root = (self.root_of("boots") - 1) * PAGE
        with Case(self.flipped(self.sound, root, PAGE)) as case:
            done = faults.recover(case.daemon)
            self.assertEqual(done.returncode, 0, done)
            lines = done.stdout.splitlines()
            self.assertEqual(lines[0], f"{case.recovered} has what can be read of {case.daemon.database}:")
            self.assertIn(["sessions", str(SESSIONS), "0", "0"], [line.split() for line in lines])
            self.assertIn(["boots", "0", "0", "0"], [line.split() for line in lines])
            self.assertIn(f"Lost: 1 of {len(self.sound) // PAGE} pages cannot be read, and the rows that were on them", lines)
            self.assertIn(f"  mv {case.recovered} {case.daemon.database}", lines)
            info = case.recovered.stat()
            self.assertEqual(info.st_mode & 0o777, 0o600)
            # What a daemon would make of it must not be refused, and a second try must not overwrite the first.
            content = case.recovered.read_bytes()
            again = faults.recover(case.daemon)
            self.assertEqual((again.returncode, again.stdout), (2, ""), again)
            self.assertIn(f"{case.recovered} is there already", again.stderr)
            self.assertEqual(case.recovered.read_bytes(), content)
            self.assertEqual([each for each in case.daemon.folder.iterdir() if ".recover-" in each.name], [])

    def test_recover_follows_its_own_advice(self):
        with Case(self.flipped(self.sound, 0, 2 * PAGE), b"") as case:
            lines = faults.recover(case.daemon).stdout.splitlines()
            commands = [line.strip() for line in lines if line.startswith("  ")]
            self.assertEqual(len(commands), 4)
            for command in commands:
                self.assertEqual(os.system(command), 0)
            with case.daemon:
                self.assertEqual(set(faults.all_sessions(case.daemon)), self.truth)

    def test_root_recovers_as_the_owner(self):
        if os.getuid() != 0:
            self.skipTest("only root can give a file to another")
        faults.require_plain_daemon(self)  # confined it may not
        with Case(self.sound) as case:
            for path in (case.daemon.folder, case.daemon.database):
                os.chown(path, 65534, 65534)
            self.assertEqual(faults.recover(case.daemon).returncode, 0)
            for path in (case.recovered, case.daemon.database.with_name("sessions.db.lock")):
                info = path.stat()
                self.assertEqual((info.st_uid, info.st_gid, info.st_mode & 0o777), (65534, 65534, 0o600))
            self.assertEqual({path.stat().st_uid for path in case.daemon.folder.iterdir() if "sessions" in path.name}, {65534})

    def test_recover_leaves_a_database_alone_on_which_a_daemon_runs(self):
        with Case(self.sound) as case:
            case.daemon.start()
            done = faults.recover(case.daemon)
            self.assertEqual((done.returncode, done.stdout), (11, ""), done)
            self.assertIn(f"already running on it with pid {case.daemon.pid}", done.stderr)
            self.assertFalse(case.recovered.exists())
            self.assertEqual(set(faults.all_sessions(case.daemon)), self.truth)
            case.daemon.stop()

    def test_recover_of_what_is_not_there_or_no_file(self):
        with Case(b"") as case:
            case.daemon.database.unlink()
            done = faults.recover(case.daemon)
            self.assertEqual(done.returncode, 12)
            self.assertIn("No such file or directory", done.stderr)
            self.assertFalse(case.daemon.database.with_name("sessions.db.lock").exists())
            case.daemon.database.mkdir()
            done = faults.recover(case.daemon)
            self.assertEqual(done.returncode, 12)
            self.assertIn("Is a directory", done.stderr)
            os.rmdir(case.daemon.database)
            os.mkfifo(case.daemon.database)
            self.assertEqual(faults.recover(case.daemon).returncode, 12)

    def test_recover_takes_what_it_knows_of_a_newer_database(self):
        newer = self.sound[:60] + struct.pack(">I", 999) + self.sound[64:]
        with Case(newer) as case:
            self.assertFalse(self.refuses_or_runs(case, "a newer schema"))
            self.recovers(case, "a newer schema", SESSIONS)


if __name__ == "__main__":
    unittest.main()
