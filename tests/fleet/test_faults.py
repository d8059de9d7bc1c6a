"""What befalls the servers of a fleet, and its boxes, while viewers keep them busy: never more sessions of a user than may
be, nothing acknowledged lost, nobody cut off or refused because the engine is away, nobody kept waiting.

Each case prints what was seen; a table of all of them stands at the end. In the suite each fault comes once, with
CONCUR_TEST_LONG many times and for longer. (What stands between boxes and servers: test_links.py.)
"""

import time
import unittest

import cluster
import fault_case
import faults
import harness
from fault_case import LEASE
from viewers import LIMIT

servers = None


def setUpModule():
    global servers
    cluster.require_server()
    # As the manual sets them up: what was written is there again after a restart.
    servers = unittest.enterModuleContext(cluster.Cluster(appendonly="yes", appendfsync="everysec"))


class FaultTest(fault_case.FaultTest):
    def seeds(self):
        return servers.nodes[:2]

    def wait_until_whole(self):
        """Between two faults. Where the servers' own elections come to no end, they are started anew: that is not what is
        tried here."""
        try:
            servers.wait_until_whole()
        except AssertionError as error:
            print(f"{error}: they are started anew", flush=True)
            for node in servers.nodes:
                node.go_on()
                if node.running():
                    node.kill()
            for node in servers.nodes:
                node.start()
            servers.wait_until_whole()

    @staticmethod
    def a_primary(which=0):
        return servers.primaries()[which]

    @staticmethod
    def bring_back(*nodes):
        for node in nodes:
            node.go_on()
            if not node.running():
                node.start()
        servers.wait_until_whole()


class Nothing(FaultTest):
    def test_nothing_happens(self):
        """The viewers and their judge, where all is well: all is answered by the engine."""
        load = self.play("nothing", lambda load: None)
        self.assertEqual((load.degraded(), load.refused()), (0, 0))
        self.assertEqual(load.most_at_once("hot"), LIMIT, "the limit is reached")

    def test_boxes_that_share_nothing_are_found_out(self):
        """The judge itself: of three boxes by themselves it must say what is wrong."""
        boxes = self.new_boxes()
        for box in boxes:
            box.stop()
            box.join([])
            box.options = ["--lease", f"{LEASE}s", "--limit", str(LIMIT)]
            box.start()
        with self.assertRaisesRegex(AssertionError, "is not listed by"):
            self.play("nothing shared", lambda load: None, boxes=boxes)
        fault_case.forget_last()


class Kills(FaultTest):
    def kill_and_wait(self, load):
        primary = self.a_primary()
        began = time.monotonic()
        primary.kill()
        servers.wait_for_takeover(primary)
        took = time.monotonic() - began
        load.go_on(0.5)
        primary.start()
        print(f"another took over after {took:.1f} s", flush=True)
        return began

    def test_a_primary_is_killed(self):
        load = self.play("kill -9 of a primary, local", self.kill_and_wait, times=faults.times(1, 30))
        self.assertEqual(load.refused(), 0)

    def test_a_primary_is_killed_deny(self):
        self.play("kill -9 of a primary, deny", self.kill_and_wait, policy="deny", times=faults.times(1, 30))

    def test_a_primary_and_its_replica_are_killed(self):
        def fault(load):
            primary = self.a_primary()
            [replica] = servers.replicas_of(primary)
            began = time.monotonic()
            replica.kill()
            primary.kill()
            load.go_on(2.5)
            self.bring_back(primary, replica)
            return began

        self.play("kill -9 of a primary and its replica", fault, times=faults.times(1, 10))

    def test_a_primary_comes_back_empty(self):
        def fault(load):
            primary = self.a_primary()
            began = time.monotonic()
            primary.kill()
            primary.forget_all_data()
            primary.start()
            return began

        self.play("a primary restarts at once, empty", fault, times=faults.times(1, 10), hot_at_most=2 * LIMIT, loses=True)

    def test_all_nodes_are_down(self):
        """For longer than a lease."""
        def fault(load):
            began = time.monotonic()
            for node in servers.nodes:
                node.kill()
            load.go_on(LEASE + 1 if not faults.LONG else 60)
            for node in servers.nodes:
                node.start()
            servers.wait_until_whole()
            return began

        self.play("all nodes down for longer than a lease", fault)

    def test_a_box_is_killed(self):
        boxes = self.new_boxes()

        def fault(load):
            boxes[0].kill()
            load.go_on(1.0)
            boxes[0].start()

        self.play("kill -9 of a box", fault, boxes=boxes, times=faults.times(1, 20))


class Stops(FaultTest):
    def test_a_primary_is_stopped_for_twice_the_node_timeout(self):
        def fault(load):
            primary = self.a_primary()
            began = time.monotonic()
            with primary.paused():
                load.go_on(2 * cluster.NODE_TIMEOUT)
                servers.wait_for_takeover(primary)
            return began

        self.play("SIGSTOP of a primary, twice the node time-out", fault, times=faults.times(1, 20))

    def test_a_primary_is_busy_for_a_moment(self):
        def fault(load):
            client = self.a_primary().sleep(0.3)
            load.go_on(0.5)
            client.close()

        load = self.play("DEBUG SLEEP 0.3", fault, times=faults.times(2, 50), after=0.2)
        if harness.SLOWNESS == 1:
            self.assertEqual(load.degraded(), 0)

    def test_a_primary_is_busy_for_long(self):
        def fault(load):
            client = self.a_primary().sleep(20 if faults.LONG else 3)
            load.go_on(21 if faults.LONG else 3.3)
            client.close()

        self.play(f"DEBUG SLEEP {20 if faults.LONG else 3}", fault)

    def test_a_replica_is_frozen(self):
        def fault(load):
            [replica] = servers.replicas_of(self.a_primary())
            with replica.paused():
                load.go_on(2.0)

        load = self.play("a replica is frozen", fault, times=faults.times(1, 10))
        self.assertEqual(load.degraded(), 0, "the primary's word is enough")

    def test_a_minority_is_left(self):
        """One primary alone cannot know whether the others took its place."""
        def fault(load):
            alone = self.a_primary()
            began = time.monotonic()
            others = [node for node in servers.nodes if node is not alone]
            for node in others:
                node.pause()
            load.go_on(2.5)
            for node in others:
                node.go_on()
            return began

        self.play("all but one primary stopped", fault, times=faults.times(1, 5))


class Failovers(FaultTest):
    def fail_over(self, how):
        def fault(load):
            servers.fail_over(self.a_primary(), how)
            servers.wait_until_whole()

        return fault

    def test_planned(self):
        self.play("failover, planned", self.fail_over(None), times=faults.times(1, 30), after=0.5)

    def test_forced(self):
        self.play("failover, FORCE", self.fail_over("FORCE"), times=faults.times(1, 30), after=0.5, hot_at_most=2 * LIMIT)

    def test_taken_over(self):
        self.play("failover, TAKEOVER", self.fail_over("TAKEOVER"), times=faults.times(1, 30), after=0.5, hot_at_most=2 * LIMIT)


class Data(FaultTest):
    def test_slots_are_moved(self):
        boxes = self.new_boxes()
        slots = {cluster.slot_of(cluster.user_key(boxes[0].fleet, user))
                 for user in [f"own{number}" for number in range(12)] + ["hot0", "hot1"]}

        def fault(load):
            for slot in slots:
                owner = next(node for node, ranges in servers.owners().items()
                             if any(first <= slot <= last for first, last in ranges))
                target = next(each for each in servers.primaries() if each is not owner)
                servers.move_slot(slot, owner, target)

        load = self.play("slots moved", fault, boxes=boxes, times=faults.times(2, 50), before=0.2, after=0.1)
        if harness.SLOWNESS == 1:
            self.assertEqual(load.degraded(), 0)

    def test_scripts_are_flushed(self):
        load = self.play("SCRIPT FLUSH", lambda load: servers.on_all_primaries("SCRIPT", "FLUSH"), times=faults.times(3, 100),
                         before=0.2, after=0.1)
        self.assertEqual(load.degraded(), 0)

    def test_all_is_flushed(self):
        load = self.play("FLUSHALL", lambda load: servers.on_all_primaries("FLUSHALL"), times=faults.times(1, 20),
                         hot_at_most=2 * LIMIT, loses=True)
        self.assertEqual(load.degraded(), 0)

    def test_the_memory_is_full(self):
        """Starts are judged by the box; ends and signs of life are the engine's as before."""
        def fault(load):
            nodes = servers.primaries()
            for node in nodes:
                node.set("maxmemory", 1)
            load.go_on(1.0)
            for node in nodes:
                node.set("maxmemory", 0)

        load = self.play("memory full", fault, times=faults.times(1, 10))
        self.assertGreater(load.statuses["start", 201, True], 0)
        others = {what for what, _, degraded in load.statuses if degraded and what != "start"}
        self.assertEqual(others, set(), "all else takes no memory")


if __name__ == "__main__":
    unittest.main()
