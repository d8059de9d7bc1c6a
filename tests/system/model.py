"""An independent model of the daemon, written from its documented behaviour alone and sharing no code with it.

Instants are whole milliseconds of the steady (boot) clock. Each call returns (status, body): the body as the JSON the
daemon must answer, or as text for the first service's API. What the documentation leaves free stands in a body as TEXT
(any non-empty text), a field that must not be there as ABSENT, and an answer that may legitimately take two forms comes
as OneOf.
"""

import collections
import re

from harness import rfc3339

HOUR = 3_600_000


class _Text:
    """Equal to any non-empty text."""

    def __eq__(self, other):
        return isinstance(other, str) and other != ""

    def __repr__(self):
        return "<text>"


class Like:
    """Equal to any text that a regular expression matches whole."""

    def __init__(self, pattern):
        self.pattern = re.compile(pattern, re.DOTALL)

    def __eq__(self, other):
        return isinstance(other, str) and self.pattern.fullmatch(other) is not None

    def __repr__(self):
        return f"<text like {self.pattern.pattern}>"


class _Absent:
    def __repr__(self):
        return "<absent>"


TEXT = _Text()
ABSENT = _Absent()


class Estimate:
    """Equal to a number that is near: four times the standard error of an eighth that is documented."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return isinstance(other, int) and self.number / 2 <= other <= self.number * 2

    def __repr__(self):
        return f"<about {self.number}>"


class Between:
    """Equal to a number that is neither below the one nor above the other."""

    def __init__(self, least, most):
        self.least = least
        self.most = most

    def __eq__(self, other):
        return isinstance(other, (int, float)) and self.least <= other <= self.most

    def __repr__(self):
        return f"<{self.least} to {self.most}>"


def distinct(number):
    """How many different things the daemon counts where there are so many: exact up to 63."""
    return number if number < 64 else Estimate(number)


class OneOf(tuple):
    """Several (status, body), any of which is right."""

    def nearest(self, status, body):
        """The one that an answer agrees with, or the first."""
        agreeing = [each for each in self if each[0] == status and difference(body, each[1]) is None]
        return (agreeing or self)[0]


class Token:
    """One start of a session, in the order of the starts of its name. Equal to the text that the daemon gives for it: to
    any at first, and to that alone from then on; no other start of that name has the same."""

    __slots__ = ("family", "count", "text")

    def __init__(self, family):
        self.family = family  # the tokens of all starts of that name, in order
        self.count = len(family)
        self.text = None
        family.append(self)

    def __eq__(self, other):
        if isinstance(other, Token):
            return self is other
        if self.text is None and isinstance(other, str) and other and all(each.text != other for each in self.family):
            self.text = other
        return self.text is not None and self.text == other

    def __repr__(self):
        return f"<token {self.count}: {self.text}>"


class OneOfTokens:
    """Equal to the text of one of these, which `found` is from then on; some were never told, as those of the first service's API."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.found = None

    def __eq__(self, other):
        self.found = next((each for each in self.tokens if each == other), None)
        return self.found is not None

    def __repr__(self):
        return f"<one of {self.tokens}>"


class Session:
    __slots__ = ("model", "name", "details", "lease", "started", "seen", "leased", "token", "first", "grace_ends", "asked_limit")

    def __init__(self, model, name, details, lease, now, token):
        self.model = model
        self.name = name
        self.token = token  # of its latest start
        self.first = token
        self.details = details  # device, ip, content, meta, as far as the client gave them
        self.lease = lease
        self.started = now
        self.seen = now
        self.leased = now + lease  # until when, by its lease
        self.grace_ends = None  # of one that is let in above the limit: until when
        self.asked_limit = None  # that came with its start

    @property
    def expires(self):
        longest = self.model.longest
        return self.leased if longest is None else min(self.leased, self.started + longest)


class Block:
    """A user whom an operator keeps out."""

    __slots__ = ("since", "length", "message")

    def __init__(self, since, length, message):
        self.since = since
        self.length = length  # None: until it is lifted
        self.message = message

    def is_over(self, now):
        return self.length is not None and self.since + self.length <= now


class Terms:
    """What a user was given: each of them or none. A plan has no plan."""

    __slots__ = ("limit", "plan", "on_limit", "numbers")

    def __init__(self, limit=None, plan=None, on_limit=None):
        self.limit = limit
        self.plan = plan
        self.on_limit = on_limit
        self.numbers = {}  # for rules, by name

    def given(self):
        return self.limit is not None or self.plan is not None or self.on_limit is not None or bool(self.numbers)

    def give_numbers(self, numbers):
        self.numbers = {name: number for name, number in {**self.numbers, **numbers}.items() if number is not None}


NO_TERMS = Terms()


class Rule:
    """A rule beside the limit, as the manual's WHAT HAPPENS AT A START has it: what it is about, what it counts, and how many
    there may be. `where` are (attribute, whether it is to be one of these, values), of which one that ends in * is a beginning.
    The plain limit is one too."""

    def __init__(self, name, most, distinct=None, per=(), where=(), on_limit=None):
        self.name = name
        self.most = most  # None: it forbids
        self.distinct = distinct
        self.per = per
        self.where = where
        self.on_limit = on_limit

    @staticmethod
    def value(details, attribute):
        """All addresses of the evening are IPv4: each is a network of its own."""
        if attribute in ("device", "ip", "content", "network"):
            return details.get("ip" if attribute == "network" else attribute)
        return details.get("meta", {}).get(attribute)

    def is_about(self, details):
        for attribute, wanted, values in self.where:
            value = self.value(details, attribute)
            if value is None:
                return False
            among = any(value.startswith(each[:-1]) if each.endswith("*") else value == each for each in values)
            if among != wanted:
                return False
        return True

    def applies(self, details):
        asked = self.per if self.distinct is None else (*self.per, self.distinct)
        return self.is_about(details) and all(self.value(details, each) is not None for each in asked)

    def looks_at(self, details):
        """What it would judge a session by."""
        return [self.value(details, each) for each in (*self.per, self.distinct) if each is not None]

    def counts(self, start, details):
        """Whether a session with these details is counted for a start with those."""
        return self.is_about(details) and all(self.value(start, each) == self.value(details, each) for each in self.per) and \
            (self.distinct is None or self.value(details, self.distinct) is not None)


class Violation:
    """A rule that has no room: who is counted, in groups that leave together, and how many groups are too many."""

    def __init__(self, rule, most, counted, groups, excess):
        self.rule = rule
        self.most = most
        self.counted = counted
        self.groups = groups
        self.excess = excess  # None: whoever leaves there is no room


class Gone:
    """A session that is no more, and why."""

    __slots__ = ("reason", "since", "lease", "token", "by", "by_itself", "message")

    def __init__(self, reason, since, lease, token, by=None, message=None):
        self.reason = reason
        self.since = since
        self.lease = lease
        self.token = token  # of its latest start; None: a restart made the daemon forget it
        self.by = by  # of an evicted one: the session, and its device if it named one, that took its place
        self.by_itself = False  # its own viewer evicted it, who is known by an address
        self.message = message  # what an operator had to say

    def is_after(self, token):
        """It was of a later start than that one."""
        return token is not None and self.token is not None and token.count < self.token.count


class Past:
    """What happened to a user's viewers of late. A viewer is ("device", D), ("address", A) or ("session", S)."""

    MOST = 100  # of each kind, the newest ones

    def __init__(self):
        self.held_off = collections.deque(maxlen=self.MOST)  # (all that a viewer may be known by, when it was evicted)
        self.protected = collections.deque(maxlen=self.MOST)  # (viewer, when it got in by evicting)
        self.changes = collections.deque(maxlen=self.MOST)  # (viewer, when its device or address changed hands, in a fight)
        self.replaced = {}  # (viewer, name or address) -> when a session of that was replaced there


class Waiter:
    """A start that waits for room."""

    def __init__(self, user, name, body, since, until):
        self.user = user
        self.name = name
        self.body = body
        self.since = since
        self.until = until


class Usage:
    """What a user did in one hour of the wall clock, for the report of who shares."""

    __slots__ = ("starts", "denials", "evictions", "peak", "attempted", "excess", "conflicts", "devices", "addresses")

    def __init__(self):
        self.starts = self.denials = self.evictions = self.peak = self.attempted = self.excess = self.conflicts = 0
        self.devices = set()
        self.addresses = set()


class Model:
    REMEMBERED = 600 * 1000  # for how long at least the end of a session is remembered
    HOLD_OFF = 180 * 1000
    MOST_CHANGES = 3  # of hands within a hold-off, before a device is no reconnect any more
    STILL_PLAYING = 5 * 1000  # a heartbeat so long after its own viewer evicted it: another plays on
    DETAILS = ("device", "ip", "content", "meta")

    def __init__(self, limit, lease, on_limit="deny", mode="enforce"):
        self.limit = limit
        self.lease = lease
        self.on_limit = on_limit
        self.mode = mode
        self.longest = None  # the age at which a session expires, in milliseconds
        self.overlap = 0  # for how long a start that is one too many is let in, in milliseconds
        self.wording = None  # of denials
        self.rules = []  # beside the limit, in their order
        self.blocks = {}  # user -> Block
        self.users = {}  # user -> {session name: Session}, oldest start first
        self.gone = {}  # (user, session name) -> Gone
        self.tokens = {}  # (user, session name) -> the tokens of all starts of that name
        self.past = collections.defaultdict(Past)  # by user
        self.refused = {}  # user -> (until when none is let in above the limit, the session that was refused)
        self.terms = {}  # user -> Terms, of those who were given any
        self.plans = {}  # name -> Terms
        self.usage = {}  # user -> {hour: Usage}
        self.waiting = {}  # user -> {player: until}: refused or evicted within a lease, and still wanting to watch
        self.met = collections.Counter()  # which of the rules above decided a start, and how often
        self.queues = {}  # user -> [Waiter], who came first in front
        self._tries = False  # a denial is none yet
        self.restarted_at = 0  # when the daemon was last
        self.wall_minus_boot = 0  # shifts shown instants; whoever holds the clock sets it

    # ---- what there is -------------------------------------------------------------------------------------------

    def active(self, user, now):
        """The user's sessions at this instant. A session is active while now < expires."""
        sessions = self.users.get(user)
        if sessions is None:
            sessions = self.users[user] = {}
        for session in [each for each in sessions.values() if each.grace_ends is not None and each.grace_ends <= now]:
            self._settle(user, session)
        for session in [each for each in sessions.values() if each.expires <= now]:
            self._remove(user, session, "expired", session.expires)
        return sessions

    # ---- who is let in above the limit for a while -----------------------------------------------------------------

    OVERLAP_PAUSE = 2  # times as long none is let in so, once one was refused

    def _settle(self, user, session):
        """Its time is over: it stays if there was room for it then, or else it is denied."""
        at = session.grace_ends
        if session.expires <= at:
            return
        limit = self.limit_of(user) if session.asked_limit is None else session.asked_limit
        not_there = [each for each in self.users[user].values() if each is session or each.expires <= at]
        violated = self._violated(user, session.details, limit, not_there, []) if self.mode == "enforce" else []
        pause = self.OVERLAP_PAUSE * max(self.overlap, at - session.started)
        session.grace_ends = None
        if not violated:
            self.met["let in for a while, and stays"] += 1
            return
        self.met["let in for a while, and denied"] += 1
        self._remove(user, session, "denied", at)
        self.refused[user] = at + pause, session.name
        by_rule = violated[0].rule.name != "limit" and violated[0].excess is not None
        self._count(user, session.name, session.details, len(self.users[user]) if by_rule else limit, at,
                    denied=True, waits=True)

    def overlapping(self, user):
        return next((each for each in self.users.get(user, {}).values() if each.grace_ends is not None), None)

    def _is_let_in(self, user, violated, on_limit, leaving, now):
        """One too many of the limit, or of rules that count sessions; unless the oldest would make room."""
        if not self.overlap or self.mode != "enforce" or now < self.refused.get(user, (0, None))[0]:
            return False
        if any(each.excess != 1 or (each.rule.on_limit or on_limit) == "evict-oldest" or
               (each.rule.name != "limit" and each.rule.distinct is not None) for each in violated):
            return False
        other = self.overlapping(user)
        return other is None or other in leaving

    def everything_active(self, now):
        for user in self.users:
            self.active(user, now)
        return {user: sessions for user, sessions in self.users.items() if sessions}

    def users_with_expiries(self, now):
        """Users of whom a session has expired since the daemon was started, as far as that is remembered."""
        self.everything_active(now)
        return sorted({user for (user, _), gone in self.gone.items() if gone.reason == "expired"})

    def _remove(self, user, session, reason, now, by=None, message=None):
        del self.users[user][session.name]
        self.gone[user, session.name] = Gone(reason, now, session.lease, session.token, by, message)
        self.met["expired at an age"] += reason == "expired" and now < session.leased
        self.met["told a message"] += message is not None

    def set_longest(self, longest, now):
        """Who is active goes on by the new one; who is not does not come back."""
        self.everything_active(now)
        self.longest = longest

    # ---- who is kept out -----------------------------------------------------------------------------------------

    def block_of(self, user, now):
        block = self.blocks.get(user)
        return None if block is None or block.is_over(now) else block

    def get_block(self, user, now):
        block = self.block_of(user, now)
        return 200, {"user": user, "blocked": False} if block is None else self._block_shown(user, block)

    def put_block(self, user, body, now):
        """`for` in whole seconds."""
        self.blocks[user] = Block(now, body["for"] * 1000 if "for" in body else None, body.get("message"))
        return self.get_block(user, now)

    def delete_block(self, user, now):
        self.blocks.pop(user, None)
        return self.get_block(user, now)

    def list_blocks(self, now):
        return [self._block_shown(user, block) for user, block in self.blocks.items() if not block.is_over(now)]

    def _block_shown(self, user, block):
        shown = {"user": user, "blocked": True, "since": rfc3339(block.since + self.wall_minus_boot)}
        if block.length is not None:
            shown["until"] = rfc3339(block.since + block.length + self.wall_minus_boot)
        if block.message is not None:
            shown["message"] = block.message
        return shown

    def _blocked(self, user, name, block, limit, now):
        self.met["blocked"] += 1
        refused = {"error": "blocked", "message": block.message or TEXT, "user": user, "session": name,
                   "concurrentSessions": len(self.users[user]), "limit": limit}
        if block.length is not None:
            refused["retryAfter"] = (block.since + block.length - now) / 1000
        return refused

    # ---- what holds for a user -----------------------------------------------------------------------------------

    def _plan_of(self, user):
        """The plan's terms, or none of them where the plan is not there (any more)."""
        return self.plans.get(self.terms.get(user, NO_TERMS).plan, NO_TERMS)

    def limit_of(self, user):
        return self.limit_and_origin_of(user)[0]

    def limit_and_origin_of(self, user):
        for limit, origin in ((self.terms.get(user, NO_TERMS).limit, "user"), (self._plan_of(user).limit, "plan")):
            if limit is not None:
                return limit, origin
        return self.limit, "default"

    def on_limit_of(self, user):
        return self.terms.get(user, NO_TERMS).on_limit or self._plan_of(user).on_limit or self.on_limit

    # ---- who is who ----------------------------------------------------------------------------------------------

    def viewer(self, user, name, details, now):
        """Known by the device, unless that is fought over, else the address, else the session."""
        if "device" in details and not self.is_fought_over(user, details["device"], now):
            return "device", details["device"]
        return ("address", details["ip"]) if "ip" in details else ("session", name)

    def held_off(self, user, name, details, now):
        """For how many more milliseconds a start of this name, with such details, may not evict others."""
        viewer = self.viewer(user, name, details, now)
        return max((at + self.HOLD_OFF - now for known, at in self.past[user].held_off
                    if viewer in known and at + self.HOLD_OFF > now), default=0)

    def _all_it_may_be_known_by(self, user, session, now):
        known = [("session", session.name)]
        if "ip" in session.details:
            known.append(("address", session.details["ip"]))
        if "device" in session.details and not self.is_fought_over(user, session.details["device"], now):
            known.append(("device", session.details["device"]))
        return known

    def is_fought_over(self, user, device, now):
        return len(self._changes(user, ("device", device), now)) >= self.MOST_CHANGES

    def _left(self, marks, viewer, now):
        return max((at + self.HOLD_OFF - now for each, at in marks if each == viewer and at + self.HOLD_OFF > now), default=0)

    def _changes(self, user, viewer, now):
        """Of that viewer's hands, within the hold-off: of each whether it was part of a fight."""
        return [fight for each, at, fight in self.past[user].changes if each == viewer and at + self.HOLD_OFF > now]

    def _comes_back(self, user, viewer, *what, now):
        """Whether a session of that name or address was replaced there within the hold-off."""
        replaced = self.past[user].replaced
        return any(replaced.get((viewer, each), now - self.HOLD_OFF) + self.HOLD_OFF > now for each in what)

    def _change_hands(self, user, viewer, now):
        fights = self._changes(user, viewer, now)
        begins = len(fights) + 1 >= self.MOST_CHANGES and not any(fights)
        self.past[user].changes.append((viewer, now, begins or any(fights)))
        if viewer[0] == "device":
            self.met["change of hands"] += 1
            self.met["fight"] += begins
            return True
        self.met["come-back of one address"] += 1
        return len(fights) >= self.MOST_CHANGES

    # ---- calls of the v1 API -------------------------------------------------------------------------------------

    def _new_token(self, user, name):
        return Token(self.tokens.setdefault((user, name), []))

    def start(self, user, name, body, now, token=None):
        """`body` is the JSON that the client sends along, but for the token; its ttl is in whole seconds."""
        session = self.active(user, now).get(name)
        limit = body.get("limit", self.limit_of(user))
        if session is not None:
            if token is not None and token.count >= session.token.count:
                self._accept(session, token)
            else:
                session.token = self._new_token(user, name)
            if "ttl" in body:
                session.lease = body["ttl"] * 1000
            changed = {**session.details, **{what: body[what] for what in ("content", "meta") if what in body}}
            violated = self._violated_by_change(user, session, changed)
            if violated:
                self._count(user, name, body, limit, now, denied=True)
            refused = violated and self.mode == "enforce"
            self._count_place(user, session, body, now)
            session.details = dict(session.details if refused else changed)
            if "ip" in body:
                session.details["ip"] = body["ip"]
            self.met["blocked, and goes on"] += self.block_of(user, now) is not None
            answer = self._renewed(user, session, limit, now)
            if not violated:
                return 200, answer
            if not refused:
                return 200, {**answer, "wouldDeny": True, **self._reasons(violated, changed)}
            self.met["renewal denied"] += 1
            return 409, {**self._denial(user, name, limit, violated, now, 0), **self._reasons(violated, changed)}
        block = self.block_of(user, now)
        if block is not None:
            return 409, self._blocked(user, name, block, limit, now)
        extra = self._admit(user, name, body, limit, now)
        if "error" in extra:
            return 409, extra
        return 201, {**self._started(user, self.users[user][name], limit), **extra}

    def _admit(self, user, name, body, limit, now):
        """Starts a session that is not active, if it may. Returns the whole denial, or what an answer says besides."""
        sessions = self.users[user]
        past = self.past[user]
        device = body.get("device")
        on_limit = body.get("onLimit") or self.on_limit_of(user)
        viewer = self.viewer(user, name, body, now)
        viewers = {each.name: self.viewer(user, each.name, each.details, now) for each in sessions.values()}
        known = {each.name: self._all_it_may_be_known_by(user, each, now) for each in sessions.values()}
        held_off = self.held_off(user, name, body, now)
        met = self.met

        counts_devices = any(rule.distinct == "device" and rule.applies(body) for rule in self.rules)
        on_device = [each for each in sessions.values()
                     if not counts_devices and device is not None and each.details.get("device") == device]
        nearest = [each for each in on_device if "ip" in body and each.details.get("ip") == body["ip"]] or on_device
        fought_over = device is not None and self.is_fought_over(user, device, now)
        met["no reconnect: fought over"] += bool(on_device) and fought_over
        reconnected = [] if fought_over else nearest[:1]
        replaceable = [each for each in sessions.values()
                       if (each.name == body.get("replace") or body.get("replaceAll")) and each.name != name
                       and each not in reconnected]
        replaced = [each for each in replaceable if not held_off or viewers[each.name] == viewer]
        leaving = reconnected + replaced
        count = len(sessions) - len(leaving) + 1
        evicted, extra = [], {}
        violated = self._violated(user, body, limit, leaving, reconnected)
        other = self.overlapping(user)
        lets_in = bool(violated) and self._is_let_in(user, violated, on_limit, leaving, now)
        grace_ends = None
        if lets_in or (other is not None and other in reconnected):
            grace_ends = other.grace_ends if other is not None and other in leaving else now + self.overlap
            met["let in for a while in another's place" if other in leaving else "let in for a while"] += 1
        elif violated and self.overlap and other is not None:
            met["not let in beside another"] += 1
        elif violated and self.overlap and now < self.refused.get(user, (0, None))[0]:
            met["not let in so soon"] += 1
        if violated and not lets_in:
            waits = {each.name: 0 if viewers[each.name] == viewer else
                     max(held_off, self._left(past.protected, viewers[each.name], now)) for each in sessions.values()}
            doomed, wait, passed_over = self._make_room(user, body, limit, on_limit, leaving, reconnected, waits)
            may_evict = doomed is not None
            if self.mode == "observe":
                met["would evict" if may_evict else "would deny"] += 1
                extra = {"wouldEvict": [each.name for each in doomed]} if may_evict else \
                    {"wouldDeny": True, **self._reasons(violated, body)}
            elif may_evict:
                evicted = doomed
                met[f"{on_limit} of several" if len(evicted) > 1 else on_limit] += 1
                met["evicting after a replace"] += len(replaced)
                met["evicting past the protected"] += passed_over
                met["evicting for a rule"] += violated[0].rule.name != "limit"
            else:
                if not self._tries:
                    met["denied: replace makes no room"] += len(replaced)
                    for each in violated:
                        met[f"denied by {each.rule.name}"] += 1
                denial = {**self._denial(user, name, limit, violated, now), **self._reasons(violated, body)}
                spared = [each for each in replaceable if each not in replaced]
                if spared and (body.get("replaceAll") or
                               not self._violated(user, body, limit, leaving + spared, reconnected)):
                    denial["holdOff"] = held_off / 1000
                elif wait is not None:
                    denial["holdOff"] = wait / 1000
                if "holdOff" in denial:
                    met[f"denied: held off by {viewer[0]}" if held_off else "denied: all others are protected"] += 1
                by_rule = violated[0].rule.name != "limit" and violated[0].excess is not None
                if not self._tries:
                    self._count(user, name, body, len(self.users[user]) if by_rule else limit, now, denied=True, waits=True)
                return denial

        if reconnected:
            met["reconnect above the limit" if limit and count > limit else "reconnect"] += 1
            met["reconnect of one who is held off"] += held_off > 0
        if replaced:
            met["replace" if not reconnected else "replace with a reconnect"] += 1
            met["replace all: several"] += bool(body.get("replaceAll")) and len(replaced) > 1
        elif replaceable:
            met["replace passed over: held off"] += 1
        elif "replace" in body:
            met["replace passed over: not active"] += 1

        by = {"session": name} if device is None else {"session": name, "device": device}
        for each in leaving + evicted:
            self._remove(user, each, "evicted", now, by)
        if leaving or evicted:
            extra["evicted"] = [each.name for each in leaving + evicted]
        displaced = [each for each in replaced + evicted if viewers[each.name] != viewer]
        past.held_off.extend((known[each.name], now) for each in displaced)
        if displaced:
            past.protected.append((viewer, now))
            met[f"evicted, known by {viewers[displaced[0].name][0]}"] += 1
        own = [each for each in evicted if viewers[each.name] == viewer]
        met["zapping within the limit"] += bool(own)
        conflict = False
        for each in reconnected:
            on_it = "device", device
            same_address = "ip" in body and each.details.get("ip") == body["ip"]
            if self._comes_back(user, on_it, ("name", name), ("ip", body.get("ip")), now=now) and not same_address:
                conflict = self._change_hands(user, on_it, now)
            past.replaced[on_it, ("name", each.name)] = now
            if "ip" in each.details:
                past.replaced[on_it, ("ip", each.details["ip"])] = now
        if own and viewer[0] == "address":
            if self._comes_back(user, viewer, ("name", name), now=now):
                conflict = self._change_hands(user, viewer, now)
                met["two players of one address"] += conflict
            for each in own:
                past.replaced[viewer, ("name", each.name)] = now
                self.gone[user, each.name].by_itself = True
        if conflict:
            self._conflict(self._usage_of(user, now))
        self.gone.pop((user, name), None)
        lease = body["ttl"] * 1000 if "ttl" in body else self.lease
        sessions[name] = Session(self, name, {what: body[what] for what in self.DETAILS if what in body}, lease, now,
                                 self._new_token(user, name))
        sessions[name].grace_ends = grace_ends
        sessions[name].asked_limit = body.get("limit")
        self._count(user, name, body, limit, now, started=True, denied="wouldDeny" in extra, overlaps=grace_ends is not None,
                    evictions=len(displaced) + any(viewers[each] != viewer for each in extra.get("wouldEvict", ())),
                    evicted=[each.details.get("device", each.name) for each in evicted if each in displaced])
        return extra

    # ---- waiting for room ----------------------------------------------------------------------------------------

    def wait(self, user, name, body, now, length):
        """A start that would be denied waits, so many milliseconds at most. Returns what is answered at once; or the waiter."""
        answer = self._try(user, name, body, now)
        if answer is not None:
            return answer
        waiter = Waiter(user, name, body, now, now + length)
        self.queues.setdefault(user, []).append(waiter)
        self.met["waiting"] += 1
        self.met["waiting behind another"] += len(self.queues[user]) > 1
        return waiter

    def leave(self, waiter):
        """Whoever hangs up leaves the queue."""
        self.queues[waiter.user].remove(waiter)
        if not self.queues[waiter.user]:
            del self.queues[waiter.user]

    def _try(self, user, name, body, now):
        """None where it would be denied, and somebody's going would mend that."""
        self._tries = True
        try:
            status, said = self.start(user, name, body, now)
        finally:
            self._tries = False
        return None if said.get("error") == "limit_reached" and "retryAfter" in said else (status, said)

    def served(self, user, now):
        """Who of those that wait is answered now, and how: who is let in, whoever came first and fits, and whose time is over."""
        answers = []
        for waiter in list(self.queues.get(user, ())):
            answer = self._try(user, waiter.name, waiter.body, now)
            if answer is None and waiter.until <= now:
                answer = self.start(user, waiter.name, waiter.body, now)
            if answer is None:
                continue
            self.queues[user].remove(waiter)
            status, said = answer
            self.met[f"waited: {said.get('error', 'let in')}"] += 1
            if said.get("error") != "blocked":
                said = {**said, "waited": (now - waiter.since) / 1000}
            answers.append((waiter, (status, said)))
        if user in self.queues and not self.queues[user]:
            del self.queues[user]
        return answers

    # ---- rules ---------------------------------------------------------------------------------------------------

    def _most_of(self, user, rule):
        """The user's number, else its plan's, else the rule's own; 0 binds nobody, and what forbids has none."""
        if rule.most is None:
            return None
        terms = self.terms.get(user, NO_TERMS)
        plan = self.plans.get(terms.plan, NO_TERMS)
        return terms.numbers.get(rule.name, plan.numbers.get(rule.name, rule.most))

    def _violated(self, user, start, limit, leaving, reconnected, apart=None):
        """The limit and the rules that have no room, in their order, while these leave. `apart` is not counted."""
        found = []
        for rule in [Rule("limit", limit), *self.rules]:
            if rule.name == "limit" and apart is not None:
                continue  # a renewal is none more
            violation = self._violation(user, start, rule, limit, leaving, reconnected, apart)
            if violation is not None:
                found.append(violation)
        return found

    def _violation(self, user, start, rule, limit, leaving, reconnected, apart):
        if not rule.applies(start):
            return None
        counted = [each for each in self.users[user].values()
                   if each not in leaving and each is not apart and rule.counts(start, each.details)]
        if rule.most is None:
            return Violation(rule, 0, counted, [], None)
        most = limit if rule.name == "limit" else self._most_of(user, rule)
        own = None if rule.distinct is None else rule.value(start, rule.distinct)
        groups = {}
        for each in counted:
            key = each.name if rule.distinct is None else rule.value(each.details, rule.distinct)
            groups.setdefault(key, []).append(each)
        has_its_place = any(rule.counts(start, each.details) and
                            (rule.distinct is None or rule.value(each.details, rule.distinct) == own) for each in reconnected)
        if has_its_place or (own is not None and own in groups) or not most or len(groups) < most:
            return None
        return Violation(rule, most, counted, list(groups.values()), len(groups) + 1 - most)

    def _make_room(self, user, start, limit, on_limit, leaving, reconnected, waits):
        """Who is evicted, or None, and then how long it takes until they may be; whether a protected one was passed over."""
        doomed, passed_over = [], False
        order = list(self.users[user].values())
        while True:
            violated = self._violated(user, start, limit, leaving + doomed, reconnected)
            if not violated:
                return doomed, None, passed_over
            if any(each.excess is None or (each.rule.on_limit or on_limit) == "deny" for each in violated):
                return None, None, False
            first = violated[0]
            if (first.rule.on_limit or on_limit) == "evict-newest":
                groups = sorted(first.groups, key=lambda group: order.index(group[0]), reverse=True)
            else:
                groups = sorted(first.groups, key=lambda group: order.index(group[-1]))
            missing, kept = first.excess, []
            for group in groups:
                if not missing:
                    break
                wait = max(waits[each.name] for each in group)
                if wait:
                    kept.append(wait)
                else:
                    doomed += group
                    missing -= 1
            if missing:
                return None, sorted(kept)[missing - 1] if len(kept) >= missing else None, False
            passed_over = passed_over or bool(kept)

    def _violated_by_change(self, user, session, changed):
        """What has no room for an active session with other content or meta: of what is about it only now, or otherwise."""
        if changed == session.details:
            return []
        anew = [rule for rule in self.rules
                if rule.applies(changed) and (not rule.applies(session.details) or
                                              rule.looks_at(changed) != rule.looks_at(session.details))]
        return [each for each in self._violated(user, changed, 0, [], [], session) if each.rule in anew]

    def _reasons(self, violated, start):
        if [each.rule.name for each in violated] == ["limit"]:
            return {}
        return {"rule": violated[0].rule.name, "violations": [
            {"rule": each.rule.name, "max": each.most,
             "count": len(each.counted) if each.rule.distinct is None else len(each.groups),
             "by": {attribute: each.rule.value(start, attribute) for attribute in each.rule.per}} for each in violated]}

    MOST_WAITING = 32

    def _count(self, user, name, body, limit, now, started=False, denied=False, waits=False, evictions=0, evicted=(),
               overlaps=False):
        """Keeps the record of who shares: how many streams were wanted at once, had nobody been refused or evicted."""
        player = body.get("device", name)
        waiting = {each: until for each, until in self.waiting.get(user, {}).items() if until > now and each != player}
        for each in ([player] if waits else []) + list(evicted):
            if each not in waiting and len(waiting) < self.MOST_WAITING:
                waiting[each] = now + self.lease
        self.waiting[user] = waiting
        usage = self._usage_of(user, now)
        usage.starts += started
        usage.denials += denied
        usage.evictions += evictions
        if "device" in body:
            usage.devices.add(body["device"])
        if "ip" in body:
            usage.addresses.add(body["ip"])
        active = len(self.users[user]) - overlaps  # whoever changes over watches no more than before
        usage.peak = max(usage.peak, active)
        usage.attempted = max(usage.attempted, active + len(waiting))
        if limit:
            usage.excess = max(usage.excess, active + len(waiting) - limit)

    def _usage_of(self, user, now):
        return self.usage.setdefault(user, {}).setdefault((now + self.wall_minus_boot) // HOUR, Usage())

    def _count_place(self, user, session, body, now):
        """A renewal from another device or address than the session's is recorded, and is a conflict where two devices
        are known, or two addresses and not both devices: then somebody else watches by the same session."""
        device, address, known = body.get("device"), body.get("ip"), session.details
        other_device = device is not None and device != known.get("device")
        other_address = address is not None and address != known.get("ip")
        if not other_device and not other_address:
            return
        usage = self._usage_of(user, now)
        if device is not None:
            usage.devices.add(device)
        if address is not None:
            usage.addresses.add(address)
        two_devices = device is not None and "device" in known
        if other_device if two_devices else other_address and "ip" in known:
            self._conflict(usage)
            self.met["renewed from elsewhere"] += 1

    @staticmethod
    def _conflict(usage):
        usage.conflicts += 1
        usage.excess = max(usage.excess, 1)

    def report(self, since, top, what_if):
        """The report of all users, of the hours from the instant `since` of the wall clock on."""
        first = since // HOUR
        figures, reached, attempted = [], collections.Counter(), collections.Counter()
        for user in self.usage:
            hours = self._hours_of(user, first)
            if not hours:
                continue
            shown = self._figures(hours.values())
            reached[str(shown["peak"])] += 1
            attempted[str(shown["attemptedPeak"])] += 1
            if shown["denials"] or shown["evictions"] or shown["conflicts"]:
                figures.append({"user": user, **shown})
        figures.sort(key=lambda each: (-each["score"], -each["denials"] - each["evictions"] - each["conflicts"],
                                       each["user"].encode()))
        refused = sum(users for level, users in attempted.items() if int(level) > what_if)
        return {"since": rfc3339(first * HOUR), "users": figures[:top],
                "histogram": {"peak": dict(reached), "attempted": dict(attempted)},
                "whatIf": {"limit": what_if, "usersRefused": refused}}

    def report_of(self, user, since):
        """The report of one user, hour by hour."""
        first = since // HOUR
        hours = self._hours_of(user, first)
        return {"since": rfc3339(first * HOUR),
                "users": [{"user": user, **self._figures(hours.values())}] if hours else [],
                "hours": [{"hour": rfc3339(hour * HOUR), **self._figures([hours[hour]])} for hour in sorted(hours)]}

    def _hours_of(self, user, first):
        return {hour: usage for hour, usage in self.usage.get(user, {}).items() if hour >= first}

    @staticmethod
    def _figures(usages):
        shown = {what: sum(getattr(each, what) for each in usages) for what in ("starts", "denials", "evictions", "conflicts")}
        shown["peak"] = max(each.peak for each in usages)
        shown["attemptedPeak"] = max(each.attempted for each in usages)
        shown["score"] = sum(each.excess for each in usages)
        for what in ("devices", "addresses"):
            shown[what] = distinct(len(set().union(*(getattr(each, what) for each in usages))))
        return shown

    def _accept(self, session, token):
        """A token that is not earlier; where it is later a crash has made the daemon forget it."""
        self.met["token newer than remembered"] += token.count > session.token.count
        session.token = token

    def heartbeat(self, user, name, now, token=None, ttl=None):
        """`ttl` in whole seconds."""
        gone_answer = {"error": "session_gone", "message": TEXT, "user": user, "session": name}
        session = self.active(user, now).get(name)
        if session is not None:
            if token is not None and token.count < session.token.count:
                return 410, {**gone_answer, "reason": "other_start"}
            if token is not None:
                self._accept(session, token)
            if ttl is not None:
                session.lease = ttl * 1000
            return 200, self._renewed(user, session, self.limit_of(user), now)
        never_seen = 404, {"error": "not_found", "message": TEXT}
        gone = self.gone.get((user, name))
        if gone is None:
            return never_seen
        if not gone.is_after(token) and gone.by_itself and self.STILL_PLAYING <= now - gone.since < self.HOLD_OFF:
            gone.by_itself = False
            self._conflict(self._usage_of(user, now))
            self.met["plays on beside another of its address"] += 1
        return self._as_remembered(gone, now, (410, {**gone_answer, **self._why(gone, token)}), never_seen)

    def _as_remembered(self, gone, now, explained, forgotten):
        """It is remembered for the longest of its lease, everybody's, the hold-off and ten minutes: from when it went,
        which of one that expired is when somebody noticed."""
        if now - gone.since < max(gone.lease, self.lease, self.HOLD_OFF, self.REMEMBERED):
            self.met["told why, from before a restart"] += gone.since < self.restarted_at
            return explained
        return OneOf((explained, forgotten)) if gone.reason == "expired" else forgotten

    def end(self, user, name, now, token=None, message=None):
        sessions = self.active(user, now)
        session = sessions.get(name)
        if session is not None:
            if token is not None and token.count < session.token.count:
                return 200, {"user": user, "session": name, "ended": False, "concurrentSessions": len(sessions),
                             "reason": "other_start"}
            self._remove(user, session, "ended", now, message=message)
            return 200, {"user": user, "session": name, "ended": True, "concurrentSessions": len(sessions)}
        body = {"user": user, "session": name, "ended": False, "concurrentSessions": len(sessions)}
        gone = self.gone.get((user, name))
        if gone is None:
            return 200, body
        return self._as_remembered(gone, now, (200, {**body, **self._why(gone, token)}), (200, body))

    def list(self, user, now):
        sessions = self.active(user, now)
        return 200, {
            "user": user,
            "concurrentSessions": len(sessions),
            "limit": self.limit_of(user),
            "blocked": True if self.block_of(user, now) is not None else ABSENT,
            "sessions": [self.shown(each) for each in sessions.values()],
        }

    def list_all(self, now):
        """Every active session as a list of all users shows it, in no particular order."""
        return [{"user": user, **self.shown(each)}
                for user, sessions in self.everything_active(now).items() for each in sessions.values()]

    def purge(self, now, user=None, idle=None, dry_run=False, older_than=None, block=None, message=None, **has):
        """Of one user, of sessions without a sign of life for longer than `idle` milliseconds, older than `older_than`, that
        have this device, ip, content and all of this meta; where nothing is said, of all. `block` in whole seconds."""
        chosen = {user: self.active(user, now)} if user is not None else self.everything_active(now)
        doomed = [(each, session) for each, sessions in chosen.items() for session in sessions.values()
                  if (idle is None or now - session.seen > idle) and (older_than is None or now - session.started > older_than)
                  and all(session.details.get(what) == wanted for what, wanted in has.items() if what != "meta")
                  and has.get("meta", {}).items() <= session.details.get("meta", {}).items()]
        users = {each for each, _ in doomed}
        if dry_run:
            return 200, {"wouldPurge": len(doomed), "users": len(users)}
        answer = {"purged": len(doomed)}
        if block is not None:
            kept_out = users | ({user} if user is not None else set())
            for each in kept_out:
                self.blocks[each] = Block(now, block * 1000, message)
            answer["blocked"] = len(kept_out)
            self.met["purged and blocked"] += bool(doomed)
        self.met["purged some by what they have"] += bool(has) and 0 < len(doomed) < sum(map(len, self.users.values()))
        for each, session in doomed:
            self._remove(each, session, "purged", now, message=message)
        return 200, answer

    # ---- limits --------------------------------------------------------------------------------------------------

    def get_limit(self, user, now):
        shown = self._limit_shown(user, now)
        return 200, {**shown, "message": TEXT} if "excess" in shown else shown

    def put_limit(self, user, body, now):
        if not body.keys() & {"limit", "plan", "onLimit", "rules"}:
            return self._invalid(TEXT)
        self.active(user, now)
        plan = body.get("plan")
        if plan is not None and plan not in self.plans:
            return self._invalid(f"cannot set the plan of user {user}: there is no plan {plan}")
        terms = self.terms.setdefault(user, Terms())
        if "limit" in body:
            terms.limit = body["limit"]
        if "plan" in body:
            terms.plan = body["plan"]
        if "onLimit" in body:
            terms.on_limit = body["onLimit"]
        terms.give_numbers(body.get("rules", {}))
        if not terms.given():
            del self.terms[user]
        return self.get_limit(user, now)

    def delete_limit(self, user, now):
        self.active(user, now)
        self.terms.pop(user, None)
        return self.get_limit(user, now)

    def list_limits(self, now):
        """Of every user who was given something, in no particular order."""
        return [{**self._limit_shown(user, now)} for user in self.terms]

    def list_plans(self):
        return 200, {"plans": [self._plan_shown(name) for name in sorted(self.plans, key=str.encode)]}

    def get_plan(self, name, now):
        if name not in self.plans:
            return 404, {"error": "not_found", "message": f"cannot show plan {name}: there is no such plan"}
        # Of those for whom the plan's limit holds: one with an own limit is above that, or not.
        above = sum(1 for user, terms in self.terms.items()
                    if terms.plan == name and terms.limit is None and self._excess(user, now) > 0)
        return 200, {**self._plan_shown(name), "usersAbove": above or ABSENT}

    def put_plan(self, name, body, now):
        if name not in self.plans and "limit" not in body:
            return self._invalid(TEXT)
        plan = self.plans.setdefault(name, Terms())
        if "limit" in body:
            plan.limit = body["limit"]
        if "onLimit" in body:
            plan.on_limit = body["onLimit"]
        plan.give_numbers(body.get("rules", {}))
        return self.get_plan(name, now)

    def delete_plan(self, name, force=False):
        users = self._users_of_plan(name)
        removed = name in self.plans
        if removed and users and not force:
            return self._invalid(Like(re.escape(f"cannot remove plan {name}: {users} ") + "users? (has|have) it; .+"))
        self.plans.pop(name, None)
        # How many users keep the name of a plan that is not there is not said anywhere.
        return 200, {"plan": name, "removed": removed, **({"users": users} if removed else {})}

    def _excess(self, user, now):
        limit = self.limit_of(user)
        return len(self.active(user, now)) - limit if limit else 0

    def _limit_shown(self, user, now):
        limit, origin = self.limit_and_origin_of(user)
        shown = {"user": user, "limit": limit, "from": origin, "onLimit": self.on_limit_of(user),
                 "concurrentSessions": len(self.active(user, now))}
        plan = self.terms.get(user, NO_TERMS).plan
        if plan is not None:
            shown["plan"] = plan
        if self.terms.get(user, NO_TERMS).numbers:
            shown["rules"] = self.terms[user].numbers
        if self._excess(user, now) > 0:
            shown["excess"] = self._excess(user, now)
        return shown

    def _users_of_plan(self, name):
        return sum(1 for terms in self.terms.values() if terms.plan == name)

    def _plan_shown(self, name):
        plan = self.plans[name]
        shown = {"plan": name, "limit": plan.limit, "users": self._users_of_plan(name)}
        if plan.on_limit is not None:
            shown["onLimit"] = plan.on_limit
        if plan.numbers:
            shown["rules"] = plan.numbers
        return shown

    @staticmethod
    def _invalid(message):
        return 400, {"error": "invalid_request", "message": message}

    # ---- calls of the first service's API ------------------------------------------------------------------------

    def first_service_start(self, user, name, now):
        sessions = self.active(user, now)
        session = sessions.get(name)
        limit = self.limit_of(user)
        if session is not None:
            if limit and len(sessions) - (self.overlapping(user) is not None) > limit:
                self._count(user, name, {}, limit, now, denied=True)
                if self.mode == "enforce":
                    return 400, self._too_many(user, len(sessions))
            self._renewed(user, session, limit, now)
        else:
            if self.block_of(user, now) is not None:
                self.met["blocked on the first service"] += 1
                return 400, self._too_many(user, len(sessions) + 1)
            extra = self._admit(user, name, {}, limit, now)
            if "error" in extra:
                return 400, self._too_many(user, len(sessions) + 1)
        return 200, {"user": user, "concurrentSessions": len(sessions)}

    def first_service_end(self, user, name, now):
        self.end(user, name, now)
        return 200, {"user": user, "concurrentSessions": len(self.active(user, now))}

    # ---- the daemon's own life -----------------------------------------------------------------------------------

    def restarted(self, now):
        """A clean stop and a start: leases as they were, but each with a heartbeat interval left; limits and plans as
        they were; still held off, protected and fought over who was. Who was evicted or purged is told so still, and who
        was told something; the memory of other ends is lost, and who was waiting for room, and what was replaced on which device."""
        self.restarted_at = now
        self.gone = {each: gone for each, gone in self.gone.items()
                     if gone.reason in ("evicted", "purged", "denied") or gone.message}
        # That one was refused is known by why it is gone.
        self.refused = {user: (until, name) for user, (until, name) in self.refused.items()
                        if (user, name) in self.gone and self.gone[user, name].reason == "denied"}
        for gone in self.gone.values():
            gone.by_itself = False
            gone.token = None
        for past in self.past.values():
            past.replaced.clear()
        self.waiting.clear()
        for sessions in self.users.values():
            for session in sessions.values():
                session.leased = max(session.leased, now + session.lease // 3)

    def crashed(self, now, seen):
        """kill -9 and a start: what was answered is there, but for the latest heartbeats, and which starts were others of
        an active session. `seen` says of each session, by user and name, which sign of life was the last one stored."""
        self.restarted(now)
        for user, sessions in self.users.items():
            for session in sessions.values():
                if seen[user, session.name] > session.seen:
                    raise AssertionError(f"{user}/{session.name} was seen before it was")
                session.seen = seen[user, session.name]
                session.leased = max(session.seen + session.lease, now + session.lease // 3)

    def sessions_started_again(self, now):
        """User and session, of those active."""
        return [(user, session) for user, sessions in self.everything_active(now).items()
                for session in sessions.values() if session.token is not session.first]

    def starts_of(self, user, session):
        """The tokens of an active session, in order."""
        return self.tokens[user, session.name][session.first.count:]

    # ---- answers -------------------------------------------------------------------------------------------------

    def shown(self, session):
        shift = self.wall_minus_boot
        return {
            "session": session.name,
            "startedAt": rfc3339(session.started + shift),
            "lastSeenAt": rfc3339(session.seen + shift),
            "expiresAt": rfc3339(session.expires + shift),
            **session.details,
            **self._grace(session),
        }

    def _grace(self, session):
        if session.grace_ends is None:
            return {}
        return {"provisional": True, "graceEndsAt": rfc3339(session.grace_ends + self.wall_minus_boot)}

    def _renewed(self, user, session, limit, now):
        session.seen = now
        session.leased = now + session.lease
        return self._started(user, session, limit)

    def _started(self, user, session, limit):
        return {
            "user": user,
            "session": session.name,
            "start": session.token,
            "concurrentSessions": len(self.users[user]),
            "limit": limit,
            "expiresAt": rfc3339(session.expires + self.wall_minus_boot),
            "heartbeatInterval": session.lease // 3 / 1000,
            **self._grace(session),
        }

    def _denial(self, user, name, limit, violated, now, more=1):
        """There is room once so many have run out in each of them; where one forbids there never is."""
        sessions = self.users[user]
        first = violated[0]
        limit = limit if first.excess is None else first.most
        listed = first.counted if self.rules else sessions.values()
        rooms = [None if each.excess is None else
                 sorted(max(self._leaves(one, each.counted) for one in group) for group in each.groups)[each.excess - 1]
                 for each in violated]
        wait = {} if None in rooms else {"retryAfter": (max(rooms) - now) / 1000}
        return {
            **wait,
            "error": "limit_reached",
            "message": self._denial_text(user, len(sessions), limit, more),
            "user": user,
            "session": name,
            "concurrentSessions": len(sessions),
            "limit": limit,
            "sessions": [self.shown(each) for each in listed],
        }

    @staticmethod
    def _leaves(session, counted):
        """When it is no longer active, if no sign of life comes: one that is let in for a while stays if another goes by then."""
        ends = session.grace_ends
        return session.expires if ends is None or any(each.expires <= ends for each in counted) else ends

    def _why(self, gone, token):
        if gone.is_after(token):
            return {"reason": "other_start"}
        if gone.message is not None:
            return {"reason": gone.reason, "message": gone.message}
        if gone.by is None:
            return {"reason": gone.reason}
        return {"reason": gone.reason, "evictedBy": {**gone.by, "at": rfc3339(gone.since + self.wall_minus_boot)}}

    def _denial_text(self, user, active, limit, more=1):
        if self.wording is None:
            return self._too_many(user, active + more)
        names = {"{user}": user, "{attempted}": str(active + more), "{active}": str(active), "{limit}": str(limit)}
        return re.sub("|".join(map(re.escape, names)), lambda found: names[found.group()], self.wording)

    @staticmethod
    def _too_many(user, streams):
        return f"User {user} is trying to watch {streams} streams at once, which is too many."


# Fields may be added to answers at any time. These, though, mean something by being absent.
SIGNIFICANT_FIELDS = frozenset(
    "error message retryAfter holdOff sessions device ip content meta reason evictedBy evicted wouldDeny wouldEvict "
    "ended next purged wouldPurge plan onLimit excess blocked until rule violations rules provisional graceEndsAt waited".split())


def difference(actual, expected, where="answer"):
    """None if `actual` says all that `expected` says, and has none of SIGNIFICANT_FIELDS besides."""
    if actual == expected:
        return None
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected:
            if expected[name] is ABSENT:
                if name in actual:
                    return f"{where} has {name}, which should be absent"
                continue
            if name not in actual:
                return f"{where}.{name} is missing"
            found = difference(actual[name], expected[name], f"{where}.{name}")
            if found:
                return found
        extra = sorted(SIGNIFICANT_FIELDS & (actual.keys() - expected.keys()))
        return f"{where} has {', '.join(extra)}, which should be absent" if extra else None
    if isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            return f"{where} has {len(actual)} elements instead of {len(expected)}"
        for index, (one, other) in enumerate(zip(actual, expected)):
            found = difference(one, other, f"{where}[{index}]")
            if found:
                return found
        return None
    return f"{where} is {actual!r} instead of {expected!r}"
