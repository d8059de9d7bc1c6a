#!/usr/bin/env python3
"""Replays an evening of viewing against the real daemon and compares every answer, whole, with an independent model.

    python3 tests/system/replay_evening.py [--users 20000] [--seed 1] [--connections 32] [--trace USER]

From a fixed seed come households, people who zap, reconnect or whose players crash, sharers with more devices than
streams, and an operator who purges and lists. Time is virtual: the daemon reads a frozen clock that moves from tick to
tick, and all that happens in a tick is pipelined over a few keep-alive connections, one user's requests always down the
same one. Some ticks fall exactly on the instant at which a lease runs out, a millisecond before, or one after. In
mid-evening the daemon is restarted twice, and somebody sets the wall clock a day forward and two days back.

Exit code 0: every answer was right.
"""

import argparse
import collections
import heapq
import itertools
import json
import random
import sys
import time

import harness
from harness import SECOND, segment
from model import Model, OneOf, difference

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LIMIT = 3
LEASE = 600 * SECOND
INTERVAL = LEASE // 3
EVENING = 5 * HOUR
MEAN_TICK = 8 * SECOND

ODD_NAMES = ["zoë müller", "a/b?c=d&e", 'say "hi"', "back\\slash", "100%", "日本の視聴者", "📺-fan",
             "tom+jerry@home.example", "a" * 200]


class Mismatch(AssertionError):
    pass


class Viewer:
    """An account. `connection` is the one that all its requests go down, in order."""

    def __init__(self, number, rng, connections):
        odd = rng.random() < 0.02
        self.name = f"{rng.choice(ODD_NAMES)} {number}" if odd else f"user{number}"
        self.connection = number % connections
        self.uses_first_service = rng.random() < 0.05
        self.shares = rng.random() < 0.10


class Player:
    """A device of a viewer, playing until `until`. Each stream it plays is a session with a new name."""

    def __init__(self, number, viewer, until, rng):
        self.number = number
        self.viewer = viewer
        self.until = until
        self.denials = 0
        self.streams = 0
        self.turn = 0  # tells the sign of life that is due from those that something else has overtaken
        self.is_odd = rng.random() < 0.02
        self.new_stream(rng)

    def new_stream(self, rng):
        self.streams += 1
        self.session = f"{'séance №' if self.is_odd else 's'}{self.number}-{self.streams}"
        self.details = {}
        if not self.viewer.uses_first_service and rng.random() < 0.5:
            # The device is new with each stream, so that no start counts as the reconnect of an older one.
            self.details = {"device": f"tv-{self.number}-{self.streams}",
                            "ip": f"10.{self.number >> 16}.{self.number >> 8 & 255}.{self.number & 255}"}
            if rng.random() < 0.3:
                self.details["content"] = f"film/{rng.randrange(500)}"
                self.details["meta"] = {"app": "4.2", "title": rng.choice(ODD_NAMES)}
        user, session = segment(self.viewer.name), segment(self.session)
        path = f"/v1/users/{user}/sessions/{session}"
        self.start = harness.request("PUT", path, self.details or None)
        self.heartbeat = harness.request("POST", path + "/heartbeat")
        self.end = harness.request("DELETE", path)
        self.first_service_start = harness.request("GET", f"/startSession/userId/{user}/sessionId/{session}")
        self.first_service_end = harness.request("GET", f"/endSession/userId/{user}/sessionId/{session}")


class Evening:
    def __init__(self, users, seed, connections, traced=None):
        self.traced = traced and f"/{segment(traced)}/".encode()
        self.rng = random.Random(seed)
        self.connection_count = connections
        self.model = Model(LIMIT, LEASE)
        self.counts = collections.Counter()
        self.longest_tick = 0.0
        self.viewers = [Viewer(number, self.rng, connections) for number in range(users)]
        self._due = []  # (instant, number, action, subject): when the clock gets there, or in the first tick after
        self._exact = []  # the same, but a tick is made for the very instant
        self._numbers = itertools.count()
        self._pending = [[] for _ in range(connections)]  # what this tick sends: (request, expected)
        self._invite_everybody()

    # ---- the cast ------------------------------------------------------------------------------------------------

    def _invite_everybody(self):
        rng, numbers = self.rng, itertools.count()
        for viewer in self.viewers:
            devices = rng.randint(4, 7) if viewer.shares else rng.choices((1, 2, 3), (60, 30, 10))[0]
            opening = int(rng.triangular(0, EVENING * 0.9, EVENING * 0.4))
            for _ in range(devices):
                begins = opening + rng.randrange(20 * MINUTE)
                lasts = min(3 * HOUR, MINUTE + int(rng.expovariate(1 / (45 * MINUTE))))
                self._at(begins, self.switch_on, Player(next(numbers), viewer, begins + lasts, rng))
        for minute in range(10, EVENING // MINUTE, 10):
            self._at(minute * MINUTE, self.operator_purges_a_user)
        for minute in range(25, EVENING // MINUTE, 40):
            self._at(minute * MINUTE, self.operator_purges_idle_sessions)
        for share in (0.35, 0.62, 0.9):
            self._at(int(share * EVENING), self.operator_lists_everybody)
        self._at(int(0.45 * EVENING), self.operator_only_asks_what_a_purge_would_do)
        self._at(int(0.8 * EVENING), self.operator_purges_everything)
        self._at(int(0.30 * EVENING), self.somebody_sets_the_wall_clock, DAY)
        self._at(int(0.40 * EVENING), self.daemon_is_restarted)
        self._at(int(0.50 * EVENING), self.somebody_sets_the_wall_clock, -2 * DAY)
        self._at(int(0.65 * EVENING), self.daemon_is_restarted)
        self._at(int(0.75 * EVENING), self.somebody_sets_the_wall_clock, DAY)

    def _at(self, instant, action, subject=None, exact=False):
        heapq.heappush(self._exact if exact else self._due, (instant, next(self._numbers), action, subject))

    # ---- what players do -----------------------------------------------------------------------------------------

    def switch_on(self, player):
        viewer, now = player.viewer, self.now
        if viewer.uses_first_service:
            expected = self.model.first_service_start(viewer.name, player.session, now)
            self._ask(viewer, player.first_service_start, expected)
        else:
            expected = self.model.start(viewer.name, player.session, player.details, now)
            self._ask(viewer, player.start, expected)
        if expected[0] < 300:
            self._next_sign_of_life(player)
        else:
            self._denied(player)

    def _denied(self, player):
        rng = self.rng
        player.denials += 1
        if player.denials > (12 if player.viewer.shares else 2) or self.now > player.until:
            return
        if rng.random() < 0.10:
            # The moment the daemon names: room there is at that instant, and none a millisecond earlier.
            room = min(each.expires for each in self.model.active(player.viewer.name, self.now).values())
            self._at(max(self.now + 1, room + rng.choice((-1, 0, 0, 1))), self.switch_on, player, exact=True)
        else:
            self._at(self.now + rng.randint(5 * SECOND, 4 * MINUTE), self.switch_on, player)

    def _next_sign_of_life(self, player):
        player.turn += 1
        due = min(player.until, self.now + INTERVAL - self.rng.randrange(10 * SECOND))
        self._at(due, self.sign_of_life, (player, player.turn))

    def sign_of_life(self, due):
        player, turn = due
        if player.turn != turn:
            return
        if self.now >= player.until:
            self.switch_off(player)
            return
        what = self.rng.random()
        if what < 0.03:
            self.zap(player, self.rng.randint(1, 4))
        elif what < 0.05:
            self.switch_on(player)  # a reconnect: the same session once more
        elif what < 0.06:
            self.look_at_the_list(player)
            self.heartbeat(player)
        elif what < 0.075:
            self.crash(player)
        else:
            self.heartbeat(player)

    def heartbeat(self, player):
        if player.viewer.uses_first_service:
            self.switch_on(player)  # the first service knows no heartbeat; its clients repeat the start
            return
        expected = self.model.heartbeat(player.viewer.name, player.session, self.now)
        self._ask(player.viewer, player.heartbeat, expected)
        if expected[0] == 200:
            self._next_sign_of_life(player)
        elif self.now < player.until:
            if self.rng.random() < 0.3:
                player.new_stream(self.rng)
            self._at(self.now + self.rng.randrange(3 * SECOND), self.switch_on, player)

    def heartbeat_out_of_the_blue(self, player):
        """A heartbeat that nothing follows from."""
        expected = self.model.heartbeat(player.viewer.name, player.session, self.now)
        self._ask(player.viewer, player.heartbeat, expected)

    def zap(self, player, times):
        """To the next channel: the old session ends and a new one starts, at once or a moment later."""
        self._end(player)
        if self.rng.random() < 0.05:
            self.heartbeat_out_of_the_blue(player)  # one that was on its way already
        player.new_stream(self.rng)
        self.switch_on(player)
        if times > 1:
            self._at(self.now + self.rng.randint(1 * SECOND, 15 * SECOND), self.zap_on, (player, player.turn, times - 1))

    def zap_on(self, zapping):
        player, turn, times = zapping
        if player.turn == turn and self.now < player.until:
            self.zap(player, times)

    def switch_off(self, player):
        self._end(player)
        if self.rng.random() < 0.03:
            self._end(player)
        if self.rng.random() < 0.02:
            self.heartbeat_out_of_the_blue(player)

    def _end(self, player):
        viewer = player.viewer
        if viewer.uses_first_service:
            self._ask(viewer, player.first_service_end, self.model.first_service_end(viewer.name, player.session, self.now))
        else:
            self._ask(viewer, player.end, self.model.end(viewer.name, player.session, self.now))

    def look_at_the_list(self, player):
        viewer = player.viewer
        self._ask(viewer, harness.list_request(viewer.name), self.model.list(viewer.name, self.now))

    def crash(self, player):
        """No further word, for now. The lease will run out."""
        session = self.model.active(player.viewer.name, self.now).get(player.session)
        if session is None:
            return
        player.turn += 1
        rng, gone_at = self.rng, session.expires
        what = rng.random()
        if what < 0.25:
            return
        if what < 0.40:
            for instant, action in ((gone_at - 1, self.look_at_the_list), (gone_at, self.look_at_the_list),
                                    (gone_at + 1, self.heartbeat_out_of_the_blue)):
                self._at(instant, action, player, exact=True)
        elif what < 0.55:
            self._at(gone_at - 1, self.heartbeat, player, exact=True)
        elif what < 0.65:
            self._at(gone_at, self.heartbeat, player, exact=True)
        elif what < 0.70:
            self._at(gone_at, self.switch_on, player, exact=True)
        elif what < 0.75:
            self._at(gone_at - 1, self.switch_on, player, exact=True)
        elif what < 0.90:
            self._at(gone_at + rng.randrange(90 * MINUTE), self.heartbeat, player)
        else:
            self._at(gone_at + rng.randrange(90 * MINUTE), self._end, player)

    # ---- what operators, and the world, do -----------------------------------------------------------------------

    def operator_purges_a_user(self, _):
        viewer = self.rng.choice(self.viewers)
        self._ask(viewer, harness.request("POST", "/v1/purge", {"user": viewer.name}),
                  self.model.purge(self.now, user=viewer.name))

    def operator_purges_idle_sessions(self, _):
        idle = self.rng.randint(240, 420)
        silences = {self.now - each.seen for sessions in self.model.users.values() for each in sessions.values()}
        while idle * SECOND in silences:
            idle += 1  # whether exactly that long is long enough is not ours to say
        said = idle if self.rng.random() < 0.5 else f"{idle}s"
        self._ask_alone("POST", "/v1/purge", {"idle": said, "dryRun": True},
                        self.model.purge(self.now, idle=idle * SECOND, dry_run=True))
        self._ask_alone("POST", "/v1/purge", {"idle": said}, self.model.purge(self.now, idle=idle * SECOND))

    def operator_only_asks_what_a_purge_would_do(self, _):
        self._ask_alone("POST", "/v1/purge", {"all": True, "dryRun": True}, self.model.purge(self.now, dry_run=True))

    def operator_purges_everything(self, _):
        self._ask_alone("POST", "/v1/purge", {"all": True}, self.model.purge(self.now))

    def operator_lists_everybody(self, _):
        self._flush()
        expected = {(each["user"], each["session"]): each for each in self.model.list_all(self.now)}
        listed, after, pages = {}, None, 0
        while True:
            target = "/v1/sessions?limit=1000"
            if after is not None:
                target += f"&after={segment(after)}"
            page = self.fleet.ask_each([harness.request("GET", target)])[0].json()
            pages += 1
            for each in page["sessions"]:
                if (each["user"], each["session"]) in listed:
                    raise Mismatch(f"listed twice: {each}")
                listed[each["user"], each["session"]] = each
            if len(page["sessions"]) > 1000 or pages > len(expected) + 2:
                raise Mismatch("pages without end, or too long")
            after = page.get("next")
            if after is None:
                break
        self.counts["pages of all users"] += pages
        for absent in expected.keys() - listed.keys():
            raise Mismatch(f"not listed: {expected[absent]}")
        for key, each in listed.items():
            found = difference(each, expected[key]) if key in expected else "it should not be there"
            if found:
                raise Mismatch(f"in the list of all users: {each}: {found}")

    def somebody_sets_the_wall_clock(self, milliseconds):
        self._flush()
        self.clock.jump_wall(milliseconds)
        self.model.wall_minus_boot = self.clock.wall - self.now
        self.operator_lists_everybody(None)

    def daemon_is_restarted(self, _):
        self._flush()
        # A session that expired and that no command has come across since may or may not be given a little more time by
        # the restart. So a command goes first to each user who had one expire; a list would not do, it changes nothing.
        for user in self.model.users_with_expiries(self.now):
            self._ask(self.viewer_of[user], harness.heartbeat_request(user, "nobody"),
                      self.model.heartbeat(user, "nobody", self.now))
        self._flush()
        self.fleet.close()
        self.daemon.restart()
        self.fleet = harness.Fleet(self.daemon.socket, self.connection_count)
        self.model.restarted(self.now)
        self.counts["restarts"] += 1
        self.operator_lists_everybody(None)

    # ---- asking and comparing ------------------------------------------------------------------------------------

    def _ask(self, viewer, request, expected):
        self._pending[viewer.connection].append((request, expected))

    def _ask_alone(self, method, path, body, expected):
        """A request that concerns many users: after all that was asked before it, before all that comes."""
        self._flush()
        self._pending[0].append((harness.request(method, path, body), expected))
        self._flush()

    def _flush(self):
        pending = self._pending
        if not any(pending):
            return
        began = time.monotonic()
        answers = self.fleet.exchange([[request for request, _ in batch] for batch in pending])
        self.longest_tick = max(self.longest_tick, time.monotonic() - began)
        counts, loads = self.counts, json.loads
        for batch, batch_answers in zip(pending, answers):
            for (request, expected), answer in zip(batch, batch_answers):
                counts[request[:4], answer.status] += 1
                if self.traced and self.traced in request:
                    print(f"{self.now:>9} ms  {request.splitlines()[0].decode()}  -> {answer}")
                if type(expected) is OneOf:
                    expected = expected.nearest(answer.status, loads(answer.body))
                status, body = expected
                raw = answer.body
                if status != answer.status:
                    self._complain(request, expected, answer, f"status {answer.status} instead of {status}")
                if type(body) is str:
                    if raw != body.encode():
                        self._complain(request, expected, answer, "another text")
                    counts["first service, denied"] += 1
                    continue
                if b" /v1/" in request[:12]:
                    if raw[-1:] != b"\n" or b"application/json" not in answer.head:
                        self._complain(request, expected, answer, "not a line of application/json")
                elif raw != json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode():
                    self._complain(request, expected, answer, "other bytes")
                said = loads(raw)
                if said != body:
                    found = difference(said, body)
                    if found:
                        self._complain(request, expected, answer, found)
                if "reason" in said:
                    counts[f"told of a session gone: {said['reason']}"] += 1
        self._pending = [[] for _ in range(self.connection_count)]

    def _complain(self, request, expected, answer, what):
        raise Mismatch(
            f"{self.now} ms into the evening: {what}\n  request:  {request!r}\n"
            f"  expected: {expected[0]} {json.dumps(expected[1], default=repr, ensure_ascii=False)}\n"
            f"  answered: {answer.status} {answer.body.decode('utf-8', 'replace')}")

    # ---- the course of the evening -------------------------------------------------------------------------------

    def play(self, daemon, clock):
        self.daemon, self.clock = daemon, clock
        self.viewer_of = {viewer.name: viewer for viewer in self.viewers}
        self.fleet = harness.Fleet(daemon.socket, self.connection_count)
        boot_at_opening = clock.boot
        self.now = 0
        # The model counts from the opening of the evening, the daemon from the machine's boot: the shift that turns
        # an instant into wall-clock time takes up the difference.
        while self._due or self._exact:
            tick = self.now + self.rng.randint(1, 2 * MEAN_TICK)
            if self._exact and self._exact[0][0] <= tick:
                tick = max(self._exact[0][0], self.now)
            clock.advance(boot_at_opening + tick - clock.boot)
            self.now = tick
            self.model.wall_minus_boot = clock.wall - tick
            happening = []
            for heap in (self._due, self._exact):
                while heap and heap[0][0] <= tick:
                    happening.append(heapq.heappop(heap))
            for _, _, action, subject in sorted(happening, key=lambda event: event[:2]):
                action(subject)
            self._flush()
            self.counts["ticks"] += 1
        clock.advance(LEASE)
        self.now += LEASE
        self.model.wall_minus_boot = clock.wall - self.now
        self.operator_lists_everybody(None)
        if self.model.list_all(self.now):
            raise Mismatch("sessions outlived the evening")
        self.fleet.close()


def requests_of(counts):
    return sum(count for key, count in counts.items() if isinstance(key, tuple))


def replay(users, seed, connections, traced=None):
    """Plays one evening. Returns the evening, for its counts."""
    evening = Evening(users, seed, connections, traced)
    folder = harness.private_folder()
    clock = harness.TestClock(folder)
    options = ("--lease", "600s", "--limit", str(LIMIT), "--log-level", "warning")
    with harness.Daemon(*options, clock=clock, folder=folder) as daemon:
        evening.play(daemon, clock)
    return evening


def assert_nothing_was_left_out(counts):
    """A replay that no longer meets what it is there to meet must not pass."""
    for key in [(b"PUT ", 200), (b"PUT ", 201), (b"PUT ", 409), (b"POST", 200), (b"POST", 404), (b"POST", 410), (b"DELE", 200),
                (b"GET ", 200), (b"GET ", 400), "told of a session gone: ended", "told of a session gone: expired",
                "told of a session gone: purged", "first service, denied", "restarts"]:
        if not counts[key]:
            raise Mismatch(f"the evening had no {key}: it is too small or has lost something")


def main():
    parser = argparse.ArgumentParser(description="Replays an evening of viewing and checks every answer.")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--trace", metavar="USER",
                        help="print what this user asks and is answered; the same seed plays the same evening")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        evening = replay(options.users, options.seed, options.connections, options.trace)
        if options.users >= 500:
            assert_nothing_was_left_out(evening.counts)
    except (AssertionError, harness.TestSetupError, harness.ConnectionLost, TimeoutError) as error:
        print(f"replay_evening: FAILED: {error}", file=sys.stderr)
        return 1
    took = time.monotonic() - began
    total = requests_of(evening.counts)
    for key, count in sorted(evening.counts.items(), key=str):
        name = f"{key[0].decode().strip():<4} -> {key[1]}" if isinstance(key, tuple) else key
        print(f"{count:>9}  {name}")
    print(f"{total} answers of {options.users} users, all as the model says, in {took:.1f} s "
          f"(longest tick {evening.longest_tick * 1000:.0f} ms)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
