#!/usr/bin/env python3
"""Replays an evening of viewing against the real daemon and compares every answer, whole, with an independent model.

    python3 tests/system/replay_evening.py [--users 20000] [--seed 1] [--connections 32] [--trace USER]

From a fixed seed come households, people who zap, reconnect or whose players crash, sharers with more devices than
streams, some of whom take a slot over and fight for it, players that zap without ending what they watched, or that
share a device or an address and evict each other, and an operator who purges, lists, and gives users limits and
plans and changes them. Time is virtual: the daemon reads a frozen clock that moves from tick to tick, and all that
happens in a tick is pipelined over a few keep-alive connections, one user's requests always down the same one. Some
ticks fall exactly on the instant at which a lease or a hold-off runs out, a millisecond before, or one after. In
mid-evening the daemon is restarted three times and killed twice, somebody sets the wall clock a day forward and two days back, and by
reload the daemon evicts instead of denying for an hour, has a lower limit twice, and only observes for a while. Operators
block users and let them in again, purge by what sessions have, and tell viewers why; for a while no session may be older
than some age, and for some minutes starts that are one too many are let in until it is clear who leaves. Some who are refused
wait for room.

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
import urllib.parse

import harness
from harness import SECOND, segment
from model import Model, OneOf, OneOfTokens, Rule, difference

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LIMIT = 3
KINDS = ("live", "live", "vod", "cast", None)
# Beside the limit, each as the model has it and as the config file does. They are about some streams alone.
RULES = [
    (Rule("kinds", 2, per=("kind",), where=[("kind", True, ("live", "vod"))]),
     "max 2 sessions per kind where kind=live,vod"),
    (Rule("channels", 1, per=("content",), where=[("content", True, ("channel/*",))], on_limit="evict-oldest"),
     "max 1 sessions per content where content=channel/* on-limit evict-oldest"),
    (Rule("homes", 2, distinct="network", where=[("kind", False, ("vod",))], on_limit="evict-newest"),
     "max 2 distinct network where kind!=vod on-limit evict-newest"),
    (Rule("screens", 1, distinct="device", where=[("kind", True, ("cast",))]),
     "max 1 distinct device where kind=cast"),
    (Rule("old", None, where=[("app", True, ("3.*",))]),
     "forbid where app=3.*"),
]
SETTINGS = {"lease": "600s", "limit": LIMIT, **{f"rule {rule.name}": text for rule, text in RULES}}
LEASE = 600 * SECOND
LONGEST_LEASE = 1200 * SECOND
EVENING = 5 * HOUR
MEAN_TICK = 8 * SECOND

ODD_NAMES = ["zoë müller", "a/b?c=d&e", 'say "hi"', "back\\slash", "100%", "日本の視聴者", "📺-fan",
             "tom+jerry@home.example", "a" * 200]

PLANS = {"single": {"limit": 1}, "family": {"limit": 5}, "premium": {"limit": 4, "onLimit": "evict-oldest"},
         "staff": {"limit": 0}, "last in": {"limit": 2, "onLimit": "evict-newest"}, "Tarif „Zoë“ 50%/a?": {"limit": 2, "onLimit": "deny"}}




def block_path(user):
    return f"/v1/users/{segment(user)}/block"


# How many households the planted sharers' accounts were sold to.
PLANTED = (28, 24, 20, 16, 12)


class Mismatch(AssertionError):
    pass


class Viewer:
    """An account. `connection` is the one that all its requests go down, in order."""

    def __init__(self, number, rng, connections):
        odd = rng.random() < 0.02
        self.name = f"{rng.choice(ODD_NAMES)} {number}" if odd else f"user{number}"
        self.connection = number % connections
        self.uses_first_service = rng.random() < 0.05
        self.shares = rng.random() < 0.12
        self.planted_devices = 0
        self.home = f"10.{number >> 8 & 255}.{number & 255}.1"


class Player:
    """A device of a viewer, playing until `until`. Each stream it plays is a session with a new name.

    Most players know nothing of the limit. Some ask for a rule of their own with each start. Where it is refused a
    `taker` takes over one of the streams that the refusal names; a `fighter` always asks to evict others, and when it
    is evicted comes back at once. Some name their streams by a few channels, and some end none when they zap.
    """

    def __init__(self, number, viewer, until, rng):
        self.number = number  # within its viewer: different viewers' sessions and devices have the same names
        self.viewer = viewer
        self.until = until
        self.denials = 0
        self.streams = 0
        self.keeps_tokens = not viewer.uses_first_service and rng.random() < 0.7
        self.turn = 0  # tells apart the heartbeat that is due and those that something else has overtaken
        self.is_odd = rng.random() < 0.02
        temper = rng.random()
        self.takes = temper < 0.15
        self.fights = 0.15 <= temper < 0.30
        self.device = f"{'Fernseher ' if self.is_odd else 'tv-'}{number}" if self.fights or rng.random() < 0.6 else None
        self.address = viewer.home if rng.random() < 0.6 else f"10.255.{rng.randrange(256)}.{number}"
        self.channels = rng.randint(2, 3) if rng.random() < 0.15 else None
        self.ends_when_zapping = rng.random() < 0.7
        self.duels = False
        self.wishes = {}
        if self.fights or rng.random() < 0.05:
            self.wishes["onLimit"] = rng.choice(("evict-oldest", "evict-oldest", "evict-newest"))
        elif rng.random() < 0.03:
            self.wishes["onLimit"] = "deny"
        if rng.random() < 0.02:
            self.wishes["limit"] = rng.randint(0, 5)
        if rng.random() < 0.03:
            self.wishes["ttl"] = rng.randint(300, 1200)
        self.new_stream(rng)

    def duel(self, rng, device=None, **wishes):
        """Another plays under the same device, or from the same address."""
        self.duels = True
        self.device, self.wishes = device, wishes
        if device is None:
            self.address = self.viewer.home
        self.channels = rng.choice((1, 1, None))
        self.new_stream(rng)

    def new_stream(self, rng):
        self.streams += 1
        stream = f"channel {rng.randrange(self.channels)}" if self.channels else self.streams
        self.session = f"{'séance №' if self.is_odd else 's'}{self.number}-{stream}"
        self.body = dict(self.wishes)
        if self.device is not None:
            self.body["device"] = self.device
        stays = self.duels and self.device is None
        if stays or rng.random() < 0.6:
            moves = not stays and rng.random() < 0.2
            self.body["ip"] = f"10.{self.number}.{rng.randrange(256)}.{rng.randrange(256)}" if moves else self.address
            if rng.random() < 0.3:
                kind = rng.choice(KINDS)
                self.body["content"] = f"channel/{rng.randrange(4)}" if kind == "live" else f"film/{rng.randrange(500)}"
                self.body["meta"] = {"app": "3.9" if rng.random() < 0.02 else "4.2", "title": rng.choice(ODD_NAMES),
                                     **({"kind": kind} if kind else {})}
        self.token = None  # of the latest start
        self.earlier = None  # and of the one before
        user, session = segment(self.viewer.name), segment(self.session)
        self.path = path = f"/v1/users/{user}/sessions/{session}"
        self.start = harness.request("PUT", path, self.body or None)
        self.heartbeat = harness.request("POST", path + "/heartbeat")
        self.end = harness.request("DELETE", path)
        self.first_service_start = harness.request("GET", f"/startSession/userId/{user}/sessionId/{session}")
        self.first_service_end = harness.request("GET", f"/endSession/userId/{user}/sessionId/{session}")

    def known_token(self):
        """None where it keeps none, or has not heard it yet."""
        return self.token if self.keeps_tokens and self.token is not None and self.token.text is not None else None


def as_batches(batch):
    """The same requests, starts, heartbeats and ends of them as lines of batches, as few as their order allows: pairs
    of a request and what it is to be answered, which for a batch is the list of its requests with theirs."""
    joined = []
    for request, expected in batch:
        line = line_of(request)
        if line is None:
            joined.append((request, expected))
        elif joined and type(joined[-1][0]) is list:
            joined[-1][0].append(line)
            joined[-1][1].append((request, expected))
        else:
            joined.append(([line], [(request, expected)]))
    return [(harness.request("POST", "/v1/batch", b"".join(lines)) if type(lines) is list else lines, expected)
            for lines, expected in joined]


def line_of(request):
    """A start, heartbeat or end as the line of a batch; None for all other requests."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    target, _, query = target.partition("?")
    parts = target.split("/")
    if parts[1:3] != ["v1", "users"] or parts[4:5] != ["sessions"] or len(parts) < 6:
        return None
    said = {"command": {"PUT": "start", "POST": "heartbeat", "DELETE": "end"}[method],
            "user": urllib.parse.unquote(parts[3]), "session": urllib.parse.unquote(parts[5]),
            **(json.loads(body) if body else {}), **dict(urllib.parse.parse_qsl(query))}
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


class Evening:
    MODEL = Model
    MOST_EMPTY_PAGES = 50
    MOST_WAITERS = 60  # of the evening: each costs up to a second of real time, when its own is over
    WAITS = (20, 60, 300, 900)  # seconds

    def __init__(self, users, seed, connections, traced=None):
        self.traced = traced and f"/{segment(traced)}/".encode()
        self.rng = random.Random(seed)
        self.connection_count = connections
        self.model = self.MODEL(LIMIT, LEASE)
        self.model.rules = [rule for rule, _ in RULES]
        self.counts = collections.Counter()
        self.longest_tick = 0.0
        self.viewers = [Viewer(number, self.rng, connections) for number in range(users)]
        self.planted = [self._plant(users + number, devices) for number, devices in enumerate(PLANTED)]
        self.customers = list(self.viewers)  # who may be given a limit or a plan; the planted keep the default
        self.viewers += self.planted
        self._due = []  # (instant, number, action, subject): when the clock gets there, or in the first tick after
        self._exact = []  # the same, but a tick is made for the very instant
        self._numbers = itertools.count()
        self._pending = [[] for _ in range(connections)]  # what this tick sends: (request, expected)
        self.player_of = {}  # (user, session name) -> who started it last
        self._waiting = {}  # Waiter -> (player, its connection)
        self._invite_everybody()

    # ---- the cast ------------------------------------------------------------------------------------------------

    def _plant(self, number, devices):
        """An account that is sold on to that many households, all of whom want to watch all evening, at any price."""
        viewer = Viewer(number, self.rng, self.connection_count)
        viewer.name, viewer.uses_first_service, viewer.shares = f"planted {number}", False, True
        viewer.planted_devices = devices
        return viewer

    def _invite_everybody(self):
        rng = self.rng
        for viewer in self.viewers:
            devices = rng.randint(4, 7) if viewer.shares else rng.choices((1, 2, 3), (60, 30, 10))[0]
            if viewer.planted_devices:
                for household in range(viewer.planted_devices):
                    player = Player(household, viewer, EVENING, rng)
                    player.device = f"household {household}"
                    player.wishes = {}
                    player.new_stream(rng)
                    self._at(rng.randrange(10 * MINUTE), self.switch_on, player)
                continue
            opening = int(rng.triangular(0, EVENING * 0.9, EVENING * 0.4))
            players = []
            for number in range(devices):
                begins = opening + rng.randrange(20 * MINUTE)
                lasts = min(3 * HOUR, MINUTE + int(rng.expovariate(1 / (45 * MINUTE))))
                player = Player(number, viewer, begins + lasts, rng)
                if players and players[0].device is not None and rng.random() < 0.04:
                    # Two streams on one device: each start is the other's reconnect.
                    for each in (players[0], player):
                        each.duel(rng, device=players[0].device, **rng.choice(({}, {"limit": 1, "onLimit": "evict-oldest"})))
                elif players and rng.random() < 0.05:
                    for each in (players[0], player):  # each evicts the other from the one place
                        each.duel(rng, limit=1, onLimit=rng.choice(("evict-oldest", "evict-newest")))
                players.append(player)
                self._at(begins, self.switch_on, player)
        self._at(0, self.operator_makes_plans)
        self._at(0, self.operator_gives_users_what_they_pay_for)
        for minute in range(1, EVENING // MINUTE, 2):
            self._at(minute * MINUTE, self.operator_changes_some_users)
        for share, action, *subject in (
                (0.12, self.operator_sets_a_plan, "family", {"limit": 2}),
                (0.22, self.operator_sets_a_plan, "single", {"limit": 3, "onLimit": "evict-oldest"}),
                (0.42, self.operator_sets_a_plan, "premium", {"onLimit": None}),
                (0.47, self.operator_removes_a_plan, "premium", False),
                (0.48, self.operator_removes_a_plan, "premium", True),
                (0.49, self.operator_removes_a_plan, "premium", True),
                (0.50, self.operator_sets_a_plan, "premium", {"onLimit": "evict-oldest"}),
                (0.52, self.operator_sets_a_plan, "family", {"limit": 4}),
                (0.58, self.operator_sets_a_plan, "premium", {"limit": 1, "onLimit": "evict-oldest"}),
                (0.68, self.operator_sets_a_plan, "staff", {"limit": 2}),
                (0.86, self.operator_sets_a_plan, "staff", {"limit": 0}),
                (0.95, self.operator_sets_a_plan, "nobody's", {"limit": 7}),
                (0.96, self.operator_removes_a_plan, "nobody's", False),
                (0.20, self.operator_changes_settings, {"on-limit": "evict-oldest"}),
                (0.28, self.operator_changes_settings, {"limit": 1}),
                (0.28, self.operator_asks_who_is_above),
                (0.31, self.operator_changes_settings, {"limit": LIMIT}),
                (0.40, self.operator_changes_settings, {"on-limit": None}),
                (0.54, self.operator_changes_settings, {"limit": 1}),
                (0.54, self.operator_asks_who_is_above),
                (0.62, self.operator_changes_settings, {"limit": LIMIT}),
                (0.15, self.operator_changes_settings, {"longest": "75m"}),
                (0.36, self.operator_changes_settings, {"denial-message": "{user}: {attempted} > {limit} ({active}) {user}"}),
                (0.57, self.operator_changes_settings, {"longest": "40m"}),
                (0.60, self.operator_changes_settings, {"denial-message": None}),
                (0.66, self.operator_changes_settings, {"longest": None}),
                *self._overlaps(),
                (0.64, self.operator_changes_settings, {"mode": "observe"}),
                (0.74, self.operator_changes_settings, {"mode": "enforce"})):
            self._at(int(share * EVENING), action, subject)
        for share in (0.24, 0.46, 0.70, 0.88):
            self._at(int(share * EVENING), self.operator_lists_limits_and_plans)
        for minute in range(10, EVENING // MINUTE, 10):
            self._at(minute * MINUTE, self.operator_purges_a_user)
        for minute in range(25, EVENING // MINUTE, 40):
            self._at(minute * MINUTE, self.operator_purges_idle_sessions)
        for minute in range(4, EVENING // MINUTE, 3):
            self._at(minute * MINUTE, self.operator_blocks_and_unblocks)
        for minute in range(6, EVENING // MINUTE, 7):
            self._at(minute * MINUTE, self.operator_purges_by_what_sessions_have)
        for share in (0.35, 0.62, 0.9):
            self._at(int(share * EVENING), self.operator_lists_everybody)
        self._at(int(0.45 * EVENING), self.operator_only_asks_what_a_purge_would_do)
        self._at(int(0.8 * EVENING), self.operator_purges_everything)
        self._at(int(0.30 * EVENING), self.somebody_sets_the_wall_clock, DAY)
        self._at(int(0.33 * EVENING), self.daemon_is_restarted)
        self._at(int(0.49 * EVENING), self.daemon_is_restarted)
        self._at(int(0.50 * EVENING), self.somebody_sets_the_wall_clock, -2 * DAY)
        self._at(int(0.65 * EVENING), self.daemon_is_restarted)
        self._at(int(0.44 * EVENING), self.daemon_is_killed)
        self._at(int(0.77 * EVENING), self.daemon_is_killed)
        self._at(int(0.75 * EVENING), self.somebody_sets_the_wall_clock, DAY)

    def _overlaps(self):
        """For some minutes a start that is one too many is let in for a while: while all are denied, and while some may evict."""
        for share, overlap in ((0.10, "5s"), (0.14, "20s"), (0.16, None), (0.45, "12s"), (0.48, None),
                               (0.545, "5s"), (0.56, None)):
            yield share, self.operator_changes_settings, {"overlap": overlap}

    def _at(self, instant, action, subject=None, exact=False):
        heapq.heappush(self._exact if exact else self._due, (instant, next(self._numbers), action, subject))

    # ---- what players do -----------------------------------------------------------------------------------------

    def switch_on(self, player):
        viewer, now = player.viewer, self.now
        if viewer.uses_first_service:
            expected = self.model.first_service_start(viewer.name, player.session, now)
            self._ask(viewer, player.first_service_start, expected)
        elif (player.takes or player.fights) and self.rng.random() < 0.2:
            self.take_over((player, self._some_session_of(viewer)))  # without having been refused
            return
        else:
            token = player.known_token() if self.rng.random() < 0.5 else None
            expected = self.model.start(viewer.name, player.session, player.body, now, token)
            self._ask(viewer, player.start if token is None else
                      harness.request("PUT", player.path, {**player.body, "start": token.text}), expected)
            self.counts["renewed as itself"] += token is not None and expected[1].get("start") is token
        self._started_or_not(player, expected)

    def take_over(self, taking):
        """A start that is to take another stream's place."""
        player, other = taking
        body = {**player.body, **({"replaceAll": True} if self.rng.random() < 0.15 else {"replace": other})}
        if self.rng.random() < 0.2:
            body["onLimit"] = "evict-oldest"
        expected = self.model.start(player.viewer.name, player.session, body, self.now)
        self._ask(player.viewer, harness.request("PUT", player.path, body), expected)
        self._started_or_not(player, expected)

    def _some_session_of(self, viewer):
        return self.rng.choice(list(self.model.active(viewer.name, self.now)) or ["nobody"])

    def _started_or_not(self, player, expected):
        if expected[0] >= 300:
            self._denied(player, expected[1])
            return
        token = expected[1].get("start")
        if token is not player.token:
            player.earlier, player.token = player.token, token
        self.player_of[player.viewer.name, player.session] = player
        self._next_sign_of_life(player)
        self._watch_its_grace(player)
        # A household of the planted wants one stream, or there are more who want to watch than there are devices.
        if self.model.held_off(player.viewer.name, player.session, player.body, self.now) and self.rng.random() < 0.3 and \
                not player.viewer.planted_devices:
            soon = self.now + self.rng.randint(1 * SECOND, 60 * SECOND)
            self._at(soon, self.reconnect_at_once, (player, player.turn))

    def _watch_its_grace(self, player):
        """Whoever is let in for a while: who looks at the very moment when that is over, and some a millisecond before it;
        and some end another one by then, as whoever changes over does."""
        viewer, rng = player.viewer, self.rng
        session = self.model.users[viewer.name].get(player.session)
        if session is None or session.grace_ends is None or session.grace_ends < self.now:
            return
        if rng.random() < 0.2:
            self._at(session.grace_ends - 1, self.look_at_the_list, player, exact=True)
        self._at(session.grace_ends, rng.choice((self.look_at_the_list, self.heartbeat_out_of_the_blue)), player, exact=True)
        if rng.random() < 0.5 and session.grace_ends - self.now > SECOND:
            self._at(self.now + rng.randrange(session.grace_ends - self.now), self.somebody_ends_another, player, exact=True)

    def somebody_ends_another(self, player):
        user = player.viewer.name
        others = [each for each in self.model.active(user, self.now) if each != player.session]
        if others:
            name = self.rng.choice(others)
            self._ask(player.viewer, harness.end_request(user, name), self.model.end(user, name, self.now))

    def _denied(self, player, denial):
        rng = self.rng
        player.denials += 1
        patience = 12 if player.viewer.shares else 2
        if self.now > player.until or (player.denials > patience and not player.viewer.planted_devices):
            return
        if self.model.block_of(player.viewer.name, self.now) is not None:
            self._come_back_when_let_in(player, denial)
        elif type(denial) is dict and not denial["sessions"]:
            self._at(self.now + rng.randint(1 * MINUTE, 10 * MINUTE), self.switch_on, player)  # forbidden, or it is the only one
        elif type(denial) is dict and "retryAfter" in denial and rng.random() < 0.02 and self.counts["waiters"] < self._most_waiters():
            self._at(self.now + rng.randint(1 * SECOND, 30 * SECOND), self.wait_for_room, player)
        elif player.takes and type(denial) is dict and player.denials % 2:
            other = rng.choice(denial["sessions"])["session"] if rng.random() < 0.95 else "nobody"
            self._at(self.now + rng.choice((0, 0, 7 * SECOND)), self.take_over, (player, other))
        elif type(denial) is dict and "holdOff" in denial and rng.random() < 0.10:
            over = self.now + round(denial["holdOff"] * 1000) + rng.choice((-1, 0, 0, 1))
            if player.takes:
                other = rng.choice(denial["sessions"])["session"]
                self._at(max(self.now + 1, over), self.take_over, (player, other), exact=True)
            else:
                self._at(max(self.now + 1, over), self.switch_on, player, exact=True)
        elif rng.random() < 0.10:
            # The moment the daemon names: room there is at that instant, and none a millisecond earlier.
            if type(denial) is dict and "retryAfter" in denial:
                room = self.now + round(denial["retryAfter"] * 1000)
            else:
                room = min(each.expires for each in self.model.active(player.viewer.name, self.now).values())
            self._at(max(self.now + 1, room + rng.choice((-1, 0, 0, 1))), self.switch_on, player, exact=True)
        else:
            self._at(self.now + rng.randint(5 * SECOND, 4 * MINUTE), self.switch_on, player)

    # ---- waiting for room

    def wait_for_room(self, player):
        if player.session in self.model.active(player.viewer.name, self.now):
            return self.heartbeat(player)
        self.counts["waiters"] += 1
        self._wait_for(player, self.rng.choice(self.WAITS))

    def _wait_for(self, player, length):
        """On a connection of its own. Whatever else is asked of this user meanwhile is asked for itself, so that it is certain
        what those who wait find."""
        user = player.viewer.name
        self._serve(user)
        player.turn += 1
        waiter = self.model.wait(user, player.session, player.body, self.now, length * SECOND)
        connection = self._daemon_to_wait_at(user).connect()
        connection.send(harness.request("PUT", player.path, {**player.body, "wait": length}))
        if type(waiter) is tuple:
            self._compare_waited(player, connection, waiter)
            return
        self._waiting[waiter] = player, connection
        self._until_so_many_wait()
        self._at(waiter.until, lambda _: None, exact=True)

    def _most_waiters(self):
        return self.MOST_WAITERS

    def _daemon_to_wait_at(self, _):
        return self.daemon

    def _until_so_many_wait(self):
        status = harness.request("GET", "/v1/status")
        harness.wait_until(lambda: self.fleet.ask_each([status])[0].json()["waiting"] == len(self._waiting),
                           f"{len(self._waiting)} wait", pause=0.001)

    def _serve(self, user):
        """All of the user's that was asked is answered, and whoever waits and fits is let in, however soon the daemon looks."""
        self._flush_all()
        served = self.model.served(user, self.now)
        if user in self.model.queues or served:
            self._make_it_look(user)
        for waiter, expected in served:
            player, connection = self._waiting.pop(waiter)
            self._compare_waited(player, connection, expected)

    def _make_it_look(self, user):
        """At once: by an end of nobody."""
        self.fleet.ask_each([harness.end_request(user, "nobody")])

    def _compare_waited(self, player, connection, expected):
        answer = connection.receive()
        connection.close()
        found = difference(answer.json(), expected[1]) if answer.status == expected[0] else "another status"
        if found:
            self._complain(f"a start of {player.path} that waited", expected, answer, found)
        self._started_or_not(player, expected)

    def _serve_everybody(self):
        for user in list(self.model.queues):
            self._serve(user)

    def _all_hang_up(self):
        self._hang_up(list(self._waiting))

    def _hang_up(self, waiters):
        for waiter in waiters:
            player, connection = self._waiting.pop(waiter)
            self.model.leave(waiter)
            connection.close()
            self._at(self.now + self.rng.randint(1 * SECOND, 60 * SECOND), self.switch_on, player)
            self.counts["waiters who hung up"] += 1
        if waiters:
            self._until_so_many_wait()

    def _come_back_when_let_in(self, player, denial):
        """Some at the very moment, or a millisecond before it; others look again in a while."""
        if type(denial) is dict and "retryAfter" in denial and self.rng.random() < 0.5:
            over = self.now + round(denial["retryAfter"] * 1000) + self.rng.choice((-1, 0, 0, 1))
            self._at(max(self.now + 1, over), self.switch_on, player, exact=True)
        else:
            self._at(self.now + self.rng.randint(1 * MINUTE, 10 * MINUTE), self.switch_on, player)

    def _next_sign_of_life(self, player):
        player.turn += 1
        interval = self.model.users[player.viewer.name][player.session].lease // 3
        due = min(player.until, self.now + interval - self.rng.randrange(10 * SECOND))
        if player.duels and self.rng.random() < 0.9:  # impatient
            due = min(due, self.now + self.rng.randint(4 * SECOND, 20 * SECOND))
        self._at(due, self.sign_of_life, (player, player.turn))

    def sign_of_life(self, due):
        player, turn = due
        if player.turn != turn:
            return
        if self.now >= player.until:
            self.switch_off(player)
            return
        what = 1 if player.viewer.planted_devices else self.rng.random()
        if what < 0.03:
            self.zap(player, self.rng.randint(1, 4))
        elif what < 0.05:
            self.switch_on(player)  # the same session once more
        elif what < 0.06:
            self.look_at_the_list(player)
            self.heartbeat(player)
        elif what < 0.075:
            self.crash(player)
        elif what < 0.09:
            self.reconnect(player)
        elif what < 0.10:
            self.tell_of_changes(player)
        elif what < 0.13:
            self.say_too_late(player)
            self.heartbeat(player)
        else:
            self.heartbeat(player)

    def heartbeat(self, player):
        if player.viewer.uses_first_service:
            self.switch_on(player)  # the first service knows no heartbeat; its clients repeat the start
            return
        token, ttl = player.known_token(), self.rng.randint(300, 1200) if self.rng.random() < 0.02 else None
        expected = self.model.heartbeat(player.viewer.name, player.session, self.now, token, ttl)
        said = {name: value for name, value in (("start", token and token.text), ("ttl", ttl)) if value is not None}
        self._ask(player.viewer, harness.request("POST", player.path + "/heartbeat", said) if said else player.heartbeat,
                  expected)
        self.counts["heartbeats with a lease"] += ttl is not None and expected[0] == 200
        if expected[0] == 200:
            self._next_sign_of_life(player)
        elif (player.fights or player.takes) and type(expected) is tuple and expected[1].get("reason") == "evicted":
            if player.fights:
                self.switch_on(player)
            else:
                self.take_over((player, expected[1]["evictedBy"]["session"]))
        elif self.now < player.until:
            if self.rng.random() < 0.1:
                self._end(player)
            if self.rng.random() < 0.3:
                player.new_stream(self.rng)
            self._at(self.now + self.rng.randrange(3 * SECOND), self.switch_on, player)

    def say_too_late(self, player):
        """What the player of an earlier start of the same session still had to say."""
        token = player.earlier
        if token is None or token.text is None:
            return
        if self.rng.random() < 0.5:
            expected = self.model.heartbeat(player.viewer.name, player.session, self.now, token)
            self._ask(player.viewer, harness.request("POST", player.path + "/heartbeat", {"start": token.text}), expected)
            self.counts["late heartbeats"] += type(expected) is tuple and expected[1].get("reason") == "other_start"
        else:
            expected = self.model.end(player.viewer.name, player.session, self.now, token)
            self._ask(player.viewer, harness.request("DELETE", f"{player.path}?start={segment(token.text)}"), expected)
            self.counts["late ends"] += type(expected) is tuple and expected[1].get("reason") == "other_start"

    def heartbeat_out_of_the_blue(self, player):
        """A heartbeat that nothing follows from."""
        expected = self.model.heartbeat(player.viewer.name, player.session, self.now)
        self._ask(player.viewer, player.heartbeat, expected)

    def zap(self, player, times):
        """To the next channel: the old session ends, or is left alone, and a new one starts, at once or a moment later."""
        if player.ends_when_zapping:
            self._end(player)
        if self.rng.random() < 0.05:
            self.heartbeat_out_of_the_blue(player)  # one that was on its way already
        player.new_stream(self.rng)
        self.switch_on(player)
        if times > 1:
            soon = self.now + self.rng.randint(1 * SECOND, 15 * SECOND)
            self._at(soon, self.zap_on, (player, player.turn, times - 1))

    def zap_on(self, zapping):
        player, turn, times = zapping
        if player.turn == turn and self.now < player.until:
            self.zap(player, times)

    def reconnect(self, player):
        """The player lost its connection, and its session's name with it. It comes back at once; what it was, if it
        named its device, is gone then, and a sign of life that was on its way already is answered so."""
        if player.viewer.uses_first_service:
            self.switch_on(player)
            return
        before, request = player.session, player.heartbeat
        player.new_stream(self.rng)
        if self.rng.random() < 0.1:
            self.take_over((player, self._some_session_of(player.viewer)))
        else:
            self.switch_on(player)
        if self.rng.random() < 0.3:
            self._ask(player.viewer, request, self.model.heartbeat(player.viewer.name, before, self.now))

    def reconnect_at_once(self, reconnecting):
        player, turn = reconnecting
        if player.turn == turn and self.now < player.until:
            self.reconnect(player)

    def tell_of_changes(self, player):
        """The same session, but another film, or another lease; what else is said means nothing to it."""
        if player.viewer.uses_first_service:
            self.switch_on(player)
            return
        rng = self.rng
        said = {"content": rng.choice((f"film/{rng.randrange(500)}", f"channel/{rng.randrange(4)}")),
                "meta": {"title": rng.choice(ODD_NAMES), "kind": rng.choice(KINDS) or "none"},
                "ttl": rng.randint(300, 1200), "device": "another", "ip": "10.255.255.1", "onLimit": "evict-oldest",
                "replace": self._some_session_of(player.viewer)}
        body = {name: said[name] for name in rng.sample(sorted(said), rng.randint(1, 4))}
        expected = self.model.start(player.viewer.name, player.session, body, self.now)
        self._ask(player.viewer, harness.request("PUT", player.path, body), expected)
        self.counts["renewed with changes"] += expected[0] == 200
        self.look_at_the_list(player)
        self._started_or_not(player, expected)

    def switch_off(self, player):
        self._end(player)
        if self.rng.random() < 0.03:
            self._end(player)
        if self.rng.random() < 0.02:
            self.heartbeat_out_of_the_blue(player)

    def _end(self, player):
        viewer = player.viewer
        if viewer.uses_first_service:
            self._ask(viewer, player.first_service_end,
                      self.model.first_service_end(viewer.name, player.session, self.now))
        else:
            token = player.known_token()
            message = f"Gute Nacht, {player.number} & all" if self.rng.random() < 0.05 else None
            said = {"start": token and token.text, "message": message}
            query = "&".join(f"{name}={segment(value)}" for name, value in said.items() if value is not None)
            request = harness.request("DELETE", f"{player.path}?{query}") if query else player.end
            self._ask(viewer, request, self.model.end(viewer.name, player.session, self.now, token, message))

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

    def operator_purges_by_what_sessions_have(self, _):
        rng, now = self.rng, self.now
        have = [(user, each) for user, sessions in self.model.everything_active(now).items() for each in sessions.values()]
        if not have:
            return
        user, session = rng.choice(have)
        said = dict(rng.sample(sorted(session.details.items()), min(len(session.details), rng.randint(1, 2))))
        if "meta" in said:
            said["meta"] = dict(rng.sample(sorted(said["meta"].items()), 1))
        wanted = dict(said)
        ages = {now - each.started for _, each in have}
        if not said or rng.random() < 0.3:
            said["olderThan"] = rng.randint(60, 5400)
            while said["olderThan"] * SECOND in ages:
                said["olderThan"] += 1
            wanted["older_than"] = said["olderThan"] * SECOND
        if rng.random() < 0.2:
            said["user"] = wanted["user"] = user
        if said.keys() <= {"content", "meta", "olderThan"} and rng.random() < 0.7:
            said["user"] = wanted["user"] = user  # or too many would have to go
        self._ask_alone("POST", "/v1/purge", {**said, "dryRun": True}, self.model.purge(now, dry_run=True, **wanted))
        if rng.random() < 0.4:
            said["block"] = wanted["block"] = rng.randint(60, 900)
        if rng.random() < 0.5:
            said["message"] = wanted["message"] = rng.choice(("Please call us.", "„Zoë“: 50 %"))
        if wanted.get("user") in {viewer.name for viewer in self.planted}:
            return
        if any(user in {viewer.name for viewer in self.planted} for user in self._meant_by(wanted)):
            said.pop("block", None)
            wanted.pop("block", None)
        self._will_purge(self._meant_by(wanted))
        self._ask_alone("POST", "/v1/purge", said, self.model.purge(now, **wanted))

    def _will_purge(self, users):
        pass

    def _meant_by(self, wanted):
        details = {name: value for name, value in wanted.items() if name in Model.DETAILS}
        return {user for user, sessions in self.model.users.items() for each in sessions.values()
                if all(each.details.get(name) == value for name, value in details.items() if name != "meta")}

    def operator_blocks_and_unblocks(self, _):
        rng = self.rng
        for viewer in rng.sample(self.customers, max(2, len(self.customers) // 1000)):
            if rng.random() < 0.7 and self.model.users:
                watched = self.viewer_of[rng.choice(list(self.model.users))]
                viewer = viewer if watched.planted_devices else watched
            said = {}
            if rng.random() < 0.8:
                said["for"] = rng.randint(10, 1200)
            if rng.random() < 0.6:
                said["message"] = rng.choice(("Please call us.", "„Zoë“: 50 %"))
            self._ask(viewer, harness.request("PUT", block_path(viewer.name), said or None),
                      self.model.put_block(viewer.name, said, self.now))
        for user in rng.sample(sorted(self.model.blocks), min(len(self.model.blocks), 2)):
            viewer = self.viewer_of[user]
            self._ask(viewer, harness.request("GET", block_path(user)), self.model.get_block(user, self.now))
            if rng.random() < 0.5 or self.model.blocks[user].length is None:
                self._ask(viewer, harness.request("DELETE", block_path(user)), self.model.delete_block(user, self.now))

    def operator_lists_blocks(self, _):
        self._list_page_by_page("/v1/blocks", "blocks", ("user",), 5, self.model.list_blocks(self.now))

    def operator_only_asks_what_a_purge_would_do(self, _):
        self._ask_alone("POST", "/v1/purge", {"all": True, "dryRun": True}, self.model.purge(self.now, dry_run=True))

    def operator_purges_everything(self, _):
        self._will_purge(self.model.users)
        self._ask_alone("POST", "/v1/purge", {"all": True}, self.model.purge(self.now))

    def operator_lists_everybody(self, _):
        self._list_page_by_page("/v1/sessions", "sessions", ("user", "session"), 1000, self.model.list_all(self.now))

    def _list_page_by_page(self, path, what, names, size, expected):
        self._flush()
        expected = {tuple(each[name] for name in names): each for each in expected}
        listed, after, pages = {}, None, 0
        while True:
            target = f"{path}?limit={size}"
            if after is not None:
                target += f"&after={segment(after)}"
            page = self.fleet.ask_each([harness.request("GET", target)])[0].json()
            pages += 1
            for each in page[what]:
                key = tuple(each[name] for name in names)
                if key in listed:
                    raise Mismatch(f"listed twice: {each}")
                listed[key] = each
            # A page looks at a bounded number of places, and may have none where others were before.
            if len(page[what]) > size or pages > len(expected) + self.MOST_EMPTY_PAGES:
                raise Mismatch("pages without end, or too long")
            after = page.get("next")
            if after is None:
                break
        self.counts[f"pages of {path}"] += pages
        for absent in expected.keys() - listed.keys():
            raise Mismatch(f"not listed in {path}: {expected[absent]}")
        for key, each in listed.items():
            found = difference(each, expected[key]) if key in expected else "it should not be there"
            if found:
                raise Mismatch(f"{self.now} ms into the evening: in {path}: {each}: {found}")

    # ---- limits and plans

    def operator_makes_plans(self, _):
        for name, body in PLANS.items():
            self.operator_sets_a_plan((name, body))

    def _notice_overlaps(self):
        """Whether one that was let in for a while stays is judged by what holds when somebody looks: so somebody does."""
        for user, sessions in list(self.model.users.items()):
            if any(each.grace_ends is not None and each.grace_ends <= self.now for each in sessions.values()):
                self._ask(self.viewer_of[user], harness.list_request(user), self.model.list(user, self.now))
        self._flush()

    def operator_sets_a_plan(self, subject):
        name, body = subject
        self._notice_overlaps()
        self._ask_alone("PUT", harness.plan_path(name), body, self.model.put_plan(name, body, self.now))
        self._ask_alone("GET", harness.plan_path(name), None, self.model.get_plan(name, self.now))
        self.counts["plans set"] += 1

    def operator_removes_a_plan(self, subject):
        name, force = subject
        self._notice_overlaps()
        expected = self.model.delete_plan(name, force)
        self._ask_alone("DELETE", harness.plan_path(name) + ("?force=true" if force else ""), None, expected)
        self._ask_alone("GET", harness.plan_path(name), None, self.model.get_plan(name, self.now))
        if expected[0] == 400:
            self.counts["plans kept: users have them"] += 1
        elif expected[1]["removed"]:
            self.counts["plans removed from users" if expected[1]["users"] else "plans removed"] += 1

    def operator_gives_users_what_they_pay_for(self, _):
        for viewer in self.customers:
            dice = self.rng.random()
            if dice < 0.20:
                self._set_limit(viewer, {"plan": self.rng.choice(list(PLANS))})
            elif dice < 0.24:
                self._set_limit(viewer, {"limit": self.rng.randint(0, 5)})
            elif dice < 0.26:
                self._set_limit(viewer, {"onLimit": self.rng.choice(("deny", "evict-oldest", "evict-newest"))})
            elif dice < 0.27:
                self._set_limit(viewer, {"limit": self.rng.randint(0, 5), "plan": self.rng.choice(list(PLANS)),
                                         "onLimit": self.rng.choice(("deny", "evict-oldest", "evict-newest"))})

    def operator_changes_some_users(self, _):
        rng = self.rng
        for viewer in rng.sample(self.customers, max(3, len(self.customers) // 500)):
            if rng.random() < 0.5 and self.model.users:
                watched = self.viewer_of[rng.choice(list(self.model.users))]
                viewer = viewer if watched.planted_devices else watched
            dice = rng.random()
            if dice < 0.60:
                said = {"limit": rng.choice((None, 0, 1, 2, 3, 6)),
                        "onLimit": rng.choice((None, "deny", "evict-oldest", "evict-newest")),
                        "plan": rng.choice((None, *PLANS, "no such plan")),
                        "rules": {"kinds": rng.choice((None, 0, 1, 3)), "channels": rng.choice((None, 0, 2))}}
                self._set_limit(viewer, {name: said[name] for name in rng.sample(sorted(said), rng.randint(1, 3))})
            elif dice < 0.75:
                self._ask(viewer, harness.request("DELETE", harness.limit_path(viewer.name)),
                          self.model.delete_limit(viewer.name, self.now))
            else:
                self._ask(viewer, harness.request("GET", harness.limit_path(viewer.name)),
                          self.model.get_limit(viewer.name, self.now))

    def _set_limit(self, viewer, body):
        self._ask(viewer, harness.request("PUT", harness.limit_path(viewer.name), body),
                  self.model.put_limit(viewer.name, body, self.now))

    def operator_asks_who_is_above(self, _):
        """Each of those who watch more than they may: as a limit is lowered, the planted at least."""
        for name in list(self.model.users):
            expected = self.model.get_limit(name, self.now)
            if "excess" in expected[1]:
                self._ask(self.viewer_of[name], harness.request("GET", harness.limit_path(name)), expected)

    def operator_lists_limits_and_plans(self, _):
        self._list_page_by_page("/v1/limits", "limits", ("user",), 700, self.model.list_limits(self.now))
        self.operator_lists_blocks(None)
        self._ask_alone("GET", "/v1/plans", None, self.model.list_plans())
        for name in [*PLANS, "no such plan"]:
            self._ask_alone("GET", harness.plan_path(name), None, self.model.get_plan(name, self.now))

    def operator_changes_settings(self, subject):
        [settings] = subject
        self._notice_overlaps()
        if "longest" in settings:
            self._notice_expiries()
        self._flush()
        said = self._reload(settings)
        self.model.limit = said.get("limit") or LIMIT
        self.model.on_limit = said.get("on-limit") or "deny"
        self.model.mode = said.get("mode") or "enforce"
        longest = said.get("longest")
        self.model.set_longest(int(longest[:-1]) * MINUTE if longest else None, self.now)
        self.model.wording = said.get("denial-message")
        self.model.overlap = int((said.get("overlap") or "0s")[:-1]) * SECOND
        self._serve_everybody()
        self.counts["reloads"] += 1

    def _reload(self, settings):
        self.daemon.reload(settings)
        return self.daemon.settings

    def owner_asks_who_shares(self):
        """The report of all users and, hour by hour, those of some, each compared whole."""
        since = self.clock.wall - 7 * DAY

        def ask(query, expected):
            answer = self.fleet.ask_each([harness.request("GET", f"/v1/report?since=7d&{query}")])[0]
            if answer.status != 200:
                raise Mismatch(f"no report: {answer}")
            said = answer.json()
            found = difference(said, expected)
            if not found and said.get("histogram") != expected.get("histogram"):
                found = f"histogram {said['histogram']} instead of {expected['histogram']}"
            if found:
                raise Mismatch(f"report?{query}: {found}")
            return said

        users = ask("top=1000&whatIfLimit=2", self.model.report(since, top=1000, what_if=2))["users"]
        self._check_the_planted(users)
        others = self.rng.sample([viewer.name for viewer in self.viewers], min(200, len(self.viewers)))
        for name in {each["user"] for each in users[:200]} | set(others):
            ask(f"user={segment(name)}", self.model.report_of(name, since))
            self.counts["reports of one user, hour by hour"] += 1
        self.counts["users in the report"] += len(users)
        self.counts["conflicts in the report"] += sum(each["conflicts"] for each in users)

    def _check_the_planted(self, ranked):
        planted = [viewer.name for viewer in self.planted]
        if [each["user"] for each in ranked[:len(planted)]] != planted:
            raise Mismatch(f"the planted sharers are not the first, in order: {ranked[:len(planted)]}")
        for viewer, each in zip(self.planted, ranked):
            if (each["attemptedPeak"], each["devices"]) != (viewer.planted_devices, viewer.planted_devices):
                raise Mismatch(f"planted with {viewer.planted_devices} devices: {each}")
        # Behind them come the worst of the others who share: of few users there are too few for that to be no chance.
        top = len(planted) + len(self.customers) // 4000
        innocent = [each["user"] for each in ranked[:top] if not self.viewer_of[each["user"]].shares]
        if innocent:
            raise Mismatch(f"innocent and in the top: {innocent}")

    def somebody_sets_the_wall_clock(self, milliseconds):
        self._flush()
        self.clock.jump_wall(milliseconds)
        self.model.wall_minus_boot = self.clock.wall - self.now
        self.operator_lists_everybody(None)

    def _notice_expiries(self):
        self._flush()
        # A session that expired and that no command has come across since may or may not be given a little more time by
        # the restart. So a command goes first to each user who had one expire; a list would not do, it changes nothing.
        for user in self.model.users_with_expiries(self.now):
            self._ask(self.viewer_of[user], harness.end_request(user, "nobody"), self.model.end(user, "nobody", self.now))
        self._flush()

    def daemon_is_restarted(self, _):
        self._notice_expiries()
        self._all_hang_up()
        self.fleet.close()
        self.daemon.restart()
        self.fleet = self._connect()
        self.model.restarted(self.now)
        self.restarted_at = self.now
        self.counts["restarts"] += 1
        self.operator_lists_everybody(None)
        self.operator_lists_limits_and_plans(None)

    def daemon_is_killed(self, _):
        self._notice_expiries()
        # Other starts of active sessions need no commit, and those of just now have had none.
        keeping = [player for (user, name), player in self.player_of.items()
                   if player.keeps_tokens and player.session == name and name in self.model.active(user, self.now)]
        for player in self.rng.sample(keeping, min(30, len(keeping))):
            expected = self.model.start(player.viewer.name, player.session, {}, self.now)
            self._ask(player.viewer, harness.request("PUT", player.path), expected)
            self._started_or_not(player, expected)
        self._flush()
        self._all_hang_up()
        # With a report all that is recorded of the users is stored.
        self.fleet.ask_each([harness.request("GET", "/v1/report?since=7d&top=1")])
        self.fleet.close()
        self.daemon.kill()
        self.daemon.start()
        self.fleet = self._connect()
        seen = {}
        for user in self.model.everything_active(self.now):
            listed = self.fleet.ask_each([harness.list_request(user)])[0].json()
            for each in listed["sessions"]:
                seen[user, each["session"]] = harness.milliseconds(each["lastSeenAt"]) - self.model.wall_minus_boot
        self.model.crashed(self.now, seen)
        self.restarted_at = self.now
        self.counts["kills"] += 1
        self.operator_lists_everybody(None)
        self._learn_which_starts_are_known()

    def _learn_which_starts_are_known(self):
        asked = []
        for user, session in self.model.sessions_started_again(self.now):
            _, expected = self.model.heartbeat(user, session.name, self.now)
            start = OneOfTokens(self.model.starts_of(user, session))
            self._ask(self.viewer_of[user], harness.heartbeat_request(user, session.name), (200, {**expected, "start": start}))
            asked.append((session, start))
        self._flush()
        for session, start in asked:
            self.counts["starts that a crash made forget"] += start.found is not session.token
            session.token = start.found

    # ---- asking and comparing ------------------------------------------------------------------------------------

    def _connection_of(self, viewer):
        return viewer.connection

    def _ask(self, viewer, request, expected):
        self._pending[self._connection_of(viewer)].append((request, expected))
        if viewer.name in self.model.queues:
            self._serve(viewer.name)

    def _ask_alone(self, method, path, body, expected):
        """A request that concerns many users: after all that was asked before it, before all that comes."""
        self._flush_all()
        self._pending[0].append((harness.request(method, path, body), expected))
        self._flush()

    def _flush(self):
        """Whoever waits finds then what was asked."""
        self._flush_all()
        self._serve_everybody()

    def _flush_all(self):
        pending = self._pending
        if not any(pending):
            return
        # The viewers on the last connection go through a gateway, which collects what they say.
        pending[-1] = as_batches(pending[-1])
        began = time.monotonic()
        answers = self.fleet.exchange([[request for request, _ in batch] for batch in pending])
        self.longest_tick = max(self.longest_tick, time.monotonic() - began)
        pending[-1], answers[-1] = self._without_batches(pending[-1], answers[-1])
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
                    counts[f"session gone: {said['reason']}"] += 1
                    if "evictedBy" in said:
                        named = "a device" if "device" in said["evictedBy"] else "no device"
                        counts[f"evicted by whom ({named}), answer {status}"] += 1
                elif "onLimit" in said and "user" in said:
                    counts[f"limit from {said['from']}"] += 1
                    counts["limit exceeded"] += "excess" in said
                elif "holdOff" in said and self.now + said["holdOff"] * 1000 - Model.HOLD_OFF < self.restarted_at:
                    counts["denied: held off since before a restart"] += 1
        self._pending = [[] for _ in range(self.connection_count)]

    def _without_batches(self, pending, answers):
        """What as_batches joined, with its answers, one by one again."""
        asked, answered = [], []
        for (request, expected), answer in zip(pending, answers):
            if type(expected) is not list:
                asked.append((request, expected))
                answered.append(answer)
                continue
            lines = answer.body.splitlines(keepends=True)
            if (answer.status, len(lines)) != (200, len(expected)):
                self._complain(request, (200, f"{len(expected)} lines"), answer, f"{len(lines)} lines")
            for line in lines:
                said = json.loads(line)
                status = said.pop("status")
                answered.append(harness.Response(status, answer.head.replace(b"x-ndjson", b"json"),
                                                 json.dumps(said).encode() + line[-1:]))
            asked += expected
            self.counts["batches"] += 1
            self.counts["commands in batches"] += len(lines)
        return asked, answered

    def _complain(self, request, expected, answer, what):
        raise Mismatch(
            f"{self.now} ms into the evening: {what}\n  request:  {request!r}\n"
            f"  expected: {expected[0]} {json.dumps(expected[1], default=repr, ensure_ascii=False)}\n"
            f"  answered: {answer.status} {answer.body.decode('utf-8', 'replace')}")

    # ---- the course of the evening -------------------------------------------------------------------------------

    def _connect(self):
        return harness.Fleet(self.daemon.socket, self.connection_count)

    def _move_to(self, instant):
        self.clock.advance(self.opening + instant - self.clock.boot)
        self.now = instant
        self.model.wall_minus_boot = self.clock.wall - self.now

    def play(self, daemon, clock):
        self.daemon, self.clock = daemon, clock
        self.viewer_of = {viewer.name: viewer for viewer in self.viewers}
        self.fleet = self._connect()
        self.opening = clock.boot
        self.now = 0
        self.restarted_at = 0
        # The model counts from the opening of the evening, the daemon from the machine's boot: the shift that turns
        # an instant into wall-clock time takes up the difference.
        while self._due or self._exact:
            tick = self.now + self.rng.randint(1, 2 * MEAN_TICK)
            if self._exact and self._exact[0][0] <= tick:
                tick = max(self._exact[0][0], self.now)
            self._move_to(tick)
            self._serve_everybody()
            happening = []
            for heap in (self._due, self._exact):
                while heap and heap[0][0] <= tick:
                    happening.append(heapq.heappop(heap))
            for _, _, action, subject in sorted(happening, key=lambda event: event[:2]):
                action(subject)
            self._flush()
            self.counts["ticks"] += 1
        self._move_to(self.now + LONGEST_LEASE)
        self.operator_lists_everybody(None)
        if self.model.list_all(self.now):
            raise Mismatch("sessions outlived the evening")
        self.owner_asks_who_shares()
        self.fleet.close()
        self.counts.update(self.model.met)


def requests_of(counts):
    return sum(count for key, count in counts.items() if isinstance(key, tuple))


def replay(users, seed, connections, traced=None):
    """Plays one evening. Returns the evening, for its counts."""
    evening = Evening(users, seed, connections, traced)
    folder = harness.private_folder()
    clock = harness.TestClock(folder)
    with harness.Daemon(clock=clock, folder=folder, settings=SETTINGS) as daemon:
        evening.play(daemon, clock)
    return evening


COVERAGE_GOALS = [
    (b"PUT ", 200), (b"PUT ", 201), (b"PUT ", 400), (b"PUT ", 409), (b"POST", 200), (b"POST", 404), (b"POST", 410),
    (b"DELE", 200), (b"DELE", 400), (b"GET ", 200), (b"GET ", 400), (b"GET ", 404),
    "session gone: ended", "session gone: expired", "session gone: purged",
    "session gone: evicted", "evicted by whom (a device), answer 410", "evicted by whom (no device), answer 410",
    "evicted by whom (a device), answer 200", "evicted by whom (no device), answer 200",
    "first service, denied", "renewed with changes", "restarts", "reloads", "batches",
    "limit from user", "limit from plan", "limit from default", "limit exceeded",
    "plans set", "plans kept: users have them", "plans removed from users", "plans removed",
    "reconnect", "reconnect above the limit", "reconnect of one who is held off", "replace", "replace with a reconnect",
    "replace passed over: held off", "replace passed over: not active", "denied: replace makes no room",
    "evict-oldest", "evict-oldest of several", "evict-newest", "evict-newest of several", "evicting after a replace",
    "would evict", "would deny",
    "evicted, known by device", "evicted, known by address", "evicted, known by session", "evicting past the protected",
    "denied: held off by device", "denied: held off by address", "denied: held off by session",
    "denied: all others are protected", "denied: held off since before a restart",
    "zapping within the limit", "come-back of one address", "two players of one address",
    "plays on beside another of its address", "change of hands", "fight", "no reconnect: fought over",
    "conflicts in the report", "told why, from before a restart",
    "users in the report", "reports of one user, hour by hour",
    "kills", "late heartbeats", "late ends", "renewed as itself", "heartbeats with a lease", "session gone: other_start",
    "starts that a crash made forget", "token newer than remembered",
    "blocked", "blocked, and goes on", "blocked on the first service", "purged and blocked", "purged some by what they have",
    "told a message", "expired at an age", "replace all: several",
    "denied by kinds", "denied by channels", "denied by homes", "denied by screens", "denied by old", "evicting for a rule",
    "renewal denied",
    "let in for a while", "let in for a while, and stays", "let in for a while, and denied", "session gone: denied",
    "waiting", "waiting behind another", "waited: let in", "waited: limit_reached",
    "let in for a while in another's place", "not let in beside another", "not let in so soon",
]


def assert_coverage_goals_are_met(counts, goals=COVERAGE_GOALS):
    """A replay that no longer reaches what it is there to try must not pass."""
    for key in goals:
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
        if options.users >= 1000:
            assert_coverage_goals_are_met(evening.counts)
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
