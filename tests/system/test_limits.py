"""Limits and plans: kept over kill -9 once acknowledged, and changed while starts race.

(How they resolve, in thousands of combinations: replay_evening.py. Command by command: tests/cli/limits.bats.)"""

import collections
import contextlib
import random
import select
import sqlite3
import time
import unittest

import harness
from harness import limit_path, plan_path, request
from model import Model, difference

RACERS = 100
ROUNDS = harness.rounds(20)
DEFAULT = 3
NOW = 0  # no session matters to the models here, so neither does the instant


class KillDuringChanges(unittest.TestCase):
    """Each connection gives limits and plans to users of its own, and changes plans of its own, until the daemon is
    killed. What is there afterwards must be what it had asked for up to some request after the last that was
    acknowledged."""

    CONNECTIONS = 8
    DEPTH = 6
    USERS = 6  # of each connection
    PLANS = 3
    MOST_ANSWERS = 1500

    def test_what_was_acknowledged_is_there_and_what_was_under_way_in_order(self):
        rng = random.Random(40)
        daemon = harness.Daemon("--limit", str(DEFAULT))
        self.enterContext(daemon)
        asked = [[] for _ in range(self.CONNECTIONS)]  # per connection: what it has asked for since the first round
        under_way = 0
        for round_number in range(max(3, ROUNDS // 2)):
            acknowledged = self.change_until_killed(daemon, asked, rng)
            daemon.start()
            with daemon.connect() as connection:
                own = self.own_terms(daemon)
                for number, words in enumerate(asked):
                    said = self.what_is_there(connection, number)
                    possible = [count for count in range(acknowledged[number], len(words) + 1)
                                if self.agree(said, own, words[:count], number)]
                    self.assertTrue(possible, f"round {round_number}, connection {number}: {said} "
                                              f"after {acknowledged[number]} of {len(words)} requests")
                    under_way += len(words) - acknowledged[number]
                    del words[possible[0]:]
        self.assertGreater(under_way, 0, "the daemon was never killed in the midst of it")

    # ---- what is asked, in words that both a request and the model can be made of

    def some_words(self, number, rng):
        user, plan = f"c{number}u{rng.randrange(self.USERS)}", f"c{number}p{rng.randrange(self.PLANS)}"
        dice = rng.random()
        if dice < 0.55:
            said = {"limit": rng.choice((None, 0, 1, 5)), "plan": rng.choice((None, plan)),
                    "onLimit": rng.choice((None, "deny", "evict-oldest"))}
            return "put_limit", user, {name: said[name] for name in rng.sample(sorted(said), rng.randint(1, 3))}
        if dice < 0.65:
            return "delete_limit", user, None
        if dice < 0.90:
            return "put_plan", plan, {"limit": rng.randint(0, 9), "onLimit": rng.choice((None, "deny", "evict-oldest"))}
        return "delete_plan", plan, rng.random() < 0.5  # by force?

    @staticmethod
    def request_of(words):
        what, name, body = words
        if what.endswith("limit"):
            return request("PUT" if body else "DELETE", limit_path(name), body)
        if what == "put_plan":
            return request("PUT", plan_path(name), body)
        return request("DELETE", plan_path(name) + ("?force=true" if body else ""))

    @staticmethod
    def ask(model, words):
        """The model's answer."""
        what, name, body = words
        if what == "put_limit":
            return model.put_limit(name, body, NOW)
        if what == "delete_limit":
            return model.delete_limit(name, NOW)
        if what == "put_plan":
            return model.put_plan(name, body, NOW)
        return model.delete_plan(name, body)

    def model_after(self, words):
        model = Model(DEFAULT, 90_000)
        for each in words:
            self.ask(model, each)
        return model

    # ---- what is there, and what should be

    @staticmethod
    def own_terms(daemon):
        """What was set for each user alone, as the database has it: an answer does not distinguish a user's own onLimit from
        one that is equal and comes from a plan or the daemon."""
        with contextlib.closing(sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True)) as database:
            return {user: terms
                    for user, *terms in database.execute("SELECT user, max_sessions, plan, on_limit FROM limits")}

    def what_is_there(self, connection, number):
        limits = connection.get("/v1/limits?limit=1000").json()["limits"]
        plans = connection.get("/v1/plans").json()["plans"]
        return {**{each["user"]: each for each in limits if each["user"].startswith(f"c{number}u")},
                **{each["plan"]: each for each in plans if each["plan"].startswith(f"c{number}p")}}

    def agree(self, said, own, words, number):
        """Does what is said, and what is set for the users of this connection, follow from these words?"""
        model = self.model_after(words)
        expected = {**{each["user"]: each for each in model.list_limits(NOW)},
                    **{each["plan"]: each for each in model.list_plans()[1]["plans"]}}
        return (said.keys() == expected.keys()
                and all(difference(said[name], expected[name]) is None for name in said)
                and {user: terms for user, terms in own.items() if user.startswith(f"c{number}u")}
                == {user: [terms.limit, terms.plan, terms.on_limit] for user, terms in model.terms.items()})

    def change_until_killed(self, daemon, asked, rng):
        connections = {}
        acknowledged = [len(words) for words in asked]
        models = [self.model_after(words) for words in asked]
        poll = select.poll()
        for number in range(self.CONNECTIONS):
            connection = daemon.connect()
            self.addCleanup(connection.close)
            connections[connection.socket.fileno()] = (number, connection, harness.ResponseParser())
            poll.register(connection.socket, select.POLLIN)

        def ask_more(number, connection):
            requests = []
            while len(asked[number]) - acknowledged[number] < self.DEPTH:
                asked[number].append(self.some_words(number, rng))
                requests.append(self.request_of(asked[number][-1]))
            if requests:
                connection.send(b"".join(requests))

        def take(number, connection, parser):
            data = connection.socket.recv(1 << 18)
            for answer in parser.feed(data):
                status, body = self.ask(models[number], asked[number][acknowledged[number]])
                self.assertEqual((answer.status, difference(answer.json(), body)), (status, None), answer)
                acknowledged[number] += 1
                taken[0] += 1
            return data

        taken = [0]
        answers = rng.randint(1, self.MOST_ANSWERS)
        deadline = time.monotonic() + harness.seconds(60)
        for number, connection, _ in connections.values():
            ask_more(number, connection)
        while taken[0] < answers:
            self.assertLess(time.monotonic(), deadline, "the daemon is too slow or stuck")
            for descriptor, _ in poll.poll(1000):
                number, connection, parser = connections[descriptor]
                self.assertTrue(take(number, connection, parser), "the daemon closed a connection")
                if taken[0] < answers:
                    ask_more(number, connection)
        daemon.kill()
        for number, connection, parser in connections.values():  # answers that had left it are acknowledgements too
            try:
                while take(number, connection, parser):
                    pass
            except ConnectionError:
                pass
            connection.close()
        return acknowledged


class ChangesInRaces(unittest.TestCase):
    """In the midst of 100 starts of one user at once a limit is lowered or raised. Each start knows one of the two."""

    BEFORE, AFTER = 50, 3

    def setUp(self):
        self.daemon = harness.Daemon("--lease", "600s", "--limit", str(self.BEFORE))
        self.enterContext(self.daemon)
        self.fleet = self.enterContext(harness.Fleet(self.daemon.socket, RACERS + 1))
        self.rng = random.Random(50)

    def race(self, user, change, body=None):
        """Returns the limits given with admissions, in their order, and how many are active then."""
        batches = [[harness.start_request(user, f"s{racer}", body)] for racer in range(RACERS)]
        at = self.rng.randrange(RACERS)
        batches.insert(at, [change])
        answers = [answer for [answer] in self.fleet.exchange(batches, last_byte_together=True)]
        self.assertEqual(answers.pop(at).status, 200)
        admitted = [answer.json() for answer in answers if answer.status == 201]
        denied = [answer.json() for answer in answers if answer.status == 409]
        self.assertEqual(len(admitted) + len(denied), RACERS)
        for each in admitted:
            self.assertLessEqual(each["concurrentSessions"], each["limit"])
        for each in denied:
            self.assertGreaterEqual(each["concurrentSessions"], each["limit"])
        with self.daemon.connect() as connection:
            active = connection.list(user).json()["concurrentSessions"]
        return collections.Counter(each["limit"] for each in admitted), active, admitted

    def changes(self, user, number, limit):
        """Three ways to the same end; with a connection to prepare them and the request that does it."""
        with self.daemon.connect() as connection:
            if number % 3 == 0:
                return request("PUT", limit_path(user), {"limit": limit})
            plan = f"plan of {user}"
            if number % 3 == 1:
                self.assertEqual(connection.plan(plan, {"limit": self.BEFORE + self.AFTER - limit}).status, 200)
                self.assertEqual(connection.limit(user, {"plan": plan}).status, 200)
                return request("PUT", plan_path(plan), {"limit": limit})
            self.assertEqual(connection.plan(plan, {"limit": limit}).status, 200)
            if limit > self.AFTER:
                self.assertEqual(connection.limit(user, {"limit": self.AFTER}).status, 200)
                return request("PUT", limit_path(user), {"limit": None, "plan": plan})
            return request("PUT", limit_path(user), {"plan": plan})

    def test_lowered_there_are_never_more_than_were_before_or_the_new_limit(self):
        met = collections.Counter()
        for number in range(3 * ROUNDS):
            user = f"user{number}"
            limits, active, _ = self.race(user, self.changes(user, number, self.AFTER))
            self.assertLessEqual(limits.keys(), {self.BEFORE, self.AFTER})
            before = limits[self.BEFORE]
            self.assertEqual(limits[self.AFTER], max(0, self.AFTER - before))
            self.assertEqual(active, max(self.AFTER, before))
            with self.daemon.connect() as connection:
                said = connection.limit(user).json()
                self.assertEqual((said["limit"], said["concurrentSessions"]), (self.AFTER, active))
                self.assertEqual(said.get("excess", 0), active - self.AFTER)
                self.assertEqual(connection.start(user, "one more").status, 409)
            met["in the midst"] += self.AFTER < before < self.BEFORE
        self.assertGreater(met["in the midst"], 0, "no change was made in the midst of a race")

    def test_raised_there_are_as_many_as_the_new_limit(self):
        for number in range(3 * ROUNDS):
            user = f"user{number}"
            change = self.changes(user, number, self.BEFORE)
            if number % 3 == 0:
                with self.daemon.connect() as connection:
                    connection.limit(user, {"limit": self.AFTER})
            limits, active, _ = self.race(user, change)
            self.assertLessEqual(limits[self.AFTER], self.AFTER)
            self.assertEqual(active, sum(limits.values()))
            self.assertLessEqual(active, self.BEFORE)

    def test_lowered_while_the_oldest_are_evicted_the_next_start_brings_the_user_below_it(self):
        for number in range(3 * ROUNDS):
            user = f"user{number}"
            change = self.changes(user, number, self.AFTER)
            limits, active, admitted = self.race(user, change, {"onLimit": "evict-oldest", "ip": "192.0.2.1"})
            self.assertEqual(sum(limits.values()), RACERS, "whoever evicts itself is never denied")
            evicted = collections.Counter(name for each in admitted for name in each.get("evicted", []))
            self.assertEqual(set(evicted.values()) - {1}, set(), "evicted more than once")
            self.assertEqual(active, RACERS - len(evicted))
            self.assertLessEqual(active, self.AFTER if limits[self.AFTER] else self.BEFORE)


class Many(unittest.TestCase):
    def test_of_1000_plans_the_next_is_refused_until_one_is_gone(self):
        with harness.Daemon() as daemon, harness.Fleet(daemon.socket, 4) as fleet, daemon.connect() as connection:
            answers = fleet.ask_each([request("PUT", plan_path(f"p{number}"), {"limit": 1}) for number in range(1000)])
            self.assertEqual({answer.status for answer in answers}, {200})
            refused = connection.plan("one more", {"limit": 1})
            self.assertEqual((refused.status, refused.json()["error"]), (400, "invalid_request"))
            self.assertEqual(connection.plan("p7", {"limit": 2}).json()["limit"], 2, "one that is there can be changed")
            self.assertEqual(len(connection.get("/v1/plans").json()["plans"]), 1000)
            self.assertEqual(connection.ask(request("DELETE", plan_path("p7"))).json()["removed"], True)
            self.assertEqual(connection.plan("one more", {"limit": 1}).status, 200)

    def test_pages_hold_everybody_once_while_others_come_and_go(self):
        with harness.Daemon() as daemon, harness.Fleet(daemon.socket, 4) as fleet, daemon.connect() as connection:
            staying = [f"stays{number}" for number in range(3000)]
            fleet.ask_each([request("PUT", limit_path(user), {"limit": 5}) for user in staying])
            seen, after, number = collections.Counter(), "", 0
            while after is not None:
                page = connection.get(f"/v1/limits?limit=100{after and '&after=' + harness.segment(after)}").json()
                self.assertLessEqual(len(page["limits"]), 100)
                seen.update(each["user"] for each in page["limits"])
                after = page.get("next")
                fleet.ask_each([request("PUT", limit_path(f"comes{number}-{each}"), {"limit": 1}) for each in range(50)]
                               + [request("DELETE", limit_path(f"comes{number - 1}-{each}")) for each in range(50)])
                number += 1
                self.assertLess(number, 200, "pages without end")
            self.assertEqual([seen[user] for user in staying], [1] * len(staying))
            self.assertEqual(set(seen.values()), {1})


if __name__ == "__main__":
    unittest.main()
