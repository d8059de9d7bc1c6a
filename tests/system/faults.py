"""What the tests of faults share: how long they go on, where chance comes from, and a tally of what was done."""

import atexit
import collections
import os
import random
import shutil
import sqlite3
import subprocess

import harness

LONG = bool(os.environ.get("CONCUR_TEST_LONG"))
SEED = int(os.environ.get("CONCUR_TEST_SEED") or 20)


def times(short, long):
    """How often: a few times in the suite, many with CONCUR_TEST_LONG; fewer with instrumented builds."""
    return long if LONG else max(1, round(short / harness.SLOWNESS))


def chance(name):
    return random.Random(f"{SEED} {name}")


def require_plain_daemon(test):
    """Skips where a sanitizer, or what stands before the daemon, needs more than it does itself."""
    program = harness.DAEMON.read_bytes()
    if not program.startswith(b"\x7fELF") or b"__asan_init" in program or b"__tsan_init" in program:
        test.skipTest("the daemon is instrumented or confined")


_tally = collections.defaultdict(collections.Counter)


def count(fault, seen, number=1):
    """Notes a fault that was brought about and what the user saw of it; all are printed at the end of the test."""
    _tally[fault][seen] += number


def _print_tally():
    for fault, outcomes in _tally.items():
        seen = "; ".join(f"{what}: {number}" for what, number in outcomes.most_common())
        print(f"fault: {fault}, {sum(outcomes.values())} times ({seen})", flush=True)


atexit.register(_print_tally)


def ends_or_runs(daemon):
    """Starts it. True where it runs; False where it ended by itself, its exit code in daemon.process.returncode."""
    try:
        daemon.start()
    except harness.TestSetupError:
        if daemon.process.poll() is None or daemon.process.returncode < 0:
            raise
        return False
    return True


def recover(daemon):
    """concurrencyd --recover on the daemon's database: the CompletedProcess, with text."""
    return subprocess.run([*daemon.command(), "--recover"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=harness.seconds(60), env=harness.clean_environment(), check=False)


def all_sessions(daemon):
    """(user, session) of all that are active, page by page."""
    found, after = [], ""
    with daemon.connect() as connection:
        while True:
            body = connection.get(f"/v1/sessions?limit=1000{after}").json()
            found += [(each["user"], each["session"]) for each in body["sessions"]]
            if not body.get("next"):
                return found
            after = f"&after={harness.segment(body['next'])}"


class Ledger:
    """Sessions that one client starts and ends, and what it was answered about each. Their leases must outlive the test."""

    LIMIT = 3
    MOST = 20_000

    def __init__(self):
        self.active = {}  # (user, session) -> True or False, as acknowledged; None where no answer came
        self.users = 0
        self.refused = 0  # how many answers were 503
        self.refusal = None  # the last of them
        self._settled = 0  # sessions of which no more is known than that they are gone
        self._started = {}  # user -> the first session that was started

    def work(self, connection, users=20):
        """Asks for one session more than the limit of each of some new users, and ends the first; True where all was answered,
        False where the daemon went away."""
        asked = []
        for _ in range(users):
            self.users += 1
            user = f"user{self.users}"
            asked += [("start", user, f"s{number}") for number in range(self.LIMIT + 1)] + [("end", user, "s0")]
        self.active.update({(user, session): None for _, user, session in asked})
        requests = {"start": harness.start_request, "end": harness.end_request}
        try:
            connection.send(b"".join(requests[what](user, session) for what, user, session in asked))
            for what, user, session in asked:
                self._note(what, user, session, connection.receive())
        except (harness.ConnectionLost, OSError):
            return False
        return True

    def _note(self, what, user, session, answer):
        outcome = (what, answer.status)
        started = self._started.get(user) == session
        if outcome == ("start", 201):
            # The end of the first is on its way already: until its answer is there it may have happened.
            self.active[user, session] = None if session == "s0" else True
            self._started.setdefault(user, session)
        elif outcome in (("start", 409), ("end", 200)):
            self.active[user, session] = False
        elif answer.status == 503:
            self.refused += 1
            self.refusal = answer
            self.active[user, session] = what == "end" and started
        else:
            raise AssertionError(f"{what} of {user} {session} answered {answer}")

    def acknowledged(self):
        return self._settled + sum(1 for state in self.active.values() if state is not None)

    def compare(self, daemon):
        """Holds what the daemon lists against what it acknowledged; what was undecided is decided by that."""
        listed = all_sessions(daemon)
        there = set(listed)
        assert len(listed) == len(there), "a session is there twice"
        most = max(collections.Counter(user for user, _ in listed).values(), default=0)
        assert most <= self.LIMIT, f"a user has {most} sessions, over the limit"
        invented = there - self.active.keys()
        assert not invented, f"nobody asked for {invented}"
        for which, state in self.active.items():
            if state is None:
                self.active[which] = which in there
            elif state:
                assert which in there, f"{which} was acknowledged and is lost"
            else:
                assert which not in there, f"{which} was refused or ended and is there"
        if len(self.active) > self.MOST:
            self._begin_anew(daemon)

    def _begin_anew(self, daemon):
        """So that a long test does not grow slower and slower. What is purged and comes back was invented."""
        with daemon.connect() as connection:
            answer = connection.ask(harness.request("POST", "/v1/purge", {"all": True}))
            assert answer.status == 200, answer
        self._settled += len(self.active)
        self.active.clear()
        self._started.clear()


def assert_sound(database, folder):
    """SQLite's integrity_check of a copy: opening the original would repair its log in the daemon's stead."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in ("", "-wal", "-journal"):
        source = database.with_name(database.name + suffix)
        if source.exists():
            shutil.copyfile(source, folder / source.name)
    connection = sqlite3.connect(folder / database.name)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        assert found == [("ok",)], found
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()
