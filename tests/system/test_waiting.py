"""Starts that wait for room: first come, first served, at the moment in which there is room, and none for whoever is gone.

(Each order of what may happen to one that waits, with clocks that stand still: tests/unit/service/waiting_service_test.cpp.
`concur start --wait` and `concur run --wait`: tests/cli/wait.bats.)
"""

import itertools
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import time
import unittest

import harness
from harness import SECOND

ROUNDS = harness.rounds(30)
SEED = int(os.environ.get("CONCUR_TEST_SEED") or 20)


class WaitingTest(unittest.TestCase):
    OPTIONS = ("--lease", "600s", "--limit", "1")

    def setUp(self):
        self.daemon = harness.Daemon(*self.OPTIONS)
        self.enterContext(self.daemon)
        self.operator = self.enterContext(self.daemon.connect())

    def connect(self):
        return self.enterContext(self.daemon.connect())

    def waiting(self):
        return self.operator.get("/v1/status").json()["waiting"]

    def wait_until_waiting(self, count):
        harness.wait_until(lambda: self.waiting() == count, f"{count} wait", pause=0.002)

    def park(self, user, session, wait=60, body=None, connection=None):
        """Sends a start that waits; returns its connection once it does."""
        before = self.waiting()
        connection = connection or self.connect()
        connection.send(harness.start_request(user, session, (body or {}) | {"wait": wait}))
        self.wait_until_waiting(before + 1)
        return connection

    def started(self, answer, status=201):
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def denied(self, answer):
        self.assertEqual(answer.status, 409, answer)
        body = answer.json()
        self.assertEqual(body["error"], "limit_reached")
        return body

    def active(self, user):
        return [each["session"] for each in self.operator.list(user).json()["sessions"]]

    def metric(self, name):
        text = self.operator.get("/metrics").body.decode()
        found = re.search(rf"^concurrencyd_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        self.assertIsNotNone(found, name)
        return float(found.group(1))

    def denials(self, user):
        report = self.operator.get(f"/v1/report?user={user}").json()
        return sum(each["denials"] for each in report["users"])

    def events(self, since=0):
        """What happened since then, as far as it was published."""
        with self.daemon.connect() as connection:
            connection.send(harness.request("GET", f"/v1/events?since={since}"))
            wanted = self.metric("events_total")
            received, events = b"", []
            while not events or events[-1]["seq"] < wanted:
                received += connection.socket.recv(1 << 16)
                events = [json.loads(line) for line in re.findall(rb'^\{"boot".*\}$', received.replace(b"\r", b""), re.MULTILINE)]
        return events


class Room(WaitingTest):
    def test_an_end_lets_the_first_in_who_learns_how_long_it_waited(self):
        self.started(self.operator.start("abc", "s1"))
        begin = time.monotonic()
        waiter = self.park("abc", "s2", body={"device": "tv"})
        parked = time.monotonic()
        while time.monotonic() < parked + 0.05:  # so that there is something to tell
            self.assertEqual(self.active("abc"), ["s1"])
        self.assertEqual(self.operator.end("abc", "s1").json()["ended"], True)
        body = self.started(waiter.receive())
        self.assertGreaterEqual(body["waited"], 0.049)
        self.assertLessEqual(body["waited"], time.monotonic() - begin + 0.001)
        self.assertEqual(self.active("abc"), ["s2"])
        happened = [(each["event"], each["session"]) for each in self.events()]
        self.assertEqual(happened, [("started", "s1"), ("waiting", "s2"), ("ended", "s1"), ("started", "s2")])
        shown = self.events()[-1]
        self.assertEqual((shown["waited"], shown["device"]), (body["waited"], "tv"))
        self.assertEqual(self.denials("abc"), 0)
        self.assertEqual(self.metric('waits_total{outcome="started"}'), 1)
        self.assertEqual(self.metric('starts_total{outcome="denied"}'), 0)
        self.assertAlmostEqual(self.metric("wait_duration_seconds_sum"), body["waited"], places=3)

    def test_without_room_in_time_it_is_denied_once(self):
        self.started(self.operator.start("abc", "s1"))
        begin = time.monotonic()
        waiter = self.park("abc", "s2", wait=0.5)
        for _ in range(20):  # changes that make no room
            self.operator.limit("abc", {"limit": 1})
        body = self.denied(waiter.receive())
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)
        self.assertGreaterEqual(body["waited"], 0.5)
        self.assertEqual([each["session"] for each in body["sessions"]], ["s1"])
        denials = [each for each in self.events() if each["event"] == "denied"]
        self.assertEqual([each["waited"] for each in denials], [body["waited"]])
        self.assertEqual(self.denials("abc"), 1)
        self.assertEqual(self.metric('starts_total{outcome="denied"}'), 1)
        self.assertEqual(self.metric('waits_total{outcome="denied"}'), 1)

    def test_a_lease_that_runs_out_lets_the_next_in_at_that_moment(self):
        late = []
        expires = harness.milliseconds(self.started(self.operator.start("abc", "s0", {"ttl": 1}))["expiresAt"])
        for turn in range(1, 4):
            body = self.started(self.park("abc", f"s{turn}", body={"ttl": 1}).receive())
            next_expires = harness.milliseconds(body["expiresAt"])
            late.append(next_expires - 1 * SECOND - expires)
            expires = next_expires
        self.assertGreaterEqual(min(late), 0, "it was let in while the lease ran")
        # Of three the best: what else the machine does is not the daemon's.
        self.assertLess(min(late), harness.seconds(20), late)

    def test_operators_make_room(self):
        for session, make_room in (("purge", lambda: self.operator.ask(
                harness.request("POST", "/v1/purge", {"user": "abc"}))),
                ("all", lambda: self.operator.ask(harness.request("POST", "/v1/purge", {"all": True}))),
                ("limit", lambda: self.operator.limit("abc", {"limit": 2}))):
            with self.subTest(session):
                self.operator.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
                self.started(self.operator.start("abc", "s1"))
                waiter = self.park("abc", session)
                self.assertEqual(make_room().status, 200)
                self.started(waiter.receive())

    def test_a_reload_that_raises_the_limit(self):
        self.daemon.options = ["--lease", "600s"]
        self.daemon.settings = {"limit": 1}
        self.daemon._write_config()
        self.daemon.restart()
        self.operator = self.connect()
        self.started(self.operator.start("abc", "s1"))
        waiters = [self.park("abc", session) for session in ("s2", "s3", "s4")]
        self.daemon.reload({"limit": 3})
        self.started(waiters[0].receive())
        self.started(waiters[1].receive())
        self.assertEqual(self.waiting(), 1)

    def test_what_does_not_wait(self):
        self.started(self.operator.start("abc", "s1"))
        with self.subTest("a renewal"):
            self.assertNotIn("waited", self.started(self.operator.start("abc", "s1", {"wait": 60}), 200))
        with self.subTest("a start that evicts"):
            answer = self.operator.start("abc", "s2", {"wait": 60, "onLimit": "evict-oldest"})
            self.assertEqual(self.started(answer)["evicted"], ["s1"])
        with self.subTest("no time"):
            self.assertNotIn("waited", self.denied(self.operator.start("abc", "s3", {"wait": 0})))
        for nothing in (None, ""):
            with self.subTest(nothing=nothing):
                self.denied(self.operator.start("abc", "s3", {"wait": nothing}))
        with self.subTest("who starts too often"):
            self.daemon.restart(*self.OPTIONS, "--start-rate", "1")
            self.operator = self.connect()
            self.operator.end("abc", "s2")
            self.assertEqual([self.operator.start("abc", "s4").status, self.operator.end("abc", "s4").status], [201, 200])
            self.assertEqual(self.operator.start("abc", "s5", {"wait": 60}).status, 429)
        with self.subTest("observed"):
            self.daemon.restart(*self.OPTIONS, "--mode", "observe")
            self.operator = self.connect()
            self.operator.start("abc", "s1")
            self.assertTrue(self.started(self.operator.start("abc", "s6", {"wait": 60}))["wouldDeny"])

    def test_how_long_it_may_be(self):
        self.started(self.operator.start("abc", "s1"))
        for wait in (3601, "2h", -1, "soon", [1], True):
            with self.subTest(wait=wait):
                answer = self.operator.start("abc", "s2", {"wait": wait})
                self.assertEqual(answer.status, 400)
                self.assertIn("'wait'", answer.json()["message"])
        for number, wait in enumerate((3600, "1h", "5m")):
            self.park("abc", f"w{number}", wait=wait)

    def test_not_in_a_batch(self):
        self.started(self.operator.start("abc", "s1"))
        lines = [{"command": "start", "user": "abc", "session": "s2", "wait": 5},
                 {"command": "heartbeat", "user": "abc", "session": "s1", "wait": 5},
                 {"command": "start", "user": "abc", "session": "s2"}]
        answer = self.operator.ask(harness.request("POST", "/v1/batch", "".join(json.dumps(line) + "\n" for line in lines).encode()))
        answers = [json.loads(line) for line in answer.body.splitlines()]
        self.assertEqual([each["status"] for each in answers], [400, 400, 409])
        self.assertIn("'wait'", answers[0]["message"])


class Order(WaitingTest):
    def test_of_fifty_each_gets_its_turn_and_nobody_overtakes(self):
        users = [f"user{number}" for number in range(4)]
        active = {}
        for user in users:
            self.started(self.operator.start(user, "first"))
            active[user] = "first"
        waiters = {user: [] for user in users}
        for number, user in zip(range(50), itertools.cycle(users)):
            waiters[user].append((f"w{number}", self.park(user, f"w{number}")))
        with harness.Fleet(self.daemon.socket, 8) as crowd:
            for user in users:
                for session, connection in waiters[user]:
                    # Newcomers ask in the very moment of the end, before and after it.
                    race = [[harness.start_request(user, f"new{number}")] for number in range(8)]
                    race[4] = [harness.end_request(user, active[user])]
                    answers = crowd.exchange(race, last_byte_together=True)
                    self.assertEqual([each[0].status for each in answers], [409] * 4 + [200] + [409] * 3)
                    self.started(connection.receive())
                    active[user] = session
        self.assertEqual(self.waiting(), 0)

    def test_the_first_who_fits(self):
        self.started(self.operator.start("abc", "s1"))
        self.started(self.operator.start("abc", "s2", {"limit": 2}))
        narrow = self.park("abc", "narrow")
        wide = self.park("abc", "wide", body={"limit": 2})
        self.operator.end("abc", "s2")
        self.started(wide.receive())
        self.assertEqual(self.waiting(), 1)
        for session in ("s1", "wide"):
            self.operator.end("abc", session)
        self.started(narrow.receive())

    def test_answers_on_one_connection_keep_their_order(self):
        self.started(self.operator.start("abc", "s1"))
        connection = self.connect()
        connection.send(harness.start_request("abc", "s2", {"wait": 60}) + harness.list_request("abc")
                        + harness.heartbeat_request("abc", "s1") + harness.start_request("abc", "s3", {"wait": 60}))
        self.wait_until_waiting(2)
        self.operator.end("abc", "s1")
        self.started(connection.receive())
        self.assertEqual([each["session"] for each in connection.receive().json()["sessions"]], ["s1"])
        self.assertEqual(connection.receive().status, 200)
        self.operator.end("abc", "s2")
        self.started(connection.receive())

    def test_no_more_than_there_is_room_for(self):
        self.started(self.operator.start("abc", "s1"))
        for number in range(16):
            self.park("abc", f"w{number}")
        self.denied(self.operator.start("abc", "one-more", {"wait": 60}))
        self.started(self.operator.start("other", "s1"))
        self.park("other", "s2")


class Leaving(WaitingTest):
    def setUp(self):
        super().setUp()
        self.started(self.operator.start("abc", "s1"))

    def assert_the_next_gets_in(self, next_one, left=1):
        self.wait_until_waiting(1)
        self.assertEqual(self.metric('waits_total{outcome="left"}'), left)
        self.operator.end("abc", "s1")
        self.started(next_one.receive())
        self.assertEqual(self.active("abc"), ["next"])

    def test_a_closed_connection(self):
        leaves = self.park("abc", "leaves")
        next_one = self.park("abc", "next")
        leaves.close()
        self.assert_the_next_gets_in(next_one)
        left = [each for each in self.events() if each["event"] == "left"]
        self.assertEqual([each["session"] for each in left], ["leaves"])
        self.assertEqual(self.denials("abc"), 0)

    def test_a_closed_connection_whose_request_was_its_last(self):
        leaves = self.connect()
        leaves.send(harness.request("PUT", harness.session_path("abc", "leaves"), {"wait": 60}, ["Connection: close"]))
        self.wait_until_waiting(1)
        next_one = self.park("abc", "next")
        leaves.close()
        self.assert_the_next_gets_in(next_one)

    def test_a_closed_connection_with_as_many_requests_as_it_may_have(self):
        leaves = self.connect()
        leaves.send(harness.start_request("abc", "leaves", {"wait": 60}) + harness.list_request("abc") * 200)
        self.wait_until_waiting(1)
        next_one = self.park("abc", "next")
        leaves.close()
        self.assert_the_next_gets_in(next_one)

    def test_a_killed_client(self):
        client = subprocess.Popen([harness.CONCUR, "--socket", self.daemon.socket, "start", "--user", "abc", "--session",
                                   "leaves", "--wait", "60s"], stdout=subprocess.DEVNULL, env=harness.clean_environment())
        self.addCleanup(client.wait)
        self.wait_until_waiting(1)
        next_one = self.park("abc", "next")
        client.kill()
        self.assert_the_next_gets_in(next_one)

    def test_one_that_only_stops_sending_is_answered_at_once(self):
        half = self.park("abc", "leaves")
        half.socket.shutdown(socket.SHUT_WR)
        body = self.denied(half.receive())
        self.assertIn("waited", body)
        self.assertEqual(self.waiting(), 0)

    def test_a_session_that_is_ended_before_it_began(self):
        waiter = self.park("abc", "leaves")
        self.assertFalse(self.operator.end("abc", "leaves").json()["ended"])
        self.denied(waiter.receive())

    def test_a_crowd_that_comes_and_goes_while_sessions_end(self):
        chance = random.Random(SEED)
        active, names = "s1", itertools.count()
        for _ in range(ROUNDS):
            waiters = [(f"w{next(names)}", self.connect()) for _ in range(6)]
            for session, connection in waiters:
                self.park("abc", session, connection=connection)
            gone = {session for session, _ in waiters if chance.random() < 0.5}
            leave = [connection for session, connection in waiters if session in gone]
            ender = self.connect()
            ender.send(harness.end_request("abc", active)[:-1])
            half = chance.randrange(len(leave) + 1)
            for connection in leave[:half]:
                connection.close()
            ender.send(harness.end_request("abc", active)[-1:])
            for connection in leave[half:]:
                connection.close()
            self.assertTrue(ender.receive().json()["ended"])
            stay = [(session, connection) for session, connection in waiters if session not in gone]

            def it_is_settled():
                now, waiting = self.active("abc"), self.waiting()
                # Whoever went in that very moment may have been let in: then it counts, and the others wait on.
                if now and now[0] in gone:
                    return waiting == len(stay)
                return now == [session for session, _ in stay[:1]] and waiting == len(stay[1:])

            harness.wait_until(it_is_settled, "the first that stayed got in")
            now = self.active("abc")
            if now and now[0] not in gone:
                self.started(stay.pop(0)[1].receive())
            for _, connection in stay:
                connection.close()
            self.wait_until_waiting(0)
            if not now:
                self.started(self.operator.start("abc", f"w{next(names)}"))
            active = self.active("abc")[0]


class LeavingOverTcp(Leaving):
    """The same where a client that closes, and one that only stops sending, look alike."""

    def setUp(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.OPTIONS = (*Leaving.OPTIONS, "--listen", f"127.0.0.1:{self.port}")
        super().setUp()

    def connect(self):
        connection = super().connect()
        connection.socket.close()
        connection.socket = socket.create_connection(("127.0.0.1", self.port), connection.timeout)
        return connection

    test_a_killed_client = None

    def test_a_connection_that_is_reset(self):
        leaves = self.park("abc", "leaves")
        next_one = self.park("abc", "next")
        leaves.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaves.close()
        self.assert_the_next_gets_in(next_one)


class Ends(WaitingTest):
    def test_a_daemon_that_stops_answers_all_who_wait(self):
        self.started(self.operator.start("abc", "s1"))
        waiters = [self.park("abc", f"w{number}") for number in range(10)]
        begin = time.monotonic()
        self.daemon.process.send_signal(signal.SIGTERM)
        for waiter in waiters:
            self.denied(waiter.receive())
        self.assertEqual(self.daemon.process.wait(harness.seconds(20)), 0)
        self.assertLess(time.monotonic() - begin, harness.seconds(5))

    def test_of_a_daemon_that_is_killed_nobody_waits_any_more(self):
        self.started(self.operator.start("abc", "s1"))
        waiter = self.park("abc", "s2")
        self.daemon.kill()
        with self.assertRaises((harness.ConnectionLost, ConnectionResetError)):
            waiter.receive()
        self.daemon.start()
        self.operator = self.connect()
        self.assertEqual(self.waiting(), 0)
        self.operator.end("abc", "s1")
        self.assertEqual(self.active("abc"), [])

    def test_who_was_let_in_and_answered_outlives_kill_9(self):
        self.started(self.operator.start("abc", "s0"))
        for turn in range(max(2, ROUNDS // 6)):
            waiter = self.park("abc", f"s{turn + 1}")
            self.operator.send(harness.end_request("abc", f"s{turn}"))
            self.started(waiter.receive())
            self.daemon.kill()
            self.daemon.start()
            self.operator = self.connect()
            self.assertEqual(self.active("abc"), [f"s{turn + 1}"])


if __name__ == "__main__":
    unittest.main()
