#!/usr/bin/env python3
"""The evening of tests/system/replay_evening.py over three boxes of a fleet: every answer, whole, as the same model says.

    python3 tests/fleet/replay_fleet.py [--users 300] [--seed 1] [--connections 33] [--trace USER]

Each tick every user is at another box than before, which knows nothing of what happened since but from the engine: one primary
without cluster mode and its replica, or, with --servers cluster, three primaries with a replica each. Boxes and servers read
one frozen clock, so that leases and hold-offs run out at the millisecond that the model says. In mid-evening boxes are
restarted and killed, slots are moved, primaries change places with their replicas, and the boxes' wall clocks, which mean
nothing in a fleet, are set by a day; nobody may notice. Rules, blocks, purges, overlap and waiting are the other evening's.
Whoever waits does so at one box, first come first served, while all else of the user goes on at the others; of some it is
shown that they have what another box freed within a second.

What differs from a single daemon, and is not compared: how long it is told who was evicted or purged, which is a day here, and
of the report what rests on hours without sharing, which are no part of the fleet's, and the hours in which a box was killed; of
all others denials, evictions, conflicts and peaks are the model's.

Exit code 0: every answer was right.
"""

import argparse
import os
import signal
import sys
import threading
import time

import cluster  # which finds the modules of the system tests
import harness
import replay_evening
from harness import SECOND
from model import HOUR, Between, Model, OneOf, difference, rfc3339
from replay_evening import SETTINGS, Mismatch

BOXES = ("north", "south", "west")
# A box knows how far the engine's clock is from its own to a thousandth of the time since it last asked: in steps that are
# shorter it is right to the millisecond. A slot that another box frees is taken within one.
STEP = 1 * SECOND - 1


class FleetModel(Model):
    """A fleet's memory of who was evicted or purged is a day, and no restart of a box makes it forget anything. Whoever waits is
    told how long it had waited when its box asked; that decides by when the engine answers, and time may have moved between."""

    asked_since = 0  # before that nothing that is under way was asked

    def served(self, user, now):
        return [(waiter, (status, {**said, **self._waited(waiter, now)} if "waited" in said else said))
                for waiter, (status, said) in super().served(user, now)]

    def _waited(self, waiter, now):
        return {"waited": Between(max(0, self.asked_since - waiter.since) / 1000, (now - waiter.since) / 1000)}

    def _as_remembered(self, gone, now, explained, forgotten):
        answer = super()._as_remembered(gone, now, explained, forgotten)
        return OneOf((explained, forgotten)) if answer is forgotten else answer


class FleetClock:
    """The clock of all servers and boxes, and the boxes' own wall clock, which may be set. It moves while the boxes stand
    still, so that none sees half of it."""

    def __init__(self):
        self._servers = harness.TestClock(harness.private_folder())
        self._boxes = harness.TestClock(harness.private_folder())
        self.boxes = []
        self.boot, self.wall = self._servers.boot, self._servers.wall
        # Until all know each other time runs, an hour before the evening.
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000, time.time_ns() // 1_000_000
        for each in (self._servers, self._boxes):
            each.run_with_offsets(self.boot - 3600 * SECOND - now[0], self.wall - 3600 * SECOND - now[1])

    def freeze(self):
        for each in (self._servers, self._boxes):
            each.set(self.boot, self.wall)
            each._fields[each.MODE] = 1

    def advance(self, milliseconds):
        running = [box for box in self.boxes if box.running()]
        for box in running:
            os.kill(box.pid, signal.SIGSTOP)
        for box in running:
            os.waitid(os.P_PID, box.pid, os.WSTOPPED)
        self.boot += milliseconds
        self.wall += milliseconds
        self._servers.advance(milliseconds)
        self._boxes.advance(milliseconds)
        for box in running:
            os.kill(box.pid, signal.SIGCONT)

    def jump_wall(self, milliseconds):
        self._boxes.jump_wall(milliseconds)

    def servers_environment(self):
        return self._servers.environment()

    def boxes_clock(self):
        return self._boxes


class FleetEvening(replay_evening.Evening):
    MODEL = FleetModel
    MOST_WAITERS = 20
    WAITS = (5, 20, 60)  # in steps
    MOST_EMPTY_PAGES = 1000  # a walk brings one for each few slots without users

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.killed_at = []
        self.previous = 0  # the instant before the present one
        # Who have a plan each, and do nothing: whether a box knows the plans is seen by what holds for them.
        self.on_plans = {}
        for plan in [*replay_evening.PLANS, "nobody's"]:
            viewer = replay_evening.Viewer(len(self.viewers), self.rng, self.connection_count)
            viewer.name, viewer.planted_devices = f"on {plan}", 1  # nobody changes what those were given
            self.viewers.append(viewer)
            self.on_plans[plan] = viewer
        self.waits_at = {}  # user -> the number of the box at which some wait
        self.patient = replay_evening.Viewer(len(self.viewers), self.rng, self.connection_count)
        self.patient.name, self.patient.uses_first_service, self.patient.planted_devices = "patient", False, 1
        self.viewers.append(self.patient)
        for share in (0.05, 0.13, 0.42, 0.55, 0.61, 0.79, 0.93):
            self._at(int(share * replay_evening.EVENING), self.another_box_makes_room)

    def play_at(self, servers, boxes, clock):
        self.servers, self.boxes = servers, boxes
        # One in each server's slots: to ask about them tells each box each server's clock.
        self.known = servers.users_of_each(boxes[0].fleet)
        for share, action in ((0.15, self.slots_are_moved), (0.37, self.primaries_change_places), (0.72, self.slots_are_moved)):
            self._at(int(share * replay_evening.EVENING), action)
        self.play(boxes[0], clock)

    def _connect(self):
        return cluster.Crowd(self.boxes, self.connection_count // len(self.boxes))

    def _connection_of(self, viewer):
        return (viewer.connection + self.counts["ticks"]) % self.connection_count

    def _let_boxes_ask(self, connections):
        """Each box on so many: they learn what the time is. On all of them, or one would be idle for too long."""
        batches = [[]] * self.connection_count
        for number in range(connections * len(self.boxes)):
            batches[number] = [harness.request("GET", harness.limit_path(user)) for user in self.known] if connections == 1 else \
                [harness.request("GET", harness.limit_path(self.known[number // len(self.boxes) % len(self.known)]))]
        for answers in self.fleet.exchange(batches):
            for answer in answers:
                if answer.status != 200:
                    raise Mismatch(f"the engine is away: {answer}")

    def _pass(self, milliseconds):
        self._flush()
        self._move_to(self.now + milliseconds)
        self._serve_everybody()

    def _move_to(self, instant):
        """In steps while somebody waits, for then boxes ask the engine before anybody asks them."""
        while self._waiting and instant - self.now > STEP:
            self._advance(STEP)
            self._let_boxes_ask(1)
            self._serve_everybody()
        self._advance(instant - self.now)
        self._let_boxes_ask(self.connection_count // len(self.boxes))

    def _advance(self, milliseconds):
        self.clock.advance(milliseconds)
        self.now += milliseconds
        # A box takes the engine's clock to be a millisecond behind what it can prove, and says times by that.
        self.model.wall_minus_boot = self.clock.wall - self.now - 1
        self.model.asked_since, self.previous = self.previous, self.now

    def _most_waiters(self):
        """All evening long."""
        return self.MOST_WAITERS * self.now / replay_evening.EVENING

    # ---- waiting for room ----

    def _box_of(self, connection):
        return connection % len(self.boxes)

    def _at_each_box(self, request):
        batches = [[request] if number < len(self.boxes) else [] for number in range(self.connection_count)]
        return [answers[0] for answers in self.fleet.exchange(batches)[:len(self.boxes)]]

    def _daemon_to_wait_at(self, user):
        """All who wait of a user at one box: between boxes nobody is first."""
        if user not in self.model.queues or user not in self.waits_at:
            self.waits_at[user] = self._box_of(self._connection_of(self.viewer_of[user]))
        return self.boxes[self.waits_at[user]]

    def _until_so_many_wait(self):
        status = harness.request("GET", "/v1/status")
        harness.wait_until(
            lambda: sum(answer.json()["waiting"] for answer in self._at_each_box(status)) == len(self._waiting),
            f"{len(self._waiting)} wait", pause=0.001)

    def _make_it_look(self, user):
        batches = [[] for _ in range(self.connection_count)]
        batches[self.waits_at[user]] = [harness.end_request(user, "nobody")]
        self.fleet.exchange(batches)

    def _will_purge(self, users):
        """Page by page, and whoever gets in meanwhile may be on a page that is to come."""
        self._hang_up([waiter for waiter in self._waiting if waiter.user in users])

    def another_box_makes_room(self, _):
        """One waits at a box, another box makes room, and nobody says so."""
        self._flush()
        viewer, user = self.patient, self.patient.name
        for number in range(self.model.limit_of(user)):
            self._ask_at(number, harness.start_request(user, f"s{number}"), self.model.start(user, f"s{number}", {}, self.now))
        self._flush()
        player = replay_evening.Player(1, viewer, self.now, self.rng)
        player.body, player.start = {}, harness.request("PUT", player.path)
        self._wait_for(player, 60)
        if user in self.model.queues:
            [waiter] = self.model.queues[user]
            began = self.now
            self._ask_at(self.waits_at[user] + 1, harness.end_request(user, "s0"), self.model.end(user, "s0", self.now))
            _, connection = self._waiting.pop(waiter)
            self._move_to(self.now + STEP)
            answer = connection.receive()
            connection.close()
            # It may have asked in that very moment, too.
            entered = waiter.since + round(answer.json()["waited"] * 1000)
            if answer.status != 201 or not began <= entered <= self.now:
                raise Mismatch(f"not let in within a second: {answer}")
            self._as_of(entered, lambda: self._check_let_in(user, waiter, answer))
            self.counts["waited: let in, once another box had made room"] += 1
        for name in list(self.model.active(user, self.now)):
            self._ask_at(0, harness.end_request(user, name), self.model.end(user, name, self.now))
        self._flush()

    def _check_let_in(self, user, waiter, answer):
        for served, (status, said) in self.model.served(user, self.now):
            found = difference(answer.json(), said)
            if served is not waiter or status != answer.status or found:
                raise Mismatch(f"{self.now} ms into the evening: of one that waited: {answer}: {found}")

    def _as_of(self, instant, act):
        now, self.now = self.now, instant
        act()
        self.now = now

    def _ask_at(self, box, request, expected):
        self._pending[box % len(self.boxes)].append((request, expected))
        self._flush_all()

    # ---- what boxes hear of each other after two seconds ----

    def operator_makes_plans(self, subject):
        super().operator_makes_plans(subject)
        for plan, viewer in self.on_plans.items():
            if plan in replay_evening.PLANS:
                self._set_limit(viewer, {"plan": plan})
        self._flush()

    def operator_sets_a_plan(self, subject):
        self._hang_up_of_plan(subject[0])
        super().operator_sets_a_plan(subject)
        self._wait_for_plans()

    def operator_removes_a_plan(self, subject):
        self._hang_up_of_plan(subject[0])
        super().operator_removes_a_plan(subject)
        self._wait_for_plans()

    def _hang_up_of_plan(self, plan):
        """Of whom it is not clear for two seconds what holds for them at their box."""
        self._flush()
        self._hang_up([waiter for waiter in self._waiting if waiter.user in self.model.terms
                       and self.model.terms[waiter.user].plan == plan])

    def _wait_for_plans(self):
        """Until each box has them as the model has."""
        self._pass(2 * SECOND)
        asked = [(harness.request("GET", harness.limit_path(viewer.name)), self.model.get_limit(viewer.name, self.now)[1])
                 for viewer in self.on_plans.values()]
        batches = [[request for request, _ in asked] if number < len(self.boxes) else []
                   for number in range(self.connection_count)]

        def known():
            for answers in self.fleet.exchange(batches)[:len(self.boxes)]:
                for answer, (_, expected) in zip(answers, asked):
                    if difference(answer.json(), expected):
                        return False
            return True

        harness.wait_until(known, "each box knows the plans", within=10, pause=0.005)

    def _reload(self, settings):
        for box in self.boxes:
            box.reload(settings)
        return self.boxes[0].settings

    # ---- what nobody may notice ----

    def somebody_sets_the_wall_clock(self, milliseconds):
        self._flush()
        self.clock.jump_wall(milliseconds)
        self.counts["boxes' wall clocks set"] += 1
        self.operator_lists_everybody(None)

    def _box_comes_back(self, stop, what):
        self._flush()
        number = self.counts["boxes restarted"] % len(self.boxes)
        box = self.boxes[number]
        self._hang_up([waiter for waiter in self._waiting if self.waits_at[waiter.user] == number])
        self.counts["waiters who wait on beside a restart"] += len(self._waiting)
        self.fleet.close()
        stop(box)
        box.start()
        self.fleet = self._connect()
        self.counts["boxes restarted"] += 1
        self.counts[what] += 1
        self._pass(2 * SECOND)
        self._wait_for_plans()
        self.operator_lists_everybody(None)
        self.operator_lists_limits_and_plans(None)

    def daemon_is_restarted(self, _):
        self._box_comes_back(lambda box: box.stop(), "restarts")

    def daemon_is_killed(self, _):
        self.killed_at.append(self.clock.wall)
        self._box_comes_back(lambda box: box.kill(), "kills")

    def slots_are_moved(self, _):
        self._flush()
        self.counts["slots moved"] += self.servers.move_some_slots(self.rng)

    def primaries_change_places(self, _):
        self._flush()
        self._all_hang_up()
        self.servers.change_places()
        self.counts["failovers"] += 1
        # A box hears of it with its next change, from whoever is not the right one any more, and tries again after a while,
        # by its clock.
        idle = self.on_plans["nobody's"]
        changes = [[harness.request("PUT", harness.limit_path(idle.name), {"limit": limit}) for limit in (number + 1, number + 2)]
                   if number < len(self.boxes) else [] for number in range(self.connection_count)]
        reads = [harness.request("GET", harness.limit_path(user)) for user in self.known for _ in range(self.connection_count)]
        self._while_time_passes(lambda: [*sum(self.fleet.exchange(changes), []), *self.fleet.ask_each(reads)])
        self._move_to(self.now)
        self._set_limit(idle, {"limit": 9})
        # For a lease after that, boxes let whoever lapsed less than a heartbeat interval ago go on, for signs of life may not
        # have come through: nobody asks meanwhile. They begin to count with the first that passes.
        # In steps that no request's time-out is shorter than.
        for _ in range(40):
            self._pass(20 * SECOND)

    def _while_time_passes(self, ask):
        done, began = threading.Event(), self.clock.boot

        def run():
            while not done.wait(0.05):
                self.clock.advance(100)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            deadline = time.monotonic() + harness.seconds(20)
            while refused := [answer for answer in ask() if answer.status != 200]:
                if time.monotonic() > deadline:
                    raise Mismatch(f"the engine stays away: {refused[0]}")
        finally:
            done.set()
            thread.join()
        self.now += self.clock.boot - began

    def owner_asks_who_shares(self):
        """Who shares most is seen whole: each household of an account that was sold on, whichever box it asked."""
        # Boxes hand over what they recorded by and by, once a second, after some minutes.
        for _ in range(60):
            self._pass(20 * SECOND)
        ranked = self.fleet.ask_each([harness.request("GET", "/v1/report?since=7d&top=1000")])[0].json()["users"]
        by_name = {each["user"]: each for each in ranked}
        since = self.clock.wall - 7 * replay_evening.DAY
        users = sorted(self.model.usage)
        for user in {viewer.name for viewer in self.planted} | set(self.rng.sample(users, min(200, len(users)))):
            self._check_the_hours_of(user, since)
        for viewer in self.planted:
            if viewer.name not in by_name:
                raise Mismatch(f"{viewer.name} is not in the report")
            self.counts["sharers seen whole"] += by_name[viewer.name]["devices"] == viewer.planted_devices

    def _check_the_hours_of(self, user, since):
        """Where no box was killed, who forgets the sharing that it saw in the last minutes."""
        answer = self.fleet.ask_each([harness.request("GET", f"/v1/report?since=7d&user={harness.segment(user)}")])[0]
        said = {each["hour"]: each for each in answer.json()["hours"]}
        expected = {each["hour"]: each for each in self.model.report_of(user, since)["hours"]}
        if said.keys() - expected.keys():
            raise Mismatch(f"report of {user}: {said} and not {expected}")
        killed = {rfc3339(hour * HOUR) for at in self.killed_at for hour in (at // HOUR - 1, at // HOUR)}
        for hour in expected.keys() - killed:
            # Hours without sharing are no part of the fleet's.
            figures = [{what: each.get(hour, {}).get(what, 0) for what in ("denials", "evictions", "conflicts", "peak")}
                       for each in (said, expected)]
            if hour not in said and figures[1]["peak"] < 2:
                figures[1]["peak"] = 0
            if figures[0] != figures[1]:
                raise Mismatch(f"report of {user}, {hour}: {figures[0]} instead of {figures[1]}")
            self.counts["hours of users in the report"] += hour in said


# What an evening of 300 users has, too.
COVERAGE_GOALS = [
    "blocked", "blocked, and goes on", "purged some by what they have", "session gone: purged",
    "denied by kinds", "denied by channels", "denied by homes", "denied by screens", "denied by old", "evicting for a rule",
    "let in for a while", "let in for a while, and stays", "let in for a while, and denied", "not let in beside another",
    "waiting", "waited: limit_reached", "waited: let in, once another box had made room",
    "boxes' wall clocks set", "boxes restarted", "kills", "failovers",
]


# Time jumps: what waits for a while must not think that another is gone.
PATIENT = {"repl_timeout": 100_000_000, "repl_ping_replica_period": 1}


def let_it_catch_up(replica, primary):
    """Before it takes over, as an operator does who changes them: what a box was answered just now, and has not heard from
    a replica, would be lost."""
    harness.wait_until(lambda: replica.info("replication").get("slave_repl_offset") ==
                       primary.info("replication").get("master_repl_offset"), "the replica has all", within=20, pause=0.005)


class Cluster(cluster.Cluster):
    def __init__(self, clock):
        super().__init__(**PATIENT)
        for node in self.nodes:
            node.environment = clock.servers_environment()
            node.options["cluster-node-timeout"] = 100_000_000

    def seeds(self):
        return self.nodes[:2]

    def users_of_each(self, fleet):
        found = {}
        for user in (f"nobody {number}" for number in range(1000)):
            found.setdefault(self.owner_of(cluster.user_key(fleet, user)), user)
            if len(found) == self.PRIMARIES:
                return list(found.values())
        raise AssertionError("no users for some of the servers")

    def move_some_slots(self, rng):
        source, target = self.primaries()[:2]
        slots = rng.sample([slot for first, last in self.owners()[source] for slot in range(first, last + 1)], 20)
        for slot in slots:
            self.move_slot(slot, source, target)
        return len(slots)

    def change_places(self):
        primary = self.primaries()[0]
        let_it_catch_up(self.replicas_of(primary)[0], primary)
        self.fail_over(primary, "TAKEOVER")


class Pair(cluster.Pair):
    def __init__(self, clock):
        super().__init__(**PATIENT)
        for each in (self.primary, *self.replicas):
            each.environment = clock.servers_environment()

    def seeds(self):
        return [self.primary, *self.replicas]

    def users_of_each(self, _):
        return ["nobody"]

    def move_some_slots(self, _):
        return 0

    def change_places(self):
        old, [replica] = self.primary, self.replicas
        let_it_catch_up(replica, old)
        self.promote(replica)
        old.ask("REPLICAOF", "127.0.0.1", replica.port)
        old.wait_for_its_master()


def replay(users, seed, connections, servers, traced=None):
    evening = FleetEvening(users, seed, connections, traced)
    clock = FleetClock()
    with {"cluster": Cluster, "pair": Pair}[servers](clock) as servers:
        boxes = [cluster.Box(name, servers.seeds(), "--fleet-timeout", "30s", fleet="evening", clock=clock.boxes_clock(),
                             settings=SETTINGS) for name in BOXES]
        clock.boxes = boxes
        began = time.monotonic()
        try:
            for box in boxes:
                box.start()
            clock.freeze()
            evening.play_at(servers, boxes, clock)
            evening.took = time.monotonic() - began
            evening.metrics = [box.metrics() for box in boxes]
            for box in boxes:
                box.stop()
        finally:
            for box in boxes:
                box.kill()
    return evening


def main():
    parser = argparse.ArgumentParser(description="Replays an evening of viewing over three boxes and checks every answer.")
    parser.add_argument("--users", type=int, default=20_000 if os.environ.get("CONCUR_TEST_LONG") else 300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=33)
    parser.add_argument("--servers", choices=("cluster", "pair"),
                        default="cluster" if os.environ.get("CONCUR_TEST_LONG") else "pair",
                        help="three primaries and their replicas, or one without cluster mode and its replica, where plans are "
                             "counted sooner")
    parser.add_argument("--trace", metavar="USER")
    options = parser.parse_args()
    if not cluster.SERVER:
        print("replay_fleet: skipped: neither valkey-server nor redis-server is installed")
        return 0
    try:
        evening = replay(options.users, options.seed, options.connections, options.servers, options.trace)
        if options.users >= 300:
            replay_evening.assert_coverage_goals_are_met(evening.counts, COVERAGE_GOALS)
    except (AssertionError, harness.TestSetupError, harness.ConnectionLost, TimeoutError) as error:
        print(f"replay_fleet: FAILED: {error}", file=sys.stderr)
        return 1
    for key, count in sorted(evening.counts.items(), key=str):
        name = f"{key[0].decode().strip():<4} -> {key[1]}" if isinstance(key, tuple) else key
        print(f"{count:>9}  {name}")
    total = replay_evening.requests_of(evening.counts)

    def sum_of(prefix):
        return sum(value for metrics in evening.metrics for name, value in metrics.items() if name.startswith(prefix))

    conflicts, requests = sum_of("concurrencyd_fleet_conflicts_total"), sum_of("concurrencyd_fleet_requests_total")
    if requests:
        print(f"{conflicts:.0f} conflicts in {requests:.0f} requests to the engine, {100 * conflicts / requests:.2f} %")
    print(f"{total} answers of {options.users} users over {len(BOXES)} boxes, all as the model says, in {evening.took:.1f} s "
          f"(longest tick {evening.longest_tick * 1000:.0f} ms)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
