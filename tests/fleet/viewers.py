"""Viewers who keep the boxes of a fleet busy while something befalls it, and what is checked of what they were answered.

Each viewer is a thread with a connection to a box. It has a user of its own, and several viewers at different boxes share
a *hot* user, who is at the limit most of the time. It starts sessions, gives signs of life and ends them, and writes down
what it asked when and what came when. From these logs alone, and from what each box lists at the end, it is judged
  - how many acknowledged sessions of one user there surely were at once;
  - whether an acknowledged start or end was lost, or somebody with timely heartbeats was cut off;
  - whether somebody was refused for the limit, not marked as degraded, who cannot have been above it;
  - whether anything was answered that has no place there, or too late.
A box whose connection breaks is left for the next one, as a player's next edge.
"""

import collections
import random
import threading
import time

import harness

LIMIT = 3
PACE = 0.01  # between two requests of a viewer
# What a busy machine adds to the longest wait. The boxes have a patience of their own, fleet-timeout.
SLACK = 0.5


USUAL = {"start": (200, 201, 409), "heartbeat": (200, 404, 410), "end": (200,), "late heartbeat": (200, 404, 410)}


class Session:
    __slots__ = ("user", "name", "began", "acknowledged", "degraded", "end_asked", "end_degraded", "over", "seen")

    def __init__(self, user, name, began):
        self.user = user
        self.name = name
        self.began = began  # when its start was asked for
        self.acknowledged = None  # when that was answered; None: it is not known whether it was started
        self.degraded = False  # the box admitted it by itself
        self.end_asked = None
        self.end_degraded = False  # its box took the end, and tells the engine later
        self.over = None  # when its end was acknowledged, or it was refused: it cannot be active from then on
        self.seen = None  # when its last sign of life was asked for that was taken

    def __repr__(self):
        return f"{self.user}/{self.name}"


class Viewer(threading.Thread):
    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load = load
        self.number = number
        self.rng = random.Random(f"{load.seed} {number}")
        self.box = load.boxes[number % len(load.boxes)]
        self.connection = None
        self.mine = {f"own{number}": [], f"hot{number // len(load.boxes) % load.hot}": []}  # user -> active sessions
        self.all = []  # every session that it ever asked for
        self.names = 0
        self.error = None

    # --- one request ---

    def ask(self, what, request):
        """The answer, or None where the connection broke: nobody knows what became of the request."""
        load = self.load
        for _ in range(50):
            if self.connection is None and not self.connect():
                continue
            asked = time.monotonic()
            try:
                answer = self.connection.ask(request)
            except TimeoutError:
                load.wrong(f"{what} at {self.box.name} had no answer in {time.monotonic() - asked:.1f} s")
                self.leave()
                return asked, None
            except (harness.ConnectionLost, OSError):
                load.count("connections that broke")
                self.leave()
                return asked, None
            load.note_answer(what, asked, time.monotonic(), answer, self.box)
            return asked, answer
        raise AssertionError("no box can be connected to")

    def connect(self):
        try:
            self.connection = self.box.connect(timeout=10)
            return True
        except OSError:
            self.leave()
            return False

    def leave(self):
        """For the next box."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        boxes = self.load.boxes
        self.box = boxes[(boxes.index(self.box) + 1) % len(boxes)]
        time.sleep(0.02)

    # --- what it does ---

    def run(self):
        try:
            while not self.load.stopping.wait(PACE):
                if self.load.resting.is_set():
                    continue
                self.step()
        except Exception as error:  # noqa: BLE001 - the test fails with it
            self.error = error
            self.load.wrong(f"viewer {self.number}: {type(error).__name__}: {error}")
        finally:
            if self.connection is not None:
                self.connection.close()

    def step(self):
        user = self.rng.choice(list(self.mine))
        sessions = self.mine[user]
        due = [each for each in sessions if time.monotonic() - each.seen > self.load.lease / 4]
        chance = self.rng.random()
        if due:
            self.heartbeat(due[0])
        elif len(sessions) < LIMIT and chance < 0.45 or not sessions:
            self.begin(user)
        elif chance < 0.55:
            self.begin(user)  # often one too many
        elif chance < 0.8:
            self.heartbeat(self.rng.choice(sessions))
        else:
            self.end(self.rng.choice(sessions))

    def begin(self, user):
        self.names += 1
        session = Session(user, f"{self.number}-{self.names}", time.monotonic())
        self.all.append(session)
        asked, answer = self.ask("start", harness.start_request(user, session.name))
        session.began = asked
        if answer is None:
            # As a player would: the same start again, at the next box.
            _, answer = self.ask("start", harness.start_request(user, session.name))
        if answer is None:
            return
        now = time.monotonic()
        if answer.status in (200, 201):
            session.acknowledged, session.seen = now, asked
            session.degraded = answer.json().get("degraded", False)
            self.mine[user].append(session)
        elif answer.status == 409:
            session.over = session.began
            self.load.note_denial(user, asked, now, answer)
        # A 503 leaves open what became of it.

    def heartbeat(self, session):
        asked, answer = self.ask("heartbeat", harness.heartbeat_request(session.user, session.name))
        if answer is None:
            return
        if answer.status == 200:
            session.seen = asked
        elif answer.status in (404, 410):
            self.load.lost_start(f"{session} is cut off: {answer.status} {answer.body[:150]!r} at {self.box.name}, last heard "
                                 f"{asked - session.seen:.2f} s before")
            self.mine[session.user].remove(session)
            session.over = time.monotonic()

    def end(self, session):
        self.mine[session.user].remove(session)
        asked, answer = self.ask("end", harness.end_request(session.user, session.name))
        session.end_asked = asked
        if answer is None:
            _, answer = self.ask("end", harness.end_request(session.user, session.name))
            repeated = True
        else:
            repeated = False
        if answer is None or answer.status != 200:
            return
        session.over = time.monotonic()
        session.end_degraded = answer.json().get("degraded", False)
        if not answer.json()["ended"] and not repeated:
            self.load.lost_start(f"{session} was not there when it was to end: {answer.body[:150]!r} at {self.box.name}")
        if self.rng.random() < 0.2:
            _, answer = self.ask("late heartbeat", harness.heartbeat_request(session.user, session.name))
            if answer is not None and answer.status == 200:
                self.load.lost_end(f"{session} lives on after its end: {answer.body[:150]!r} at {self.box.name}")


class Load:
    """`with Load(boxes) as load:` keeps them busy; `finish` stops that and judges."""

    def __init__(self, boxes, lease, timeout, policy="local", viewers=12, hot=2, seed=1):
        self.boxes = boxes
        self.lease = lease
        self.timeout = timeout
        self.policy = policy
        self.hot = hot
        self.seed = seed
        self.stopping = threading.Event()
        self.resting = threading.Event()
        self._lock = threading.Lock()
        self.statuses = collections.Counter()  # (what, status, degraded) -> how many
        self.others = collections.Counter()
        self.denials = []
        self.violations = []
        self.lost_starts = []
        self.lost_ends = []
        self.longest = 0.0
        self.longest_what = ""
        self.last_degraded = None  # when the last was asked that the engine did not answer
        self.first_degraded = None
        self.viewers = [Viewer(self, number) for number in range(viewers)]

    def __enter__(self):
        for each in self.viewers:
            each.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        self.stopping.set()
        for each in self.viewers:
            each.join()

    def go_on(self, seconds):
        """For so long; on a busy machine for longer."""
        time.sleep(seconds)

    # --- what viewers say ---

    def wrong(self, what):
        with self._lock:
            self.violations.append(what)

    def lost_start(self, what):
        with self._lock:
            self.lost_starts.append(what)

    def lost_end(self, what):
        with self._lock:
            self.lost_ends.append(what)

    def count(self, what):
        with self._lock:
            self.others[what] += 1

    def note_answer(self, what, asked, answered, answer, box):
        degraded = b'"degraded":true' in answer.body
        took = answered - asked
        with self._lock:
            self.statuses[what, answer.status, degraded] += 1
            if took > self.longest:
                self.longest = took
                self.longest_what = f"{what} at {box.name}: {answer.status}{' degraded' if degraded else ''}"
            if degraded or answer.status == 503:
                self.last_degraded = max(asked, self.last_degraded or asked)
                self.first_degraded = self.first_degraded or asked
            if answer.status not in USUAL[what] and not (answer.status == 503 and self.may_be_refused(what)):
                self.violations.append(f"{what} answered {answer.status} {answer.body[:200]!r} at {box.name}")

    def may_be_refused(self, what):
        return self.policy == "deny" and what in ("start", "heartbeat", "late heartbeat")

    def note_denial(self, user, asked, answered, answer):
        body = answer.json()
        with self._lock:
            self.denials.append((user, asked, answered, body.get("degraded", False), body["concurrentSessions"]))

    # --- judging ---

    def sessions(self):
        return [session for viewer in self.viewers for session in viewer.all]

    def most_at_once(self, prefix):
        """The most acknowledged sessions of a user whose name begins so that there surely were at one moment."""
        moments = collections.defaultdict(list)
        for each in self.sessions():
            if each.acknowledged is None or not each.user.startswith(prefix):
                continue
            until = each.end_asked or (each.seen if each.over else float("inf"))
            if until > each.acknowledged:
                moments[each.user] += [(each.acknowledged, 1), (until, -1)]
        most = 0
        for changes in moments.values():
            active = 0
            for _, change in sorted(changes):
                active += change
                most = max(most, active)
        return most

    def unfounded_denials(self):
        """Unmarked refusals of users who cannot have had as many sessions as the limit at any moment meanwhile."""
        by_user = collections.defaultdict(list)
        for each in self.sessions():
            # What a box by itself took counts with the others until it can tell, or for a lease.
            later = self.lease if each.end_degraded else 0
            by_user[each.user].append((each.began, each.over + later if each.over else float("inf")))
        found = []
        for user, asked, answered, degraded, said in self.denials:
            if degraded:
                continue
            possible = sum(1 for began, over in by_user[user] if began <= answered and over >= asked and over > began)
            if possible < LIMIT:
                found.append(f"{user} was refused with {said} of {LIMIT}, and had {possible} at most")
        return found

    def finish(self, heal_within=20):
        """After the fault: each viewer gives a last sign of life of all its sessions; then all boxes list the same, and what
        they should. Returns self."""
        self.resting.set()
        self.stop()
        for viewer in self.viewers:
            viewer.connection = None
            if not viewer.box.running():
                viewer.leave()
            for sessions in viewer.mine.values():
                for session in list(sessions):
                    viewer.heartbeat(session)
            if viewer.connection is not None:
                viewer.connection.close()
        users = collections.defaultdict(lambda: (set(), set()))
        for each in self.sessions():
            active, open_ones = users[each.user]
            if each.over is None and each.acknowledged is not None and each.end_asked is None:
                active.add(each.name)
            elif each.over is None:
                open_ones.add(each.name)
        deadline = time.monotonic() + harness.seconds(heal_within)
        for box in [each for each in self.boxes if each.running()]:
            with box.connect() as connection:
                for user, (active, open_ones) in sorted(users.items()):
                    listed = self.listed(connection, user, deadline)
                    if listed is None:
                        self.wrong(f"{box.name} does not list {user} after {heal_within} s")
                        continue
                    for name in active - listed:
                        self.lost_start(f"{user}/{name} is not listed by {box.name}")
                    for name in listed - active - open_ones:
                        self.lost_end(f"{user}/{name} is still listed by {box.name}")
        return self

    @staticmethod
    def listed(connection, user, deadline):
        while time.monotonic() < deadline:
            answer = connection.list(user)
            if answer.status == 200:
                return {each["session"] for each in answer.json()["sessions"]}
            time.sleep(0.05)
        return None

    def longest_allowed(self):
        return self.timeout + harness.seconds(SLACK)

    def degraded(self):
        return sum(count for (_, _, degraded), count in self.statuses.items() if degraded)

    def refused(self):
        return sum(count for (_, status, _), count in self.statuses.items() if status == 503)

    def answers(self):
        return sum(self.statuses.values())

    def away_for(self, since):
        """How long after that moment the last was asked that the engine did not answer; None where it answered all."""
        return None if self.last_degraded is None else max(0.0, self.last_degraded - since)
