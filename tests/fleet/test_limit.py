"""One limit over many boxes: what one box is told holds on each, whoever asks which, in the order that the engine gives it.

Three boxes share a cluster of three primaries with a replica each; each test is a fleet of its own in it, beside those of
the others. (Faults: test_faults.py. A whole evening, each answer against a model: replay_fleet.py.)
"""

import collections
import json
import pathlib
import signal
import subprocess
import time
import unittest

import cluster
import harness
from harness import segment

LIMIT = 3
RACERS = 60  # over all boxes
ROUNDS = max(2, harness.rounds(50) // 5)

servers = None
_fleets = 0


def setUpModule():
    global servers
    cluster.require_server()
    servers = unittest.enterModuleContext(cluster.Cluster())


class FleetTest(unittest.TestCase):
    """Three boxes of a fleet that nobody else is in, and a connection to each."""

    OPTIONS = ("--lease", "600s", "--limit", str(LIMIT))
    NAMES = ("north", "south", "west")

    def setUp(self):
        global _fleets
        _fleets += 1
        self.fleet = f"test-{_fleets}"
        self.boxes = [self.new_box(name) for name in self.NAMES]
        for box in self.boxes:
            self.enterContext(box)
        self.at = [self.connect(box) for box in self.boxes]

    def new_box(self, name, *options, seeds=None, **more):
        seeds = servers.nodes[:2] if seeds is None else seeds
        return cluster.Box(name, seeds, *cluster.PATIENT, *self.OPTIONS, *options, fleet=self.fleet, **more)

    def connect(self, box):
        return self.enterContext(box.connect())

    def started(self, answer, status=201):
        self.assertEqual(answer.status, status, answer)
        body = answer.json()
        self.assertNotIn("degraded", body)
        return body

    def denied(self, answer):
        self.assertEqual(answer.status, 409, answer)
        body = answer.json()
        self.assertEqual(body["error"], "limit_reached")
        self.assertNotIn("degraded", body)
        return body

    def gone(self, answer, reason):
        self.assertEqual(answer.status, 410, answer)
        body = answer.json()
        self.assertEqual(body["reason"], reason)
        return body

    def sessions(self, connection, user):
        answer = connection.list(user)
        self.assertEqual(answer.status, 200, answer)
        body = answer.json()
        self.assertEqual(body["concurrentSessions"], len(body["sessions"]))
        return [each["session"] for each in body["sessions"]]

    def assert_everywhere(self, user, sessions):
        for connection in self.at:
            self.assertEqual(self.sessions(connection, user), sessions)

    def pages(self, connection, path, what, limit):
        """All entries, page by page."""
        found, after = [], ""
        for _ in range(200_000):
            answer = connection.get(f"{path}?limit={limit}{after}")
            self.assertEqual(answer.status, 200, answer)
            body = answer.json()
            self.assertLessEqual(len(body[what]), limit)
            found += body[what]
            if not body.get("next"):
                return found
            after = f"&after={segment(body['next'])}"
        self.fail("the pages have no end")

    def everybody(self, connection, limit=1000):
        return [(each["user"], each["session"]) for each in self.pages(connection, "/v1/sessions", "sessions", limit)]

    def purge(self, connection, **what):
        answer = connection.ask(harness.request("POST", "/v1/purge", what))
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def delete(self, connection, path):
        return connection.ask(harness.request("DELETE", path))


class Limit(FleetTest):
    def test_holds_over_all_boxes(self):
        for number, connection in enumerate(self.at):
            body = self.started(connection.start("viewer", f"s{number}"))
            self.assertEqual((body["concurrentSessions"], body["limit"]), (number + 1, LIMIT))
        for connection in self.at:
            body = self.denied(connection.start("viewer", "one more"))
            self.assertEqual(body["concurrentSessions"], LIMIT)
            self.assertEqual([each["session"] for each in body["sessions"]], ["s0", "s1", "s2"])
        self.assert_everywhere("viewer", ["s0", "s1", "s2"])

    def test_a_list_says_which_box_serves_whom(self):
        for number, connection in enumerate(self.at):
            self.started(connection.start("viewer", f"s{number}"))

        def labels(connection):
            return [each["box"] for each in connection.list("viewer").json()["sessions"]]

        for connection in self.at:  # a box that was there first has not heard of the others yet
            harness.wait_until(lambda each=connection: labels(each) == list(self.NAMES), "each box knows the others")
        body = self.denied(self.at[0].start("viewer", "one more"))
        self.assertEqual([each["box"] for each in body["sessions"]], list(self.NAMES))
        self.assertEqual(self.at[2].heartbeat("viewer", "s0").status, 200)
        for connection in self.at:
            self.assertEqual(labels(connection), ["west", "south", "west"], "who heard the last sign of life serves it")

    def test_a_session_is_one_whoever_is_asked(self):
        north, south, west = self.at
        first = self.started(north.start("viewer", "s"))
        self.started(south.start("viewer", "s"), status=200)
        beat = west.heartbeat("viewer", "s")
        self.assertEqual(beat.status, 200, beat)
        self.assertEqual(beat.json()["concurrentSessions"], 1)
        self.assertGreaterEqual(harness.milliseconds(beat.json()["expiresAt"]), harness.milliseconds(first["expiresAt"]))
        self.assert_everywhere("viewer", ["s"])

    def test_an_end_makes_room_on_each_box(self):
        north, south, west = self.at
        for number in range(LIMIT):
            self.started(north.start("viewer", f"s{number}"))
        self.denied(west.start("viewer", "s3"))
        answer = south.end("viewer", "s1")
        self.assertEqual((answer.status, answer.json()["ended"], answer.json()["concurrentSessions"]), (200, True, 2))
        self.started(west.start("viewer", "s3"))
        self.gone(north.heartbeat("viewer", "s1"), "ended")
        again = north.end("viewer", "s1")
        self.assertEqual((again.status, again.json()["ended"]), (200, False))
        self.assert_everywhere("viewer", ["s0", "s2", "s3"])

    def test_a_start_is_known_by_its_token_on_each_box(self):
        north, south, west = self.at
        first = self.started(north.start("viewer", "s"))["start"]
        second = self.started(south.start("viewer", "s"), status=200)["start"]
        self.assertNotEqual(first, second)
        renewed = self.started(west.start("viewer", "s", {"start": second}), status=200)
        self.assertEqual(renewed["start"], second)
        for connection in self.at:
            late = connection.ask(harness.request("POST", harness.session_path("viewer", "s") + "/heartbeat", {"start": first}))
            self.gone(late, "other_start")
            late = connection.ask(harness.request("DELETE", harness.session_path("viewer", "s") + f"?start={segment(first)}"))
            self.assertEqual((late.status, late.json()["ended"], late.json()["reason"]), (200, False, "other_start"))
            beat = connection.ask(harness.request("POST", harness.session_path("viewer", "s") + "/heartbeat", {"start": second}))
            self.assertEqual(beat.status, 200, beat)
        ended = north.ask(harness.request("DELETE", harness.session_path("viewer", "s") + f"?start={segment(second)}"))
        self.assertTrue(ended.json()["ended"])
        self.assert_everywhere("viewer", [])

    def test_the_first_services_api_counts_with_the_rest(self):
        north, south, west = self.at

        def ask(connection, what, session):
            answer = connection.ask(harness.first_service_request(what, "viewer", session))
            return answer.status, answer.body.decode()

        self.assertEqual(ask(north, "startSession", "s0"), (200, '{"user":"viewer","concurrentSessions":1}'))
        self.started(south.start("viewer", "s1"))
        self.assertEqual(ask(west, "startSession", "s2"), (200, '{"user":"viewer","concurrentSessions":3}'))
        self.assertEqual(ask(north, "startSession", "s3"),
                         (400, "User viewer is trying to watch 4 streams at once, which is too many."))
        self.assertEqual(ask(south, "endSession", "s0"), (200, '{"user":"viewer","concurrentSessions":2}'))
        self.assert_everywhere("viewer", ["s1", "s2"])

    def test_no_name_is_another_or_leaves_its_slot(self):
        names = ["}", "{", "{}", "{a}", "{b}", "}{a}", "%7B", "%7b", "%", "%25", "%257B", "a", "u:a", ":", "a b", "é", "e\u0301",
                 "日本", "x" * 256, "{" * 200, 'quo"te', "back\\slash", "*", "[a]"]
        for user in names:
            for number in range(LIMIT):
                self.started(self.at[number % 3].start(user, f"{user[:200]}-{number}"))
        for number, user in enumerate(names):
            self.denied(self.at[number % 3].start(user, "one more"))
        expected = sorted((user, f"{user[:200]}-{number}") for user in names for number in range(LIMIT))
        for connection in self.at:
            self.assertEqual(sorted(self.everybody(connection)), expected)
        for number, user in enumerate(names):
            self.assertTrue(self.at[(number + 1) % 3].end(user, f"{user[:200]}-0").json()["ended"])
            self.assertEqual(self.purge(self.at[(number + 2) % 3], user=user), {"purged": LIMIT - 1})
        self.assertEqual(self.everybody(self.at[0]), [])

    def test_fleets_beside_each_other_do_not_meet(self):
        self.started(self.at[0].start("viewer", "s"))
        others = f"{self.fleet}-2"
        with cluster.Box("other", servers.nodes[:2], *cluster.PATIENT, *self.OPTIONS, fleet=others) as other:
            with other.connect() as connection:
                self.assertEqual(self.sessions(connection, "viewer"), [])
                self.started(connection.start("viewer", "mine"))
                self.assertEqual(self.everybody(connection), [("viewer", "mine")])
                self.assertEqual(self.purge(connection, all=True), {"purged": 1})
        self.assert_everywhere("viewer", ["s"])

    def test_batches(self):
        lines = [{"command": "start", "user": f"viewer{number % 7}", "session": f"s{number // 7}"} for number in range(7 * 5)]
        lines += [{"command": "heartbeat", "user": "viewer0", "session": "s0"},
                  {"command": "end", "user": "viewer1", "session": "s0"}]
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        answer = self.at[0].ask(harness.request("POST", "/v1/batch", body))
        statuses = [json.loads(line)["status"] for line in answer.body.splitlines()]
        self.assertEqual(statuses, [201] * 21 + [409] * 14 + [200, 200])
        self.assert_everywhere("viewer0", ["s0", "s1", "s2"])
        self.assert_everywhere("viewer1", ["s1", "s2"])


class Waiting(FleetTest):
    OPTIONS = ("--lease", "600s", "--limit", "1")

    def waiting(self, box):
        return self.at[box].get("/v1/status").json()["waiting"]

    def park(self, box, user, session, body=None):
        before = self.waiting(box)
        connection = self.connect(self.boxes[box])
        connection.send(harness.start_request(user, session, (body or {}) | {"wait": 60}))
        harness.wait_until(lambda: self.waiting(box) == before + 1, "it waits")
        return connection

    def test_a_slot_that_another_box_frees_is_taken_within_a_second(self):
        late = []
        for number in range(max(3, ROUNDS // 2)):
            user = f"viewer{number}"
            self.started(self.at[0].start(user, "first"))
            waiter = self.park(1, user, "second")
            begin = time.monotonic()
            if number % 2 == 0:
                self.assertTrue(self.at[0].end(user, "first").json()["ended"])
            else:  # a box that does not serve the session, either
                self.assertEqual(self.purge(self.at[2], user=user), {"purged": 1})
            self.assertGreater(self.started(waiter.receive())["waited"], 0)
            late.append(time.monotonic() - begin)
            self.assert_everywhere(user, ["second"])
        self.assertLess(sorted(late)[len(late) // 2], 1, "not within a second, in most rounds")
        self.assertLess(max(late), harness.seconds(1), late)

    def test_its_own_slots_are_given_at_once_and_in_order(self):
        self.started(self.at[0].start("viewer", "s0"))
        waiters = [self.park(0, "viewer", f"s{number}") for number in range(1, 6)]
        for number, waiter in enumerate(waiters):
            begin = time.monotonic()
            self.at[0].end("viewer", f"s{number}")
            self.started(waiter.receive())
            self.assertLess(time.monotonic() - begin, harness.seconds(0.4))
            self.assert_everywhere("viewer", [f"s{number + 1}"])

    def test_a_lease_that_runs_out(self):
        self.started(self.at[2].start("viewer", "s0", {"ttl": 1}))
        self.started(self.park(0, "viewer", "s1").receive())
        self.assert_everywhere("viewer", ["s1"])

    def test_of_those_who_wait_on_all_boxes_one_gets_it(self):
        self.started(self.at[0].start("viewer", "s0"))
        waiters = [self.park(box, "viewer", f"at{box}-{number}") for number in range(3) for box in range(3)]
        self.at[1].end("viewer", "s0")
        for left in range(len(waiters), 0, -1):
            harness.wait_until(lambda: sum(self.waiting(box) for box in range(3)) == left - 1, "one is let in")
            [active] = self.sessions(self.at[0], "viewer")
            self.at[left % 3].end("viewer", active)
        for waiter in waiters:
            self.started(waiter.receive())
        self.assert_everywhere("viewer", [])

    def test_without_room_in_time_it_is_denied_once(self):
        self.started(self.at[0].start("viewer", "s0"))
        body = self.denied(self.at[1].start("viewer", "s1", {"wait": 2}))
        self.assertGreaterEqual(body["waited"], 2)
        self.assertEqual([each["session"] for each in body["sessions"]], ["s0"])
        self.assertEqual(self.report("viewer")["denials"], 1)

    def report(self, user):
        [found] = self.at[1].get(f"/v1/report?user={user}").json()["users"]
        return found


class Races(FleetTest):
    OPTIONS = ("--lease", "600s", "--limit", str(LIMIT), "--hold-off", "0")

    def race(self, crowd, user, sessions, body=None):
        """Each by another connection, all boxes in turn, the last bytes together: session -> answer."""
        batches = [[harness.start_request(user, session, body)] for session in sessions]
        return dict(zip(sessions, (answer for [answer] in crowd.exchange(batches, last_byte_together=True))))

    def statuses(self, answers):
        return dict(collections.Counter(answer.status for answer in answers.values()))

    def admitted(self, answers):
        return {session for session, answer in answers.items() if answer.status == 201}

    def test_at_the_limit(self):
        with cluster.Crowd(self.boxes, RACERS // 3) as crowd:
            for number in range(ROUNDS):
                user = f"racer{number}"
                answers = self.race(crowd, user, [f"s{racer}" for racer in range(RACERS)])
                self.assertEqual(self.statuses(answers), {201: LIMIT, 409: RACERS - LIMIT})
                self.assertEqual(sorted(answers[each].json()["concurrentSessions"] for each in self.admitted(answers)), [1, 2, 3])
                for connection in self.at:
                    self.assertEqual(set(self.sessions(connection, user)), self.admitted(answers))

    def test_of_starts_and_ends(self):
        """The same connections start and end again and again; at no moment are more active than the limit allows."""
        rounds = ROUNDS * 3
        with cluster.Crowd(self.boxes, 6) as crowd:
            batches = [[each for turn in range(rounds)
                        for each in (harness.start_request("racer", f"s{racer}-{turn}"),
                                     harness.end_request("racer", f"s{racer}-{turn}"))] for racer in range(len(crowd))]
            answers = crowd.exchange(batches)
        admitted = 0
        for each in answers:
            for start, end in zip(each[::2], each[1::2]):
                self.assertIn(start.status, (201, 409))
                self.assertLessEqual(start.json()["concurrentSessions"], LIMIT)
                self.assertEqual((end.status, end.json()["ended"]), (200, start.status == 201))
                admitted += start.status == 201
        self.assertGreater(admitted, rounds)
        self.assert_everywhere("racer", [])

    def test_for_one_place(self):
        with cluster.Crowd(self.boxes, RACERS // 3) as crowd:
            for number in range(LIMIT):
                self.started(self.at[number].start("hot", f"s{number}"))
            there = {f"s{number}" for number in range(LIMIT)}
            for number in range(ROUNDS):
                leaves = sorted(there)[number % LIMIT]
                self.assertTrue(self.at[number % 3].end("hot", leaves).json()["ended"])
                answers = self.race(crowd, "hot", [f"s{number}-{racer}" for racer in range(RACERS)])
                self.assertEqual(self.statuses(answers), {201: 1, 409: RACERS - 1})
                there = there - {leaves} | self.admitted(answers)
                self.assertEqual(set(self.sessions(self.at[number % 3], "hot")), there)

    def test_of_one_name(self):
        """The same session from all boxes at once is one: one starts it, the others renew it."""
        with cluster.Crowd(self.boxes, RACERS // 3) as crowd:
            for number in range(ROUNDS):
                user = f"racer{number}"
                batches = [[harness.start_request(user, "s")]] * RACERS
                answers = [answer for [answer] in crowd.exchange(batches, last_byte_together=True)]
                self.assertEqual(collections.Counter(answer.status for answer in answers), {201: 1, 200: RACERS - 1})
                self.assertEqual(len({answer.json()["start"] for answer in answers}), RACERS, "each start has its own token")
                self.assert_everywhere(user, ["s"])

    def test_of_evictions(self):
        """Each start is admitted and evicts another; each is evicted once, and the list has the last."""
        with cluster.Crowd(self.boxes, RACERS // 3) as crowd:
            for number in range(ROUNDS):
                user = f"racer{number}"
                sessions = [f"s{racer}" for racer in range(RACERS)]
                answers = self.race(crowd, user, sessions, {"onLimit": "evict-oldest"})
                # Who evicted is protected by the hold-off; without one each start has its way.
                self.assertEqual(self.statuses(answers), {201: RACERS})
                left = self.sessions(self.at[number % 3], user)
                self.assertEqual(len(left), LIMIT)
                for session in sessions:
                    answer = self.at[number % 3].heartbeat(user, session)
                    if session in left:
                        self.assertEqual(answer.status, 200)
                    else:
                        self.assertEqual((answer.status, answer.json()["reason"]), (410, "evicted"))

    def test_of_a_hot_user_with_many_sessions(self):
        user = "hot"
        self.assertEqual(self.at[0].limit(user, {"limit": 100}).status, 200)
        with cluster.Crowd(self.boxes, RACERS // 3) as crowd:
            batches = [[harness.start_request(user, f"s{racer}-{turn}") for turn in range(3)] for racer in range(RACERS)]
            answers = [answer for each in crowd.exchange(batches) for answer in each]
            self.assertEqual(collections.Counter(answer.status for answer in answers), {201: 100, 409: 3 * RACERS - 100})
            self.assertEqual(sorted(each.json()["concurrentSessions"] for each in answers if each.status == 201),
                             list(range(1, 101)))
            left = self.sessions(self.at[1], user)
            beats = crowd.ask_each([harness.heartbeat_request(user, session) for session in left])
            self.assertEqual({answer.status for answer in beats}, {200})


class Terms(FleetTest):
    def test_a_limit_holds_on_each_box_at_once(self):
        for turn, limit in enumerate((1, 5, 2)):
            self.assertEqual(self.at[turn % 3].limit("viewer", {"limit": limit}).status, 200)
            for connection in self.at:
                body = connection.limit("viewer").json()
                self.assertEqual((body["limit"], body["from"]), (limit, "user"))
        self.started(self.at[0].start("viewer", "s0"))
        self.started(self.at[1].start("viewer", "s1"))
        self.assertEqual(self.denied(self.at[2].start("viewer", "s2"))["limit"], 2)
        self.assertEqual(self.delete(self.at[1], harness.limit_path("viewer")).status, 200)
        self.started(self.at[2].start("viewer", "s2"))
        self.denied(self.at[0].start("viewer", "s3"))

    def test_who_has_limits_is_listed_on_each_box(self):
        expected = {}
        for number in range(300):
            limit = number % 7 + 1
            self.assertEqual(self.at[number % 3].limit(f"viewer{number}", {"limit": limit}).status, 200)
            expected[f"viewer{number}"] = limit
        for connection, page in zip(self.at, (1000, 100, 7)):
            listed = self.pages(connection, "/v1/limits", "limits", page)
            self.assertEqual(len(listed), len(expected))
            self.assertEqual({each["user"]: each["limit"] for each in listed}, expected)

    def put_plan(self, connection, plan, body):
        answer = connection.plan(plan, body)
        self.assertEqual(answer.status, 200, answer)
        for each in self.at:  # "at most two seconds old"
            harness.wait_until(lambda each=each: self.plan_of(each, plan) == body, f"each box knows the plan {plan}", within=5)

    def plan_of(self, connection, plan):
        answer = connection.plan(plan)
        if answer.status != 200:
            return None
        body = answer.json()
        return {name: body[name] for name in ("limit", "onLimit") if name in body}

    def test_a_plan_holds_on_each_box(self):
        north, south, west = self.at
        self.put_plan(north, "family", {"limit": 1})
        self.assertEqual(south.limit("viewer", {"plan": "family"}).status, 200)
        body = west.limit("viewer").json()
        self.assertEqual((body["limit"], body["from"], body["plan"]), (1, "plan", "family"))
        self.started(north.start("viewer", "s0"))
        self.denied(south.start("viewer", "s1"))
        self.put_plan(west, "family", {"limit": 2})
        self.started(south.start("viewer", "s1"))
        self.denied(north.start("viewer", "s2"))
        self.put_plan(south, "family", {"limit": 2, "onLimit": "evict-oldest"})
        self.started(north.start("viewer", "s2"))
        self.gone(south.heartbeat("viewer", "s0"), "evicted")

    def test_plans_are_counted_and_taken_away_over_boxes(self):
        north, south, west = self.at
        self.put_plan(north, "family", {"limit": 5})
        self.put_plan(south, "single", {"limit": 1})
        for number in range(60):
            self.assertEqual(self.at[number % 3].limit(f"viewer{number}", {"plan": "family"}).status, 200)
        for connection in self.at:
            plans = {each["plan"]: each["users"] for each in connection.get("/v1/plans").json()["plans"]}
            self.assertEqual(plans, {"family": 60, "single": 0})
        refused = self.delete(west, harness.plan_path("family"))
        self.assertEqual(refused.status, 400, refused)
        self.assertIn("60 users have it", refused.json()["message"])
        taken = self.delete(west, harness.plan_path("family") + "?force=true")
        self.assertEqual(taken.status, 200, taken)
        for connection in self.at:
            harness.wait_until(lambda each=connection: self.plan_of(each, "family") is None, "it is gone", within=5)
            self.assertEqual(connection.limit("viewer1").json()["limit"], LIMIT)
        self.assertEqual(self.delete(north, harness.plan_path("single")).status, 200)

    def test_concur_sets_and_lists_them(self):
        def run(box, *arguments):
            done = harness.concur(*arguments, socket=box.socket)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)

        north, south, west = self.boxes
        run(north, "limit", "set", "--user", "viewer", "--max", "7")
        self.assertEqual(run(south, "limit", "get", "--user", "viewer")["limit"], 7)
        run(south, "plan", "set", "family", "--max", "5")
        harness.wait_until(lambda: self.plan_of(self.at[2], "family") is not None, "each box knows the plan", within=5)
        run(west, "limit", "set", "--user", "other", "--plan", "family")
        self.assertEqual({each["user"] for each in run(north, "limit", "list")["limits"]}, {"viewer", "other"})
        self.assertEqual([(each["plan"], each["users"]) for each in run(north, "plan", "list")["plans"]], [("family", 1)])
        run(west, "limit", "unset", "--user", "other")
        run(north, "plan", "unset", "family")
        harness.wait_until(lambda: run(south, "plan", "list")["plans"] == [], "each box knows it is gone", within=5)


class Lists(FleetTest):
    USERS = 450
    OPTIONS = ("--lease", "600s", "--limit", str(LIMIT))

    def setUp(self):
        super().setUp()
        self.expected = sorted((f"viewer{user}", f"s{session}") for user in range(self.USERS) for session in range(LIMIT))
        with cluster.Crowd(self.boxes, 4) as crowd:
            answers = crowd.ask_each([harness.start_request(user, session) for user, session in self.expected])
        self.assertEqual({answer.status for answer in answers}, {201})
        self.assertGreater(len(self.expected), 1000)

    def test_each_box_lists_everybody_in_pages(self):
        for connection, page in zip(self.at, (1000, 100, 2)):
            self.assertEqual(sorted(self.everybody(connection, page)), self.expected)

    def test_concur_lists_everybody(self):
        done = harness.concur("list", "--output", "ndjson", socket=self.boxes[1].socket, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        listed = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(sorted((each["user"], each["session"]) for each in listed), self.expected)

    def test_a_purge_of_all_reaches_each_boxs_sessions(self):
        self.assertEqual(self.purge(self.at[2], all=True, dryRun=True), 
                         {"wouldPurge": len(self.expected), "users": len({user for user, _ in self.expected})})
        self.assertEqual(len(self.everybody(self.at[0])), len(self.expected))
        self.assertEqual(self.purge(self.at[1], all=True), {"purged": len(self.expected)})
        for connection in self.at:
            self.assertEqual(self.everybody(connection), [])
            for user, session in self.expected[::150]:
                self.gone(connection.heartbeat(user, session), "purged")
        self.started(self.at[0].start("viewer1", "s0"))
        self.assertEqual(self.purge(self.at[2], all=True), {"purged": 1})

    def test_a_purge_of_a_user(self):
        self.assertEqual(self.purge(self.at[2], user="viewer7", dryRun=True), {"wouldPurge": LIMIT, "users": 1})
        self.assertEqual(self.purge(self.at[2], user="viewer7"), {"purged": LIMIT})
        self.assert_everywhere("viewer7", [])
        for connection in self.at:
            self.gone(connection.heartbeat("viewer7", "s1"), "purged")
        self.assertEqual(len(self.everybody(self.at[0])), len(self.expected) - LIMIT)

    def test_sessions_are_met_while_others_come_and_go_and_slots_are_moved(self):
        """Who is there all the time is listed, whatever happens meanwhile."""
        with self.boxes[0].connect() as other:
            found, after, number = [], "", 0
            while True:
                body = self.at[1].get(f"/v1/sessions?limit=50{after}").json()
                found += [(each["user"], each["session"]) for each in body["sessions"]]
                if not body.get("next"):
                    break
                after = f"&after={segment(body['next'])}"
                number += 1
                self.started(other.start(f"passer-by{number}", "s"))
                if number % 2:
                    other.end(f"passer-by{number}", "s")
                if number % 3 == 0:
                    self.move_the_slot_of(f"viewer{number}")
            self.assertEqual(sorted({each for each in found if each[0].startswith("viewer")}), self.expected)

    def slots_asked(self):
        """How often servers were asked for the keys of a slot so far."""
        said = [node.info("commandstats").get("cmdstat_cluster|getkeysinslot", "calls=0,") for node in servers.nodes]
        return sum(int(each.partition("=")[2].partition(",")[0]) for each in said)

    def test_slots_are_asked_one_by_one_only_while_one_is_moved(self):
        before = self.slots_asked()
        self.assertEqual(self.at[0].plan("family", {"limit": 5}).status, 200)
        for number in range(9):
            self.assertEqual(self.at[number % 3].limit(f"viewer{number}", {"plan": "family"}).status, 200)
        self.assertEqual(self.at[1].get("/v1/plans").json()["plans"], [{"plan": "family", "limit": 5, "users": 9}])
        self.assertEqual(len(self.pages(self.at[2], "/v1/limits", "limits", 1000)), 9)
        self.assertEqual(sorted(self.everybody(self.at[1])), self.expected)
        self.assertEqual(self.slots_asked(), before)

        slot = cluster.slot_of(cluster.user_key(self.fleet, "viewer1"))
        source = servers.owner_of(cluster.user_key(self.fleet, "viewer1"))
        target = next(each for each in servers.primaries() if each is not source)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        try:
            self.assertEqual(self.at[1].get("/v1/plans").json()["plans"][0]["users"], 9)
        finally:
            for node in (source, target):
                node.ask("CLUSTER", "SETSLOT", slot, "STABLE")
        self.assertGreaterEqual(self.slots_asked(), before + cluster.SLOTS)

    def move_the_slot_of(self, user):
        key = cluster.user_key(self.fleet, user)
        source = servers.owner_of(key)
        target = next(each for each in servers.primaries() if each is not source)
        servers.move_slot(cluster.slot_of(key), source, target)


class Evictions(FleetTest):
    def test_one_box_evicts_anothers_session(self):
        north, south, west = self.at
        for number in range(LIMIT):
            self.started(north.start("viewer", f"s{number}", {"device": f"tv{number}"}))
        self.started(south.start("viewer", "new", {"device": "phone", "onLimit": "evict-oldest"}))
        for connection in self.at:
            body = self.gone(connection.heartbeat("viewer", "s0"), "evicted")
            self.assertEqual((body["evictedBy"]["session"], body["evictedBy"]["device"]), ("new", "phone"))
        self.assert_everywhere("viewer", ["s1", "s2", "new"])

    def test_who_was_evicted_is_held_off_on_each_box(self):
        north, south, west = self.at
        for number in range(LIMIT):
            self.started(north.start("viewer", f"s{number}", {"device": f"tv{number}"}))
        self.started(south.start("viewer", "new", {"device": "phone", "onLimit": "evict-oldest"}))
        for connection in self.at:
            body = self.denied(connection.start("viewer", "again", {"device": "tv0", "onLimit": "evict-oldest"}))
            self.assertIn("holdOff", body)
        # Who got in by evicting is protected, on each box: the others go first, and then nobody does.
        self.started(west.start("viewer", "s4", {"device": "tv4", "onLimit": "evict-newest"}))
        self.gone(north.heartbeat("viewer", "s2"), "evicted")
        self.started(south.start("viewer", "s5", {"device": "tv5", "onLimit": "evict-newest"}))
        self.gone(north.heartbeat("viewer", "s1"), "evicted")
        self.denied(north.start("viewer", "s6", {"device": "tv6", "onLimit": "evict-newest"}))
        self.assert_everywhere("viewer", ["new", "s4", "s5"])

    def test_a_replacement_of_anothers_session(self):
        north, south, _ = self.at
        for number in range(LIMIT):
            self.started(north.start("viewer", f"s{number}"))
        self.started(south.start("viewer", "mine", {"replace": "s1"}))
        self.gone(north.heartbeat("viewer", "s1"), "evicted")
        self.assert_everywhere("viewer", ["s0", "s2", "mine"])

    def test_a_device_keeps_its_slot_over_boxes(self):
        north, south, west = self.at
        for number in range(LIMIT):
            self.started(north.start("viewer", f"s{number}", {"device": f"tv{number}"}))
        self.started(south.start("viewer", "s1 again", {"device": "tv1"}))
        self.gone(west.heartbeat("viewer", "s1"), "evicted")
        self.assert_everywhere("viewer", ["s0", "s2", "s1 again"])
        self.denied(west.start("viewer", "s3", {"device": "tv3"}))

    def test_two_who_share_a_device_are_told_apart_over_boxes(self):
        """After three changes of hands the device is no reconnect any more, whichever boxes saw them."""
        north, south, west = self.at
        self.assertEqual(north.limit("viewer", {"limit": 1}).status, 200)
        bodies = [{"device": "tv", "ip": "10.0.0.1"}, {"device": "tv", "ip": "10.9.0.1"}]
        outcomes = [self.at[turn % 3].start("viewer", f"s{turn % 2}", bodies[turn % 2]).status for turn in range(8)]
        self.assertEqual(outcomes[:2], [201, 201])
        self.assertEqual(outcomes[-1], 409, outcomes)

    def test_leases_end_on_each_box(self):
        self.started(self.at[0].start("viewer", "short", {"ttl": 5}))
        self.started(self.at[1].start("viewer", "long"))
        for number in range(10):
            self.started(self.at[2].start(f"other{number}", "short", {"ttl": 5}))
        started = time.monotonic()
        self.assert_everywhere("viewer", ["short", "long"])
        harness.wait_until(lambda: self.sessions(self.at[1], "viewer") == ["long"], "the lease is over", within=20)
        self.assertGreater(time.monotonic() - started, 4)
        # Each box knows the engine's clock within a round trip, and until then its own says what it serves.
        time.sleep(harness.seconds(0.3))
        for connection in self.at:
            self.gone(connection.heartbeat("viewer", "short"), "expired")
        harness.wait_until(lambda: self.everybody(self.at[0]) == [("viewer", "long")], "all the leases are over", within=5)


class Restarts(FleetTest):
    def test_a_box_that_was_killed_keeps_its_sessions(self):
        north, south, west = self.at
        before = [self.started(north.start("viewer", f"s{number}")) for number in range(LIMIT)]
        self.boxes[0].kill()
        self.denied(south.start("viewer", "one more"))
        self.assertEqual(self.sessions(west, "viewer"), ["s0", "s1", "s2"])
        self.assertTrue(south.end("viewer", "s2").json()["ended"])
        self.boxes[0].start()
        north = self.at[0] = self.connect(self.boxes[0])
        for number in range(2):
            beat = north.heartbeat("viewer", f"s{number}")
            self.assertEqual((beat.status, beat.json()["start"]), (200, before[number]["start"]), beat)
        self.gone(north.heartbeat("viewer", "s2"), "ended")
        self.assert_everywhere("viewer", ["s0", "s1"])

    def test_all_boxes_stop_and_come_back(self):
        for number, connection in enumerate(self.at):
            self.started(connection.start("viewer", f"s{number}"))
        self.assertEqual(self.at[0].limit("limited", {"limit": 1}).status, 200)
        for box in self.boxes:
            box.restart()
        self.at = [self.connect(box) for box in self.boxes]
        self.assert_everywhere("viewer", ["s0", "s1", "s2"])
        for connection in self.at:
            self.denied(connection.start("viewer", "one more"))
            self.assertEqual(connection.limit("limited").json()["limit"], 1)

    def test_viewers_of_a_box_that_died_go_on_at_another(self):
        north, south, _ = self.at
        for number in range(LIMIT):
            self.started(north.start("viewer", f"s{number}"))
        self.boxes[0].kill()
        for number in range(LIMIT):
            self.assertEqual(south.heartbeat("viewer", f"s{number}").status, 200)
            self.started(south.start("viewer", f"s{number}"), status=200)
        self.denied(south.start("viewer", "one more"))
        self.boxes[0].start()


class OtherVersions(FleetTest):
    """What a box of a later version may have written, beside boxes of this one."""

    def test_it_is_kept_and_counted(self):
        north, south, west = self.at
        self.started(north.start("viewer", "s0", {"device": "tv"}))
        self.started(south.start("viewer", "s1"))
        key = cluster.user_key(self.fleet, "viewer")
        engine = servers.owner_of(key)
        row, lease = (engine.ask("HGET", key, field) for field in ("ss0", "ls0"))
        later = {"ss0": row + b"z4:more", "ls0": lease + b"z3:new", "x": b"9of another kind", "ss9": b"9a row of another form",
                 "ls9": lease}
        engine.ask("HSET", key, *(word for field in later.items() for word in field))

        for connection in self.at:
            self.assertEqual(set(self.sessions(connection, "viewer")), {"s0", "s1", "s9"})
        self.denied(west.start("viewer", "one more"))
        self.assertEqual(south.heartbeat("viewer", "s0").status, 200)
        self.assertEqual(west.heartbeat("viewer", "s9").status, 200)
        self.started(west.start("viewer", "s0", {"content": "another"}), status=200)
        self.assertTrue(engine.ask("HGET", key, "ss0").endswith(b"z4:more"))
        self.assertTrue(engine.ask("HGET", key, "ls0").endswith(b"z3:new"))
        self.assertEqual([engine.ask("HGET", key, field) for field in ("x", "ss9")], [later["x"], later["ss9"]])
        self.assertEqual(north.list("viewer").json()["sessions"][1]["content"], "another")
        self.assertTrue(north.end("viewer", "s9").json()["ended"])
        self.started(south.start("viewer", "one more"))


class Backups(FleetTest):
    def test_a_box_copies_what_it_keeps_itself(self):
        north, south, _ = self.at
        self.assertEqual(north.plan("family", {"limit": 5}).status, 200)
        self.started(north.start("viewer", "s0", {"device": "tv"}))
        self.started(south.start("viewer", "s1"))
        copy = str(self.boxes[0].folder / "copy.db")
        refused = harness.concur("backup", copy, socket=self.boxes[0].socket)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(b"concur backup --local", refused.stdout + refused.stderr)
        done = harness.concur("backup", "--local", copy, socket=self.boxes[0].socket)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(json.loads(done.stdout)["file"], copy)

        # The box itself goes on with it, as the one that it was.
        label = north.list("viewer").json()["sessions"][0]["box"]
        self.boxes[0].stop()
        for path in self.boxes[0].folder.glob("*.db*"):
            if path.name != "copy.db":
                path.unlink()
        pathlib.Path(copy).rename(self.boxes[0].database)
        self.boxes[0].start()
        north = self.connect(self.boxes[0])
        self.assertEqual(north.heartbeat("viewer", "s0").status, 200)
        listed = north.list("viewer").json()["sessions"]
        self.assertEqual([(each["session"], each["box"]) for each in listed], [("s0", label), ("s1", "south")])
        self.assertEqual(north.get("/v1/status").json()["sessions"], 1)

    def test_a_single_daemon_takes_it_for_the_whole(self):
        with cluster.Box("single", [], *self.OPTIONS, fleet=self.fleet) as single:
            copy = str(single.folder / "copy.db")
            done = harness.concur("backup", "--local", copy, socket=single.socket)
            self.assertEqual(done.returncode, 0, done.stderr)


class Moves(FleetTest):
    """A box that was by itself joins a fleet, and leaves it."""

    def test_a_single_box_joins_and_leaves(self):
        single = cluster.Box("single", [], *self.OPTIONS, fleet=self.fleet)
        with single:
            with single.connect() as connection:
                self.assertEqual(connection.plan("family", {"limit": 5}).status, 200)
                self.assertEqual(connection.limit("viewer1", {"limit": 1}).status, 200)
                self.assertEqual(connection.limit("viewer2", {"plan": "family"}).status, 200)
                tokens = {}
                for user, sessions in (("viewer0", 3), ("viewer1", 1), ("viewer2", 5)):
                    for session in (f"s{number}" for number in range(sessions)):
                        answer = connection.start(user, session, {"device": session, "meta": {"app": "4"}})
                        tokens[user, session] = self.started(answer)["start"]
                before = {user: connection.list(user).json()["sessions"] for user, _ in tokens}
            single.stop()
            single.join(servers.nodes[:2])
            single.options = [*cluster.PATIENT, *single.options]
            single.start()

            north, south, west = self.at
            harness.wait_until(lambda: len(self.everybody(north)) == len(tokens), "its sessions are in the fleet", within=10)
            harness.wait_until(lambda: west.limit("viewer2").json()["limit"] == 5, "its plans are in the fleet", within=10)
            for user in before:
                listed = south.list(user).json()["sessions"]
                for each, was in zip(listed, before[user], strict=True):
                    self.assertEqual(each["session"], was["session"])
                    self.assertEqual((each["device"], each["meta"]), (was["device"], was["meta"]))
                    self.assertAlmostEqual(harness.milliseconds(each["startedAt"]), harness.milliseconds(was["startedAt"]),
                                           delta=100)
                self.denied(south.start(user, "one more"))
            self.assertEqual(west.limit("viewer1").json()["limit"], 1)
            with single.connect() as connection:
                for (user, session), token in tokens.items():
                    beat = connection.heartbeat(user, session)
                    self.assertEqual(beat.status, 200, beat)
                    self.assertEqual(beat.json()["start"], token, "the client's token is the same as before")
                self.assertTrue(connection.end("viewer2", "s4").json()["ended"])
            self.assertEqual(self.sessions(west, "viewer2"), ["s0", "s1", "s2", "s3"])

            single.stop()
            single.join([])
            single.options = list(self.OPTIONS)
            single.start()
            with single.connect() as connection:
                self.assertEqual(self.sessions(connection, "viewer2"), ["s0", "s1", "s2", "s3"])
                self.assertEqual(connection.heartbeat("viewer0", "s1").status, 200)
                self.denied(connection.start("viewer0", "one more"))
                self.assertEqual(connection.plan("family").json()["limit"], 5)

    def test_limits_of_the_fleet_win_over_those_that_a_box_brings(self):
        single = cluster.Box("single", [], *self.OPTIONS, fleet=self.fleet)
        self.assertEqual(self.at[0].limit("viewer", {"limit": 2}).status, 200)
        with single:
            with single.connect() as connection:
                connection.limit("viewer", {"limit": 7})
                connection.limit("zz other", {"limit": 8})
            single.stop()
            single.join(servers.nodes[:2])
            single.options = [*cluster.PATIENT, *single.options]
            single.start()
            harness.wait_until(lambda: self.at[1].limit("zz other").json()["limit"] == 8, "what it brings holds", within=10)
            self.assertEqual(self.at[1].limit("viewer").json()["limit"], 2, "what is set in the fleet stays")


class Watching(FleetTest):
    """Commands that go on: `concur watch` tells what happens at its box, `concur run` what becomes of its session."""

    def spawn(self, box, *arguments):
        command, *rest = arguments
        process = subprocess.Popen([str(harness.CONCUR), command, "--socket", str(box.socket), *rest], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=harness.clean_environment(), text=True,
                                   preexec_fn=harness._die_with_parent)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def test_watch_tells_what_is_done_at_its_box(self):
        north, south, _ = self.at
        watch = self.spawn(self.boxes[1], "watch", "--user", "viewer")
        with self.boxes[1].connect() as connection:  # until it listens, events would be lost
            harness.wait_until(lambda: b'concurrencyd_event_streams 1' in connection.get("/metrics").body
                               or b'event_streams' not in connection.get("/metrics").body, "it listens")
        time.sleep(0.3)
        self.started(north.start("viewer", "s0"))
        self.started(south.start("viewer", "s1"))
        self.assertTrue(south.end("viewer", "s0").json()["ended"])
        events = [json.loads(watch.stdout.readline()) for _ in range(2)]
        self.assertEqual([(each["event"], each["session"]) for each in events], [("started", "s1"), ("ended", "s0")])
        watch.send_signal(signal.SIGTERM)
        self.assertEqual(watch.communicate(timeout=harness.seconds(10))[0], "")

    def test_run_ends_where_another_box_evicts(self):
        """Within a second: the box that did it tells the one that serves it."""
        run = self.spawn(self.boxes[0], "run", "--user", "viewer", "--session", "film", "--", "sleep", "60")
        harness.wait_until(lambda: self.sessions(self.at[1], "viewer") == ["film"], "it has started")
        self.assertEqual(self.purge(self.at[2], user="viewer"), {"purged": 1})
        began = time.monotonic()
        self.assertEqual(run.wait(harness.seconds(10)), 5)
        took = time.monotonic() - began
        print(f"concur run ended {took:.1f} s after another box's purge", flush=True)
        self.assertLess(took, harness.seconds(1))

    def test_run_goes_on_and_ends_its_session(self):
        run = self.spawn(self.boxes[0], "run", "--user", "viewer", "--session", "film", "--", "sh", "-c", "sleep 1; exit 7")
        harness.wait_until(lambda: self.sessions(self.at[1], "viewer") == ["film"], "it has started")
        self.assertEqual(run.wait(harness.seconds(20)), 7)
        self.assert_everywhere("viewer", [])


class WithoutCluster(FleetTest):
    """The same on one primary without cluster mode and its replica."""

    def setUp(self):
        self.pair = self.enterContext(cluster.Pair())
        super().setUp()

    def new_box(self, name, *options, seeds=None, **more):
        seeds = [self.pair.replicas[0], self.pair.primary] if seeds is None else seeds  # the first seed is no primary
        return super().new_box(name, *options, seeds=seeds, **more)

    def test_one_limit(self):
        for number, connection in enumerate(self.at):
            self.started(connection.start("viewer", f"s{number}"))
        for connection in self.at:
            self.denied(connection.start("viewer", "one more"))
        self.assertTrue(self.at[2].end("viewer", "s0").json()["ended"])
        self.gone(self.at[0].heartbeat("viewer", "s0"), "ended")
        self.assert_everywhere("viewer", ["s1", "s2"])
        with cluster.Crowd(self.boxes, RACERS // 3) as crowd:
            batches = [[harness.start_request("racer", f"s{racer}")] for racer in range(RACERS)]
            answers = [answer for [answer] in crowd.exchange(batches, last_byte_together=True)]
        self.assertEqual(collections.Counter(answer.status for answer in answers), {201: LIMIT, 409: RACERS - LIMIT})

    def test_lists_and_purges(self):
        expected = sorted((f"viewer{user}", f"s{session}") for user in range(450) for session in range(LIMIT))
        with cluster.Crowd(self.boxes, 4) as crowd:
            crowd.ask_each([harness.start_request(user, session) for user, session in expected])
        for connection, page in zip(self.at, (1000, 100, 10)):
            self.assertEqual(sorted(self.everybody(connection, page)), expected)
        self.assertEqual(self.purge(self.at[1], all=True), {"purged": len(expected)})
        self.assertEqual(self.everybody(self.at[0]), [])

    def test_the_replica_has_what_was_acknowledged(self):
        for number in range(LIMIT):
            self.started(self.at[number].start("viewer", f"s{number}"))
        fields = self.pair.replicas[0].ask("HKEYS", cluster.user_key(self.fleet, "viewer"))
        self.assertLessEqual({b"ss0", b"ss1", b"ss2"}, set(fields))

    def test_a_session_takes_little_memory_in_the_engine(self):
        before = int(self.pair.primary.info("memory")["used_memory_dataset"])
        self.pair.primary.set("hash-max-listpack-value", 256)
        sessions = 3000
        with cluster.Crowd(self.boxes, 4) as crowd:
            crowd.ask_each([harness.start_request(f"{number // 3:08x}-0000-4000-8000-000000000000",
                                                  f"{number:08x}-1111-4111-8111-111111111111") for number in range(sessions)])
        keys = [key for key in self.pair.primary.ask("KEYS", "*") if b":u:" in key]
        took = sum(self.pair.primary.ask("MEMORY", "USAGE", key) for key in keys) / sessions
        all_of_it = (int(self.pair.primary.info("memory")["used_memory_dataset"]) - before) / sessions
        print(f"memory in the engine: {took:.0f} bytes a session by MEMORY USAGE, {all_of_it:.0f} by used_memory_dataset "
              f"(UUID names, three a user)", flush=True)
        self.assertLess(took, 400)


if __name__ == "__main__":
    unittest.main()
