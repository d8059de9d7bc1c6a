"""Take-overs, evictions and reconnects in races, over kill -9 and on a full disk: never more than the limit, each
evicted exactly once.

(Their rules one by one, in thousands of combinations: replay_evening.py. Hold-offs and clocks: test_clocks.py.)"""

import collections
import random
import resource
import select
import shutil
import sqlite3
import time
import unittest

import harness
from harness import SECOND

RACERS = 100
LIMIT = 3
ROUNDS = harness.rounds(20)
HOLD_OFF = 180


def rows(database, folder, user=None):
    """How many rows of sessions the database of a daemon that was killed has, looked at in a copy of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in ("", "-wal"):
        source = database.with_name(database.name + suffix)
        if source.exists():
            shutil.copyfile(source, folder / source.name)
    connection = sqlite3.connect(folder / database.name)
    try:
        if user is not None:
            return connection.execute("SELECT count(*) FROM sessions WHERE user = ?", (user,)).fetchone()[0]
        return connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    finally:
        connection.close()


class TakeOverTest(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon("--lease", "600s", "--limit", str(LIMIT))
        self.enterContext(self.daemon)

    def listed(self, user):
        with self.daemon.connect() as connection:
            body = connection.list(user).json()
        self.assertEqual(body["concurrentSessions"], len(body["sessions"]))
        return [each["session"] for each in body["sessions"]]

    def start_all(self, user, sessions, body=None):
        with self.daemon.connect() as connection:
            for session in sessions:
                self.assertEqual(connection.start(user, session, body).status, 201)

    def assert_the_database_agrees(self, user, sessions):
        """What the rows say after kill -9, and the list after the restart."""
        self.daemon.kill()
        self.assertEqual(rows(self.daemon.database, self.daemon.folder / "copy", user), len(sessions))
        self.daemon.start()
        self.assertEqual(self.listed(user), sessions)


class Races(TakeOverTest):
    """From 100 connections, whose last bytes are written at once."""

    def race(self, fleet, user, body_of):
        batches = [[harness.start_request(user, f"s{racer}", body_of(racer))] for racer in range(RACERS)]
        return {f"s{racer}": answer for racer, [answer] in enumerate(fleet.exchange(batches, last_byte_together=True))}

    def evicted_by_their_answers(self, answers):
        """Who was evicted, each checked to have been so once and by a start that was admitted."""
        evicted = collections.Counter()
        for answer in answers.values():
            body = answer.json()
            self.assertLessEqual(body["concurrentSessions"], LIMIT)
            if answer.status == 201:
                evicted.update(body.get("evicted", []))
            else:
                self.assertEqual(answer.status, 409)
                self.assertNotIn("evicted", body)
        self.assertEqual(set(evicted.values()) - {1}, set(), "evicted more than once")
        return set(evicted)

    def assert_each_learns_by_whom(self, user, answers, **more):
        """Everybody who was evicted learns it, with the name of the one whose answer lists it, and that one's device."""
        by = {loser: winner for winner, answer in answers.items() for loser in answer.json().get("evicted", [])}
        with harness.Fleet(self.daemon.socket, 8) as fleet:
            said = fleet.ask_each([harness.heartbeat_request(user, loser) for loser in by])
        for loser, answer in zip(by, said):
            self.assertEqual((answer.status, answer.json()["reason"]), (410, "evicted"))
            self.assertEqual({name: answer.json()["evictedBy"].get(name) for name in ("session", *more)},
                             {"session": by[loser], **more})

    def test_of_all_who_take_over_the_same_session_one_gets_it(self):
        with harness.Fleet(self.daemon.socket, RACERS) as fleet:
            for number in range(ROUNDS):
                user = f"user{number}"
                self.start_all(user, ("wanted", "other", "third"))
                answers = self.race(fleet, user, lambda racer: {"replace": "wanted"})
                statuses = collections.Counter(answer.status for answer in answers.values())
                self.assertEqual(statuses, {201: 1, 409: RACERS - 1})
                self.assertEqual(self.evicted_by_their_answers(answers), {"wanted"})
                [winner] = [name for name, answer in answers.items() if answer.status == 201]
                self.assertEqual(self.listed(user), ["other", "third", winner])
                self.assert_each_learns_by_whom(user, answers)
                for answer in answers.values():
                    self.assertNotIn("holdOff", answer.json(), "nobody of them was evicted")
        self.assert_the_database_agrees(user, ["other", "third", winner])

    def test_of_all_who_evict_the_oldest_so_many_get_in_as_there_are_places_and_stay(self):
        with harness.Fleet(self.daemon.socket, RACERS) as fleet:
            for number in range(ROUNDS):
                user = f"user{number}"
                self.start_all(user, ("first", "second"))
                answers = self.race(fleet, user, lambda racer: {"onLimit": "evict-oldest"})
                admitted = {name: answer for name, answer in answers.items() if answer.status == 201}
                # The first finds room and is evicted again; each of the others is protected.
                self.assertEqual(len(admitted), 1 + LIMIT)
                self.assertEqual(len(self.evicted_by_their_answers(admitted)), LIMIT)
                for name, answer in answers.items():
                    if name not in admitted:
                        self.assertEqual(answer.status, 409)
                        self.assertTrue(HOLD_OFF - 60 < answer.json()["holdOff"] <= HOLD_OFF, answer)
                left = self.listed(user)
                self.assertLess(set(left), set(admitted))
                self.assert_each_learns_by_whom(user, admitted)
        self.assert_the_database_agrees(user, left)

    def test_all_who_evict_the_oldest_of_one_address_get_in_and_each_but_the_last_is_evicted_once(self):
        with harness.Fleet(self.daemon.socket, RACERS) as fleet:
            for number in range(ROUNDS):
                user = f"user{number}"
                self.start_all(user, ("first", "second"))
                answers = self.race(fleet, user, lambda racer: {"onLimit": "evict-oldest", "ip": "192.0.2.1"})
                self.assertEqual({answer.status for answer in answers.values()}, {201})
                evicted = self.evicted_by_their_answers(answers)
                left = self.listed(user)
                self.assertEqual(len(left), LIMIT)
                self.assertEqual(evicted, {"first", "second", *answers} - set(left))
                self.assertEqual({len(answer.json().get("evicted", [])) for answer in answers.values()}, {0, 1})
                self.assert_each_learns_by_whom(user, answers)
        self.assert_the_database_agrees(user, left)

    def test_all_who_reconnect_from_one_device_get_its_slot_one_after_the_other(self):
        with harness.Fleet(self.daemon.socket, RACERS) as fleet:
            for number in range(ROUNDS):
                user = f"user{number}"
                self.start_all(user, ("other", "third"))
                self.start_all(user, ("before",), {"device": "tv"})
                answers = self.race(fleet, user, lambda racer: {"device": "tv"})
                self.assertEqual({(answer.status, answer.json()["concurrentSessions"]) for answer in answers.values()},
                                 {(201, LIMIT)})
                evicted = self.evicted_by_their_answers(answers)
                left = self.listed(user)
                self.assertEqual(left[:2], ["other", "third"])
                self.assertEqual(len(left), LIMIT)
                self.assertEqual(evicted, {"before", *answers} - set(left))
                self.assert_each_learns_by_whom(user, answers, device="tv")
                with self.daemon.connect() as connection:  # a reconnect holds nobody off
                    reported = connection.start(user, "before", {"replace": "other"}).json()
                self.assertEqual(reported["evicted"], ["other"])
        self.assert_the_database_agrees(user, ["third", left[2], "before"])

    def test_in_a_crowd_that_does_everything_at_once_the_books_balance(self):
        rng = random.Random(7)
        total = collections.Counter()
        for number in range(ROUNDS):
            user = f"user{number}"
            with harness.Fleet(self.daemon.socket, RACERS) as fleet:
                requests, asked = [], []
                for racer in range(RACERS):
                    name = f"s{racer}"
                    body = rng.choice((None, {"onLimit": "evict-oldest"}, {"device": f"tv{rng.randrange(5)}"},
                                       {"replace": f"s{rng.randrange(RACERS)}"},
                                       {"replace": f"s{rng.randrange(RACERS)}", "onLimit": "evict-oldest",
                                        "device": f"tv{rng.randrange(5)}"}))
                    batch = [harness.start_request(user, name, body)]
                    if rng.random() < 0.3:
                        batch.append(harness.end_request(user, rng.choice((name, f"s{rng.randrange(RACERS)}"))))
                    if rng.random() < 0.5:
                        batch.append(harness.list_request(user))
                    requests.append(batch)
                    asked.append(name)
                answers = fleet.exchange(requests, last_byte_together=True)
            started, ended, evicted = set(), collections.Counter(), collections.Counter()
            for name, batch in zip(asked, answers):
                for answer in batch:
                    body = answer.json()
                    self.assertLessEqual(body["concurrentSessions"], LIMIT)
                    total[answer.status] += 1
                    if answer.status == 201:
                        started.add(name)
                        evicted.update(body.get("evicted", []))
                    elif body.get("ended"):
                        ended[body["session"]] += 1
            left = self.listed(user)
            self.assertEqual(set((ended + evicted).values()) - {1}, set(), "each goes once")
            self.assertEqual(started - set(ended) - set(evicted), set(left))
            self.assertLessEqual(set(ended) | set(evicted), started)
            total.update(evicted=len(evicted), ended=len(ended))
        self.assert_the_database_agrees(user, left)
        for what in (201, 409, "evicted", "ended"):
            self.assertGreater(total[what], ROUNDS, "the crowd did not do everything")


class KillDuringEvictions(TakeOverTest):
    """Each connection starts stream after stream of its own user, each taking the oldest's place, until the daemon is killed.
    What is left must be a user's last three of those that had been started at some moment after the last
    acknowledgement."""

    CONNECTIONS = 12
    DEPTH = 8
    MOST_ANSWERS = 1500

    def test_what_was_acknowledged_holds_and_nobody_is_above_the_limit(self):
        rng = random.Random(30)
        kills = max(3, ROUNDS // 2)
        undecided = 0
        for number in range(kills):
            users = [f"r{number}u{each}" for each in range(self.CONNECTIONS)]
            acknowledged, sent = self.start_until_killed(users, rng)
            in_database = rows(self.daemon.database, self.daemon.folder / "copy")
            self.daemon.start()
            with self.daemon.connect() as connection:
                listed_of_all = connection.get("/v1/sessions?limit=1000").json()["sessions"]
                self.assertEqual(in_database, len(listed_of_all))
                for user in users:
                    listed = self.listed(user)
                    possible = [[f"s{each}" for each in range(max(0, count - LIMIT), count)]
                                for count in range(acknowledged[user], sent[user] + 1)]
                    self.assertIn(listed, possible)
                    undecided += len(possible) > 1
                    if acknowledged[user] > LIMIT:
                        # Evicted for certain, the youngest of those: it may not evict back, also after the crash.
                        loser = f"s{acknowledged[user] - LIMIT - 1}"
                        gone = connection.heartbeat(user, loser)
                        self.assertEqual((gone.status, gone.json()["reason"]), (410, "evicted"))
                        denied = connection.start(user, loser, {"onLimit": "evict-oldest"})
                        self.assertEqual(denied.status, 409)
                        self.assertTrue(0 < denied.json()["holdOff"] <= HOLD_OFF, denied)
                connection.ask(harness.request("POST", "/v1/purge", {"all": True}))
        self.assertGreater(undecided, 0, "the daemon was never killed in the midst of it")

    def start_until_killed(self, users, rng):
        connections = {}
        acknowledged, sent = dict.fromkeys(users, 0), dict.fromkeys(users, 0)
        poll = select.poll()
        for user in users:
            connection = self.daemon.connect()
            self.addCleanup(connection.close)
            connections[connection.socket.fileno()] = (user, connection, harness.ResponseParser())
            poll.register(connection.socket, select.POLLIN)
        # No user starts more than 200 a minute, which is what the daemon may allow.
        most = {user: 150 for user in users}

        def ask_more(user, connection):
            requests = []
            while sent[user] - acknowledged[user] < self.DEPTH and sent[user] < most[user]:
                requests.append(harness.start_request(user, f"s{sent[user]}", {"replace": f"s{sent[user] - LIMIT}"}))
                sent[user] += 1
            if requests:
                connection.send(b"".join(requests))

        def take(user, connection, parser):
            data = connection.socket.recv(1 << 18)
            for answer in parser.feed(data):
                self.assertEqual(answer.status, 201, answer)
                count = acknowledged[user]
                self.assertEqual(answer.json().get("evicted", []), [f"s{count - LIMIT}"] if count >= LIMIT else [])
                acknowledged[user] += 1
            return data

        for user, connection, _ in connections.values():
            ask_more(user, connection)
        answers = rng.randint(1, self.MOST_ANSWERS)
        deadline = time.monotonic() + harness.seconds(60)
        while sum(acknowledged.values()) < answers:
            self.assertLess(time.monotonic(), deadline, "the daemon is too slow or stuck")
            for descriptor, _ in poll.poll(1000):
                user, connection, parser = connections[descriptor]
                self.assertTrue(take(user, connection, parser), "the daemon closed a connection")
                ask_more(user, connection)
        self.daemon.kill()
        for user, connection, parser in connections.values():  # answers that had left it are acknowledgements too
            try:
                while take(user, connection, parser):
                    pass
            except ConnectionError:
                pass
            connection.close()
        return acknowledged, sent


class FullDisk(TakeOverTest):
    """A limit on the size of files (setrlimit(2)), until it is lifted, makes the daemon's writes fail: a full disk."""

    def setUp(self):
        super().setUp()
        self.room = resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE)

    def fill(self):
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, (1, self.room[1]))

    def make_room(self):
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, self.room)

    def wait_until_it_works(self):
        with self.daemon.connect() as connection:
            harness.wait_until(lambda: connection.get("/healthz").status == 200, "the daemon notices the room")

    def test_a_start_that_cannot_be_kept_evicts_nobody_and_holds_nobody_off(self):
        user = "abc"
        self.start_all(user, ("first", "second"))
        self.start_all(user, ("third",), {"device": "tv"})
        with self.daemon.connect() as connection:
            before = connection.list(user).json()
            self.fill()
            bodies = ({"onLimit": "evict-oldest"}, {"replace": "second"}, {"device": "tv"},
                      {"replace": "second", "device": "tv"}) * 5
            for number, body in enumerate(bodies):
                connection.send(harness.start_request(user, f"s{number}", body))
            self.assertEqual({connection.receive().status for _ in bodies}, {503})
            self.assertEqual(connection.limit(user, {"limit": 7}).status, 503)
            self.assertEqual(connection.plan("premium", {"limit": 7}).status, 503)
            self.assertEqual(connection.list(user).json(), before)
            self.assertEqual(connection.get("/v1/plans").json(), {"plans": []})
            for session in ("first", "second", "third"):
                self.assertEqual(connection.heartbeat(user, session).status, 200)
            self.make_room()
            self.wait_until_it_works()
            # Had one of those been evicted it could not evict now.
            reported = connection.start(user, "s0", {"onLimit": "evict-oldest"})
            self.assertEqual(reported.json()["evicted"], ["first"])
            self.assertEqual(connection.end(user, "second").status, 200)
            self.assertEqual(connection.start(user, "second", {"device": "tv", "replace": "s0"}).json()["evicted"],
                             ["third", "s0"])
        self.assert_the_database_agrees(user, ["second"])

    def test_when_it_fills_in_the_midst_of_evictions_the_books_balance(self):
        rng = random.Random(9)
        total = collections.Counter()
        kinds = ({"onLimit": "evict-oldest"}, {"onLimit": "evict-oldest", "ip": "192.0.2.1"}, {"device": "tv"},
                 {"replace": "s-1"})
        for number in range(max(3, ROUNDS // 4)):  # each lasts a second or two: so often the daemon looks for room
            users = [f"r{number}u{each}" for each in range(10)]
            started = {user: set() for user in users}
            evicted = {user: collections.Counter() for user in users}
            asked = []

            def requests(count):
                """For a connection: the next starts, each with a name of its own."""
                batch = []
                for _ in range(count):
                    user, name, body = rng.choice(users), f"s{len(asked)}", rng.choice(kinds)
                    if "replace" in body:
                        body = {"replace": f"s{rng.randrange(len(asked) + 1)}"}
                    asked.append((user, name))
                    batch.append(harness.start_request(user, name, body))
                return b"".join(batch)

            def count_answers(connections, per_connection, first):
                for index, connection in enumerate(connections):
                    for user, name in asked[first + index * per_connection:first + (index + 1) * per_connection]:
                        answer = connection.receive()
                        total[answer.status] += 1
                        self.assertIn(answer.status, (201, 409, 503))
                        if answer.status == 201:
                            started[user].add(name)
                            evicted[user].update(answer.json().get("evicted", []))

            connections = [self.daemon.connect() for _ in range(10)]
            # Before it is full; while it fills; and after.
            for state in ("room", "filling", "full"):
                first = len(asked)
                for connection in connections:
                    connection.send(requests(30))
                if state == "filling":
                    self.fill()
                count_answers(connections, 30, first)
            for connection in connections:
                connection.close()
            self.make_room()
            self.wait_until_it_works()
            for user in users:
                left = self.listed(user)
                self.assertEqual(set(evicted[user].values()) - {1}, set(), "evicted more than once")
                self.assertLessEqual(set(evicted[user]), started[user])
                self.assertEqual(started[user] - set(evicted[user]), set(left))
                self.assertLessEqual(len(left), LIMIT)
        self.assertGreater(total[201], 100)
        self.assertGreater(total[503], 100)
        self.assert_the_database_agrees(user, left)


class HoldOff(unittest.TestCase):
    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = harness.Daemon("--lease", "600s", "--limit", "1", clock=self.clock, folder=folder)
        self.enterContext(self.daemon)

    def start(self, session, **body):
        with self.daemon.connect() as connection:
            return connection.start(self.user, session, body)

    def test_two_who_fight_get_one_turn_in_three_minutes_each(self):
        self.user = "abc"
        turns = {"one": 0, "two": 0}
        self.start("one", ttl=7200)
        for _ in range(4 * HOLD_OFF):  # each tries each second, for 12 minutes
            self.clock.advance(1 * SECOND)
            for name in turns:
                answer = self.start(name, device=f"tv of {name}", onLimit="evict-oldest", ttl=7200)
                turns[name] += "evicted" in answer.json()
        # `two` evicts in the first second, `one` three minutes later to the second, and so on.
        self.assertEqual(turns, {"one": 2, "two": 2})

    def test_the_newest_100_evictions_are_remembered_also_over_kill_9(self):
        self.user = "abc"
        for number in range(103):
            self.assertEqual(self.start(f"s{number}", replace=f"s{number - 1}").status, 201)
        # 102 were evicted: s0 to s101. The newest 100 are s2 to s101.
        for life in ("first", "second"):
            with self.subTest(life=life):
                for number in (2, 3, 50, 101):
                    denied = self.start(f"s{number}", onLimit="evict-oldest")
                    self.assertEqual((denied.status, denied.json()["holdOff"]), (409, HOLD_OFF))
            self.daemon.kill()
            self.daemon.start()
        self.assertEqual(self.start("s1", replace="s102").json()["evicted"], ["s102"])

    def test_fresh_names_get_nobody_round_it_where_the_address_is_known(self):
        self.user = "q"
        takeovers = 0
        for number in range(20):
            for player, address in (("u1", "192.0.2.1"), ("u2", "192.0.2.2")):
                answer = self.start(f"{player}-{number}", ip=address, onLimit="evict-oldest")
                evicted = answer.json().get("evicted", [])
                takeovers += any(not each.startswith(player) for each in evicted)
                if player == "u1" and number > 0:
                    self.assertEqual((answer.status, answer.json()["holdOff"]), (409, HOLD_OFF))
                else:
                    self.assertEqual(answer.status, 201)
        self.assertEqual(takeovers, 1)

    def test_a_player_that_zaps_from_one_address_is_one_viewer(self):
        self.user = "v"
        for channel, before in (("a", None), ("b", "a"), ("a", "b"), ("c", "a"), ("b", "c")):
            answer = self.start(channel, ip="192.0.2.1", onLimit="evict-oldest")
            self.assertEqual((answer.status, answer.json().get("evicted")), (201, before and [before]))
        with self.daemon.connect() as connection:
            figures, = connection.get("/v1/report?user=v").json()["users"]
            self.assertEqual((figures["evictions"], figures["conflicts"], figures["score"]), (0, 0, 0))

    def test_two_players_of_one_device_are_counted_as_two_after_the_third_change(self):
        self.user = "p"
        answers = [self.start("ab"[number % 2], device="android", onLimit="deny") for number in range(24)]
        self.assertEqual([answer.status for answer in answers[:5]], [201] * 5)
        self.assertEqual([answer.json().get("evicted") for answer in answers[1:5]], [["a"], ["b"], ["a"], ["b"]])
        for number, answer in enumerate(answers[5:], 5):  # the last to get in goes on
            self.assertEqual(answer.status, 200 if number % 2 == 0 else 409, answer)
        with self.daemon.connect() as connection:
            figures, = connection.get("/v1/report").json()["users"]
            self.assertEqual((figures["user"], figures["conflicts"], figures["score"]), ("p", 3, 1))
        lines = [line for line in self.daemon.log_text().splitlines() if "several players" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn('user "p": several players use device "android"', lines[0])
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.start("b", device="android").status, 409)
        self.clock.advance(HOLD_OFF * SECOND)
        self.assertEqual(self.start("b", device="android").json()["evicted"], ["a"])

    def test_who_plays_on_beside_another_of_its_address_is_a_conflict(self):
        self.user = "w"
        self.start("a", ip="192.0.2.1")
        self.start("b", ip="192.0.2.1", onLimit="evict-oldest")
        with self.daemon.connect() as connection:
            for seconds, conflicts in ((4, 0), (1, 1), (1, 1)):
                self.clock.advance(seconds * SECOND)
                self.assertEqual(connection.heartbeat("w", "a").status, 410)
                figures, = connection.get("/v1/report?user=w").json()["users"]
                self.assertEqual(figures["conflicts"], conflicts)

    def test_its_length_can_be_set_and_reloaded_and_0_is_off(self):
        self.user = "abc"
        self.start("s1")
        self.start("s2", onLimit="evict-oldest")
        self.daemon.reload({"hold-off": "10m"})
        self.assertEqual(self.start("s1", onLimit="evict-oldest").json()["holdOff"], 600)
        self.daemon.reload({"hold-off": "0"})
        for session, other in (("s1", "s2"), ("s2", "s1"), ("s1", "s2")):
            self.assertEqual(self.start(session, onLimit="evict-newest").json()["evicted"], [other])

    def test_another_user_of_the_same_names_is_not_concerned(self):
        for self.user in ("abc", "def"):
            self.assertEqual(self.start("s1", device="tv").status, 201)
        self.user = "abc"
        self.assertEqual(self.start("s2", onLimit="evict-oldest").json()["evicted"], ["s1"])
        self.assertEqual(self.start("s1", onLimit="evict-oldest").json()["holdOff"], HOLD_OFF)
        self.user = "def"
        self.assertEqual(self.start("s1", device="tv", onLimit="evict-oldest").status, 200)
        self.assertEqual(self.start("s2", onLimit="evict-oldest").json()["evicted"], ["s1"])


if __name__ == "__main__":
    unittest.main()
