"""What befalls the way between a box and the servers of its fleet: connections cut between request and answer, boxes cut off,
black holes, wrong passwords, clocks that are set, a primary without cluster mode that dies.

One primary without cluster mode and its replica; each box reaches it through a relay of its own. (Servers that fail under
load: test_faults.py, which this shares its judge with.)
"""

import time
import unittest

import cluster
import fault_case
import faults
import harness
import streams
from fault_case import LEASE, NAMES, TIMEOUT
from viewers import LIMIT


def setUpModule():
    cluster.require_server()


class LinkTest(fault_case.FaultTest):
    OPTIONS = {}

    def setUp(self):
        super().setUp()
        self.pair = self.enterContext(cluster.Pair(**self.OPTIONS))
        self.relays = {name: self.enterContext(cluster.Relay(self.pair.primary)) for name in NAMES}

    def seeds(self):
        return {name: [self.relays[name]] for name in NAMES}

    def wait_until_whole(self):
        for each in self.pair.replicas:
            each.wait_for_its_master()

    def started(self, answer, status=201, degraded=False):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.json().get("degraded", False), degraded, answer)
        return answer.json()

    def sessions(self, connection, user):
        answer = connection.list(user)
        self.assertEqual(answer.status, 200, answer)
        return [each["session"] for each in answer.json()["sessions"]]

    def timely(self, since):
        took = time.monotonic() - since
        self.assertLessEqual(took, TIMEOUT + harness.seconds(0.5))
        return took


class Cuts(LinkTest):
    """A request that was done, and whose answer is lost, is done once, and answered and told as the first time."""

    def test_between_request_and_answer(self):
        [box] = self.new_boxes(names=("north",))
        relay = self.relays["north"]
        stream = self.enterContext(box.connect())
        stream.send(harness.request("GET", "/v1/events"))
        events = streams.ChunkedAnswer(stream)
        expected = []
        connection = self.enterContext(box.connect())
        rounds = faults.times(10, 300)
        longest = 0
        for number in range(rounds):
            user = f"viewer{number}"
            pieces = number % 2  # the change's answer is lost, or that of the WAIT behind it
            for session in range(LIMIT):
                self.started(connection.start(user, f"s{session}"))
                expected.append(("started", f"s{session}"))

            relay.cut_answers(1, pieces)
            began = time.monotonic()
            body = self.started(connection.start(user, "new", {"onLimit": "evict-oldest"}))
            longest = max(longest, self.timely(began))
            self.assertEqual(body["concurrentSessions"], LIMIT)
            expected += [("evicted", "s0"), ("started", "new")]
            self.assertEqual(self.sessions(connection, user), ["s1", "s2", "new"], "one was evicted, and no second")

            relay.cut_answers(1, pieces)
            ended = connection.end(user, "new")
            self.assertEqual((ended.status, ended.json()["ended"], ended.json()["concurrentSessions"]), (200, True, LIMIT - 1))
            expected.append(("ended", "new"))

            relay.cut_answers(1, pieces)
            self.assertEqual(connection.heartbeat(user, "s1").status, 200)
            relay.cut_answers(1, pieces)
            self.assertEqual(connection.limit(user, {"limit": 2}).json()["limit"], 2)
            expected.append(("limit_changed", None))
            self.assertEqual(connection.start(user, "one more").status, 409)
            expected.append(("denied", "one more"))
        self.assertGreaterEqual(relay.cuts, rounds * 3)
        seen = [events.line() for _ in expected]
        self.assertEqual([(each["event"], each.get("session")) for each in seen], expected)
        print(f"cut between request and answer: the longest start took {longest:.2f} s", flush=True)
        faults.count("cut between request and answer", "done once, told once", relay.cuts)

    def test_under_load(self):
        def fault(load):
            for _ in range(6):
                for number, relay in enumerate(self.relays.values()):
                    relay.cut_answers(1, number % 2)
                load.go_on(0.3)

        load = self.play("answers cut", fault, times=faults.times(1, 20))
        if harness.SLOWNESS == 1:
            self.assertEqual(load.degraded(), 0)


class CutOff(LinkTest):
    def test_one_box_is_cut_off(self):
        """The others hear nothing of it; it goes on by itself, and is whole again afterwards."""
        def fault(load):
            for mode in ("refuse", "silent"):
                self.relays["south"].set_mode(mode)
                load.go_on(1.5)
                self.relays["south"].set_mode("pass")
                load.go_on(0.7)

        load = self.play("one box cut off", fault, times=faults.times(1, 10), cut_off=1)
        self.assertGreater(load.degraded(), 0)

    def test_one_box_is_cut_off_deny(self):
        def fault(load):
            self.relays["south"].set_mode("silent")
            load.go_on(2.0)
            self.relays["south"].set_mode("pass")

        self.play("one box cut off, deny", fault, policy="deny", times=faults.times(1, 10))

    def test_for_longer_than_a_lease(self):
        """Its viewers, who give signs of life all the time, go on; the others' box forgets them, and has them again."""
        lease = 3
        north, south = self.new_boxes(names=NAMES[:2], lease=lease)
        with north.connect() as at_north, south.connect() as at_south:
            for number in range(LIMIT):
                self.started(at_south.start("viewer", f"s{number}"))
            self.relays["south"].set_mode("refuse")
            for _ in range(5):
                time.sleep(lease / 4)
                for number in range(LIMIT):
                    beat = at_south.heartbeat("viewer", f"s{number}")
                    self.assertEqual(beat.status, 200, beat)
            self.assertEqual(self.sessions(at_north, "viewer"), [])
            self.started(at_north.start("viewer", "n0"))
            self.relays["south"].set_mode("pass")
            harness.wait_until(lambda: "degraded" not in at_south.heartbeat("viewer", "s0").json(), "the box is in the fleet again")
            for number in range(LIMIT):
                self.assertEqual(at_south.heartbeat("viewer", f"s{number}").status, 200)
            for connection in (at_north, at_south):
                self.assertEqual(set(self.sessions(connection, "viewer")), {"s0", "s1", "s2", "n0"}, "nobody is cut off")
                self.assertEqual(connection.start("viewer", "one more").status, 409, "and nobody new is let in above the limit")

    def test_an_eviction_meanwhile(self):
        north, south = self.new_boxes(names=NAMES[:2])
        with north.connect() as at_north, south.connect() as at_south:
            for number in range(LIMIT):
                self.started(at_south.start("viewer", f"s{number}"))
            self.started(at_south.start("purged", "s"))
            self.relays["south"].set_mode("refuse")
            self.started(at_north.start("viewer", "new", {"onLimit": "evict-oldest"}))
            self.assertEqual(at_north.ask(harness.request("POST", "/v1/purge", {"user": "purged"})).json(), {"purged": 1})
            self.started(at_south.start("viewer", "s0"), status=200, degraded=True)
            self.assertEqual(at_south.heartbeat("purged", "s").status, 200)
            self.relays["south"].set_mode("pass")
            harness.wait_until(lambda: at_south.limit("viewer").status == 200, "the box is in the fleet again")
            for session, user, reason in (("s0", "viewer", "evicted"), ("s", "purged", "purged")):
                harness.wait_until(lambda: at_south.heartbeat(user, session).status == 410, "it is gone", within=5)
                self.assertEqual(at_south.heartbeat(user, session).json()["reason"], reason)
                self.assertEqual(at_north.heartbeat(user, session).json()["reason"], reason)
            self.assertEqual(self.sessions(at_north, "viewer"), ["s1", "s2", "new"])

    def test_ends_meanwhile_are_sent_later(self):
        north, south = self.new_boxes(names=NAMES[:2])
        with north.connect() as at_north, south.connect() as at_south:
            for number in range(LIMIT):
                self.started(at_south.start("viewer", f"s{number}"))
            self.relays["south"].set_mode("refuse")
            ended = at_south.end("viewer", "s1")
            self.assertEqual((ended.status, ended.json()["ended"], ended.json().get("degraded")), (200, True, True))
            self.assertEqual(at_south.heartbeat("viewer", "s1").status, 410)
            # It may have come through, and its answer not.
            if at_north.start("viewer", "one more").status == 409:
                self.relays["south"].set_mode("pass")
                harness.wait_until(lambda: self.sessions(at_north, "viewer") == ["s0", "s2"], "the end is known", within=10)
                self.started(at_north.start("viewer", "one more"))
            self.assertEqual(self.sessions(at_north, "viewer"), ["s0", "s2", "one more"])

    def test_what_an_operator_asks_is_unavailable(self):
        [box] = self.new_boxes(names=("north",))
        with box.connect() as connection:
            self.started(connection.start("viewer", "s"))
            self.relays["north"].set_mode("refuse")
            for request in (harness.request("PUT", harness.limit_path("viewer"), {"limit": 2}),
                            harness.request("GET", harness.limit_path("viewer")),
                            harness.request("POST", "/v1/purge", {"user": "viewer"}),
                            harness.request("POST", "/v1/purge", {"all": True}),
                            harness.request("GET", "/v1/sessions"), harness.request("GET", "/v1/limits"),
                            harness.request("PUT", harness.plan_path("family"), {"limit": 2})):
                began = time.monotonic()
                answer = connection.ask(request)
                self.timely(began)
                self.assertEqual((answer.status, answer.json()["error"]), (503, "unavailable"), (request[:60], answer))
            self.assertEqual(connection.get("/healthz").status, 200)
            self.assertEqual(connection.heartbeat("viewer", "s").status, 200)

    def test_policies(self):
        for policy, status, above in (("local", 201, 409), ("allow", 201, 201), ("deny", 503, 503)):
            with self.subTest(policy):
                [box] = self.new_boxes(policy, names=("north",))
                with box.connect() as connection:
                    self.started(connection.start("viewer", "s0"))
                    self.relays["north"].set_mode("silent")
                    for number, expected in ((1, status), (2, status), (3, above)):
                        began = time.monotonic()
                        answer = connection.start("viewer", f"s{number}")
                        self.timely(began)
                        self.assertEqual(answer.status, expected, answer)
                        self.assertEqual(answer.json().get("degraded", False), expected != 503)
                        if expected == 503:
                            self.assertEqual(answer.json()["error"], "unavailable")
                    self.started(connection.start("viewer", "s0"), status=200, degraded=True)
                    beat = connection.heartbeat("viewer", "never seen here")
                    self.assertEqual(beat.status, 503 if policy == "deny" else 200, beat)
                    self.relays["north"].set_mode("pass")
                    harness.wait_until(lambda: connection.limit("viewer").status == 200, "the box is in the fleet again")
                    # A start that was given up is withdrawn, whether the server did it meanwhile or not.
                    there = {"local": ["never seen here", "s0", "s1", "s2"], "allow": ["never seen here", "s0", "s1", "s2", "s3"],
                             "deny": ["s0"]}[policy]
                    harness.wait_until(lambda: sorted(self.sessions(connection, "viewer")) == there,
                                       f"{there} are there, and not {self.sessions(connection, 'viewer')}", within=10)


class Seeds(LinkTest):
    def test_a_black_hole_among_them(self):
        with cluster.BlackHole() as hole:
            began = time.monotonic()
            with cluster.Box("north", [hole, self.pair.primary], "--fleet-timeout", "1s", fleet="hole") as box:
                print(f"a black-holed seed: the fleet was found after {time.monotonic() - began:.1f} s", flush=True)
                with box.connect() as connection:
                    self.started(connection.start("viewer", "s"))

    def test_nobody_answers_at_first(self):
        """The box serves from the beginning, by itself, and finds its fleet once that is there."""
        relay = self.relays["north"]
        relay.set_mode("silent")
        box = cluster.Box("north", [], "--fleet-timeout", "1s", "--limit", str(LIMIT), fleet="late")
        with box:
            box.stop()
            box.join([relay])
            cluster.harness.Daemon.start(box)
            with box.connect() as connection:
                for number in range(LIMIT + 1):
                    began = time.monotonic()
                    answer = connection.start("viewer", f"s{number}")
                    self.timely(began)
                    self.assertEqual(answer.status, 201 if number < LIMIT else 409, answer)
                    self.assertTrue(answer.json()["degraded"])
                relay.set_mode("pass")
                box.wait_for_the_fleet()
                self.assertEqual(connection.heartbeat("viewer", "s0").status, 200)
            with cluster.Box("south", [self.pair.primary], *cluster.PATIENT, fleet="late") as south, south.connect() as at_south:
                harness.wait_until(lambda: self.sessions(at_south, "viewer") == ["s0", "s1", "s2"], "all is in the fleet", within=10)


class Password(LinkTest):
    OPTIONS = {"requirepass": "secret", "masterauth": "secret"}

    def test_a_wrong_one_and_then_the_right_one(self):
        folder = harness.private_folder()
        password = folder / "password"
        password.write_text("wrong\n")
        password.chmod(0o600)
        box = cluster.Box("north", [], "--limit", str(LIMIT), fleet="password")
        with box:
            box.stop()
            box.join([self.pair.primary])
            box.options += ["--fleet-password-file", str(password), "--fleet-timeout", "1s"]
            cluster.harness.Daemon.start(box)
            with box.connect() as connection:
                self.started(connection.start("viewer", "s0"), degraded=True)
                harness.wait_until(lambda: "WRONGPASS" in box.log_text(), "the log says what is wrong", within=10)
                password.write_text("secret\n")
                box.reload({})
                box.wait_for_the_fleet()
                self.started(connection.start("viewer", "s1"))
                harness.wait_until(lambda: self.sessions(connection, "viewer") == ["s0", "s1"], "all is in the fleet")


class Takeover(LinkTest):
    def seeds(self):
        return [self.pair.primary, *self.pair.replicas]

    def test_a_primary_dies_and_its_replica_is_promoted(self):
        def fault(load):
            dead, [replica] = self.pair.primary, self.pair.replicas
            began = time.monotonic()
            dead.kill()
            load.go_on(1.2)
            self.pair.promote(replica)
            load.go_on(1.5)
            dead.start()
            return began

        self.play("without cluster mode: killed, replica promoted", fault, times=faults.times(1, 10))

    def test_a_primary_becomes_a_replica(self):
        """It answers READONLY on connections that live on."""
        def fault(load):
            old, [replica] = self.pair.primary, self.pair.replicas
            self.pair.promote(replica)
            old.ask("REPLICAOF", "127.0.0.1", replica.port)

        self.play("without cluster mode: roles changed", fault, times=faults.times(1, 10), hot_at_most=2 * LIMIT)


class Clocks(LinkTest):
    """Of a server, or of a box, that somebody sets by an hour: nobody is cut off who gives signs of life."""

    def setUp(self):
        fault_case.FaultTest.setUp(self)
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.clock.run_with_offsets(0, 0)
        self.pair = cluster.Pair()
        self.pair.primary.environment = self.clock.environment()
        self.enterContext(self.pair)
        self.relays = {name: self.enterContext(cluster.Relay(self.pair.primary)) for name in NAMES}

    def set_the_servers(self, hours):
        def fault(load):
            self.clock.run_with_offsets(0, hours * 3600 * 1000)
            load.go_on(1.5)

        return fault

    def test_the_servers_is_set_forward(self):
        self.play("the engine's clock an hour forward", self.set_the_servers(1), hot_at_most=2 * LIMIT, loses=True)

    def test_the_servers_is_set_back(self):
        self.play("the engine's clock an hour back", self.set_the_servers(-1), hot_at_most=2 * LIMIT, loses=True)

    def test_a_boxs_is_wrong(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        clock.run_with_offsets(0, -3600 * 1000)
        boxes = self.new_boxes(names=NAMES[:2])
        wrong = cluster.Box("wrong", [self.pair.primary], "--lease", f"{LEASE}s", "--limit", str(LIMIT), fleet=boxes[0].fleet,
                            clock=clock, folder=folder)
        with wrong:
            def fault(load):
                clock.run_with_offsets(0, 3600 * 1000)

            load = self.play("a box's clock an hour off, then set two hours forward", fault, boxes=[*boxes, wrong])
        self.assertEqual(load.degraded(), 0)


class Day(LinkTest):
    """Hours that pass for servers and boxes alike."""

    def setUp(self):
        fault_case.FaultTest.setUp(self)
        self.clock = harness.TestClock(harness.private_folder())
        self.clock.run_with_offsets(0, 0)
        self.pair = cluster.Pair()
        for each in (self.pair.primary, *self.pair.replicas):
            each.environment = self.clock.environment()
        self.enterContext(self.pair)
        self.relays = {name: self.enterContext(cluster.Relay(self.pair.primary)) for name in NAMES}

    def test_a_box_is_cut_off_for_more_than_a_day(self):
        """What it serves comes back within the limit: the others do not remember whom they purged."""
        north, south = (self.enterContext(cluster.Box(
            name, [self.relays[name]], "--lease", "12h", "--limit", str(LIMIT), "--fleet-timeout", f"{TIMEOUT:g}s", fleet="day",
            clock=self.clock)) for name in NAMES[:2])
        with north.connect() as at_north, south.connect() as at_south:
            for number in range(LIMIT):
                self.started(at_south.start("viewer", f"s{number}"))
            self.started(at_south.start("other", "s"))
            self.relays["south"].set_mode("refuse")
            harness.wait_until(lambda: at_south.heartbeat("viewer", "s0").json().get("degraded"), "it is cut off", within=10)
            self.assertEqual(at_north.ask(harness.request("POST", "/v1/purge", {"user": "viewer"})).json(), {"purged": LIMIT})
            self.started(at_north.start("viewer", "n0"))
            for passed in (9, 18, 27):
                self.clock.run_with_offsets(passed * 3600 * 1000, passed * 3600 * 1000)
                harness.wait_until(lambda: "degraded" not in at_north.heartbeat("viewer", "n0").json(), "north goes on", within=10)
                for user, session in (("viewer", "s0"), ("viewer", "s1"), ("viewer", "s2"), ("other", "s")):
                    self.assertEqual(at_south.heartbeat(user, session).status, 200)
            for number in range(1, LIMIT):
                self.started(at_north.start("viewer", f"n{number}"))
            self.assertEqual(at_south.heartbeat("viewer", "s0").status, 200)
            self.relays["south"].set_mode("pass")
            harness.wait_until(lambda: at_south.limit("viewer").status == 200, "the box is in the fleet again", within=20)
            for number in range(LIMIT):
                answer = at_south.heartbeat("viewer", f"s{number}")
                self.assertIn(answer.status, (404, 410), answer)
            for connection in (at_north, at_south):
                self.assertEqual(self.sessions(connection, "viewer"), ["n0", "n1", "n2"])
                harness.wait_until(lambda at=connection: self.sessions(at, "other") == ["s"], "nobody else is cut off", within=10)
            self.assertEqual(at_south.heartbeat("other", "s").status, 200)


if __name__ == "__main__":
    unittest.main()
