"""What was acknowledged survives kill -9, and nothing else is invented.

Twenty rounds on one database: several connections start, renew and end sessions of many users as fast as they are
answered, until the daemon is killed in the midst of it. After each round the database is whole, every acknowledged start
is there, every acknowledged end holds, and what was under way has happened or not, but never beyond the limit.
"""

import collections
import random
import select
import shutil
import sqlite3
import time
import unittest

import harness
from harness import SECOND

ROUNDS = harness.rounds(20)
CONNECTIONS = 12
DEPTH = 8  # requests on their way at once on each connection
USERS = 100  # of each round: few enough that limits are reached, enough to stay below the rate limit of each
LIMIT = 3
MOST_ANSWERS = 6_000  # after how many answers of a round the daemon is killed at the latest

ACTIVE, GONE = "active", "gone"


def integrity_of(database, folder):
    """What SQLite says of a copy: opening the original would repair its log in the daemon's stead."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in ("", "-wal"):
        source = database.with_name(database.name + suffix)
        if source.exists():
            shutil.copyfile(source, folder / source.name)
    connection = sqlite3.connect(folder / database.name)
    try:
        return [row[0] for row in connection.execute("PRAGMA integrity_check")]
    finally:
        connection.close()


class Load:
    """One connection that keeps DEPTH requests on their way. It alone uses its sessions, so it knows what became of each."""

    def __init__(self, daemon, number, round_number, rng):
        self.connection = daemon.connect()
        self.connection.socket.setblocking(False)
        self.parser = harness.ResponseParser()
        self.name = f"r{round_number}c{number}"
        self.round_number = round_number
        self.rng = rng
        self.on_their_way = collections.deque()  # (what, user, session), oldest first
        self.state = {}  # (user, session) -> ACTIVE or GONE, as acknowledged
        self.playing = []  # acknowledged as started, nothing further asked since
        self.started = 0
        self.statuses = collections.Counter()

    def ask_more(self):
        requests = []
        while len(self.on_their_way) < DEPTH:
            dice = self.rng.random()
            if self.playing and dice < 0.45:
                at = self.rng.randrange(len(self.playing))
                self.playing[at], self.playing[-1] = self.playing[-1], self.playing[at]
                user, session = self.playing.pop()
                what, request = ("end", harness.end_request(user, session))
            elif self.playing and dice < 0.55:
                user, session = self.rng.choice(self.playing)
                what, request = ("heartbeat", harness.heartbeat_request(user, session))
            else:
                # The users are shared with the other connections, the sessions are not.
                user, session = f"r{self.round_number}u{self.rng.randrange(USERS)}", f"{self.name}s{self.started}"
                self.started += 1
                what, request = ("start", harness.start_request(user, session))
            self.on_their_way.append((what, user, session))
            requests.append(request)
        self.connection.socket.sendall(b"".join(requests))

    def take_answers(self):
        """The number of answers that had come; None when the connection has ended."""
        try:
            data = self.connection.socket.recv(1 << 18)
        except BlockingIOError:
            return 0
        except ConnectionError:
            return None
        if not data:
            return None
        answers = self.parser.feed(data)
        for answer in answers:
            what, user, session = self.on_their_way.popleft()
            self.statuses[what, answer.status] += 1
            if (what, answer.status) == ("start", 201):
                self.state[user, session] = ACTIVE
                self.playing.append((user, session))
            elif (what, answer.status) in (("start", 409), ("start", 429)):
                self.state[user, session] = GONE
            elif (what, answer.status) == ("end", 200):
                self.state[user, session] = GONE
                if not answer.json()["ended"]:
                    raise AssertionError(f"an active session was not there to be ended: {answer}")
            elif (what, answer.status) != ("heartbeat", 200):
                raise AssertionError(f"{what} of {user} {session} answered {answer}")
        return len(answers)


class KillDuringLoad(unittest.TestCase):
    def test_acknowledged_is_kept(self):
        rng = random.Random(20)
        daemon = harness.Daemon("--lease", "3600s", "--limit", str(LIMIT))
        daemon.start()
        self.addCleanup(daemon.kill)
        truth = collections.defaultdict(dict)  # user -> session -> ACTIVE or GONE
        total, undecided_total = collections.Counter(), collections.Counter()
        began = time.monotonic()
        for number in range(ROUNDS):
            loads = self.run_until_killed(daemon, number, rng)
            undecided = {}
            for load in loads:
                total += load.statuses
                for (user, session), state in load.state.items():
                    truth[user][session] = state
                for what, user, session in load.on_their_way:
                    if what != "heartbeat":
                        undecided[user, session] = what
            self.assertEqual(integrity_of(daemon.database, daemon.folder / "copy"), ["ok"])
            daemon.start()
            undecided_total += self.compare(daemon, truth, undecided)
        with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as connection:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        connection.close()
        daemon.stop()
        self.assertEqual(integrity_of(daemon.database, daemon.folder / "copy"), ["ok"])
        acknowledged = ", ".join(f"{what} {status}: {count}" for (what, status), count in sorted(total.items()))
        under_way = ", ".join(f"{what}: {count}" for what, count in sorted(undecided_total.items()))
        took = time.monotonic() - began
        print(f"{ROUNDS} rounds in {took:.1f} s; acknowledged: {acknowledged}; under way when killed: {under_way}", flush=True)

    def run_until_killed(self, daemon, number, rng):
        loads = [Load(daemon, each, number, rng) for each in range(CONNECTIONS)]
        by_descriptor = {load.connection.socket.fileno(): load for load in loads}
        poll = select.poll()
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        for load in loads:
            load.ask_more()
        # Both early in the daemon's life and well into it, and at no particular point of a commit.
        answers_left = rng.randint(1, MOST_ANSWERS)
        deadline = time.monotonic() + harness.seconds(60)
        while answers_left > 0:
            self.assertLess(time.monotonic(), deadline, "the daemon is too slow or stuck")
            for descriptor, _ in poll.poll(1000):
                load = by_descriptor[descriptor]
                answered = load.take_answers()
                self.assertIsNotNone(answered, f"the daemon closed a connection\n{daemon.log_tail()}")
                answers_left -= answered
                if answers_left <= 0:
                    break
                load.ask_more()
        daemon.kill()
        # Answers that had left the daemon are still in the sockets: they are acknowledgements like all others.
        for load in loads:
            while load.take_answers() is not None:
                pass
            load.connection.close()
        return loads

    def compare(self, daemon, truth, undecided):
        """Holds what the daemon lists against what it acknowledged; takes note of how undecided things turned out."""
        with harness.Fleet(daemon.socket, 8) as fleet:
            users = sorted(truth.keys() | {user for user, _ in undecided})
            answers = fleet.ask_each([harness.list_request(user) for user in users])
        outcomes = collections.Counter()
        for user, answer in zip(users, answers):
            self.assertEqual(answer.status, 200)
            body = answer.json()
            listed = [each["session"] for each in body["sessions"]]
            self.assertEqual(len(listed), len(set(listed)))
            self.assertEqual(body["concurrentSessions"], len(listed))
            self.assertLessEqual(len(listed), LIMIT, user)
            known = truth[user]
            for session in {*known, *listed, *(session for owner, session in undecided if owner == user)}:
                there = session in listed
                what = undecided.get((user, session))
                if what is not None:
                    outcomes[f"{what} {'there' if there else 'not there'} afterwards"] += 1
                    known[session] = ACTIVE if there else GONE
                elif there:
                    self.assertEqual(known.get(session), ACTIVE, f"{user} {session} is there again")
                else:
                    self.assertEqual(known.get(session), GONE, f"{user} {session} was acknowledged and is lost")
        return outcomes


class LeasesAfterKill(unittest.TestCase):
    """With a clock held still, to the millisecond."""

    LEASE = 600 * SECOND

    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = harness.Daemon("--lease", "600s", clock=self.clock, folder=folder)
        self.daemon.start()
        self.addCleanup(self.daemon.kill)

    def sessions(self):
        with self.daemon.connect() as connection:
            return {each["session"]: each for each in connection.list("abc").json()["sessions"]}

    def ask(self, what, session):
        with self.daemon.connect() as connection:
            return getattr(connection, what)("abc", session)

    def kill_and_restart(self):
        self.daemon.kill()
        self.daemon.start()

    def test_a_session_has_at_least_a_heartbeat_interval_left(self):
        self.ask("start", "old")
        self.clock.advance(self.LEASE - 1)
        self.ask("start", "new")
        self.kill_and_restart()
        sessions = self.sessions()
        self.assertEqual(sessions["old"]["expiresAt"], harness.rfc3339(self.clock.wall + self.LEASE // 3))
        self.assertEqual(sessions["old"]["lastSeenAt"], harness.rfc3339(self.clock.wall - self.LEASE + 1))
        self.assertEqual(sessions["new"]["expiresAt"], harness.rfc3339(self.clock.wall + self.LEASE))
        self.clock.advance(self.LEASE // 3)
        self.assertEqual(list(self.sessions()), ["new"])
        self.assertEqual(self.ask("heartbeat", "old").json()["reason"], "expired")

    def test_a_heartbeat_is_not_forgotten_by_more_than_a_third_of_a_lease(self):
        self.ask("start", "s1")
        self.clock.advance(400 * SECOND)
        self.assertEqual(self.ask("heartbeat", "s1").status, 200)
        self.clock.advance(150 * SECOND)
        self.kill_and_restart()
        self.assertEqual(list(self.sessions()), ["s1"])
        self.clock.advance(self.LEASE // 3 - 1)
        self.assertEqual(self.ask("heartbeat", "s1").status, 200)
        self.clock.advance(self.LEASE - 1)
        self.assertEqual(list(self.sessions()), ["s1"])

    def test_a_clean_stop_forgets_no_heartbeat_at_all(self):
        self.ask("start", "s1")
        self.clock.advance(400 * SECOND)
        self.ask("heartbeat", "s1")
        before = self.sessions()
        self.daemon.restart()
        self.assertEqual(self.sessions(), before)

    def test_the_wall_clock_does_not_matter_within_one_boot(self):
        self.ask("start", "s1")
        for jump in (86_400 * SECOND, -10 * 86_400 * SECOND):
            self.clock.jump_wall(jump)
            self.kill_and_restart()
            session = self.sessions()["s1"]
            self.assertEqual(session["startedAt"], harness.rfc3339(self.clock.wall))
            self.assertEqual(session["expiresAt"], harness.rfc3339(self.clock.wall + self.LEASE))

    def test_an_end_is_not_undone_and_a_stale_socket_is_no_obstacle(self):
        for number in range(5):
            self.ask("start", f"s{number}")
            self.ask("end", f"s{number}")
            self.kill_and_restart()
            self.assertEqual(self.sessions(), {})
            self.assertEqual(self.ask("heartbeat", f"s{number}").status, 404, "what ended before the crash is not remembered")


if __name__ == "__main__":
    unittest.main()
