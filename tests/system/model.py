"""An independent model of the daemon, written from its documented behaviour alone and sharing no code with it.

Instants are whole milliseconds of the steady (boot) clock. Each call returns (status, body): the body as the JSON the
daemon must answer, or as text for the first service's API. What the documentation leaves free stands in a body as TEXT
(any non-empty text), and an answer that may legitimately take two forms comes as OneOf.
"""

from harness import rfc3339


class _Text:
    """Equal to any non-empty text."""

    def __eq__(self, other):
        return isinstance(other, str) and other != ""

    def __repr__(self):
        return "<text>"


TEXT = _Text()


class OneOf(tuple):
    """Several (status, body), any of which is right."""

    def nearest(self, status, body):
        """The one that an answer agrees with, or the first."""
        agreeing = [each for each in self if each[0] == status and difference(body, each[1]) is None]
        return (agreeing or self)[0]


class Session:
    __slots__ = ("name", "details", "started", "seen", "expires")

    def __init__(self, name, details, started, expires):
        self.name = name
        self.details = details  # device, ip, content, meta, as far as the client told them
        self.started = started
        self.seen = started
        self.expires = expires


class Model:
    REMEMBERED = 3600 * 1000  # for how long the end of a session is remembered for certain

    def __init__(self, limit, lease):
        self.limit = limit
        self.lease = lease
        self.heartbeat_interval = lease / 3 / 1000
        self.users = {}  # user -> {session name: Session}, oldest start first
        self.gone = {}  # (user, session name) -> (reason, instant)
        self.wall_minus_boot = 0  # shifts shown instants; whoever holds the clock sets it

    # ---- what there is -------------------------------------------------------------------------------------------

    def active(self, user, now):
        """The user's sessions at this instant. A session is active while now < expires."""
        sessions = self.users.get(user)
        if sessions is None:
            sessions = self.users[user] = {}
        for session in [each for each in sessions.values() if each.expires <= now]:
            self._remove(user, session, "expired", session.expires)
        return sessions

    def everything_active(self, now):
        for user in self.users:
            self.active(user, now)
        return {user: sessions for user, sessions in self.users.items() if sessions}

    def users_with_expiries(self, now):
        """Users of whom a session has expired since the daemon was started, as far as that is remembered."""
        self.everything_active(now)
        return sorted({user for (user, _), (reason, _) in self.gone.items() if reason == "expired"})

    def _remove(self, user, session, reason, now):
        del self.users[user][session.name]
        self.gone[user, session.name] = (reason, now)

    # ---- calls of the v1 API -------------------------------------------------------------------------------------

    def start(self, user, name, details, now):
        sessions = self.active(user, now)
        session = sessions.get(name)
        if session is not None:
            return 200, self._renewed(user, session, now)
        if self.limit and len(sessions) >= self.limit:
            return 409, {
                "error": "limit_reached",
                "message": self._too_many(user, len(sessions) + 1),
                "user": user,
                "session": name,
                "concurrentSessions": len(sessions),
                "limit": self.limit,
                "retryAfter": (min(each.expires for each in sessions.values()) - now) / 1000,
                "sessions": [self.shown(each) for each in sessions.values()],
            }
        self.gone.pop((user, name), None)
        session = sessions[name] = Session(name, details, now, now + self.lease)
        return 201, self._started(user, session)

    def heartbeat(self, user, name, now):
        session = self.active(user, now).get(name)
        if session is not None:
            return 200, self._renewed(user, session, now)
        never_seen = 404, {"error": "not_found", "message": TEXT}
        if (user, name) not in self.gone:
            return never_seen
        reason, since = self.gone[user, name]
        gone = 410, {"error": "session_gone", "reason": reason, "message": TEXT, "user": user, "session": name}
        return gone if now - since < self.REMEMBERED else OneOf((gone, never_seen))

    def end(self, user, name, now):
        sessions = self.active(user, now)
        session = sessions.get(name)
        if session is not None:
            self._remove(user, session, "ended", now)
            return 200, {"user": user, "session": name, "ended": True, "concurrentSessions": len(sessions)}
        body = {"user": user, "session": name, "ended": False, "concurrentSessions": len(sessions)}
        if (user, name) not in self.gone:
            return 200, body
        reason, since = self.gone[user, name]
        explained = 200, {**body, "reason": reason}
        return explained if now - since < self.REMEMBERED else OneOf((explained, (200, body)))

    def list(self, user, now):
        sessions = self.active(user, now)
        return 200, {
            "user": user,
            "concurrentSessions": len(sessions),
            "limit": self.limit,
            "sessions": [self.shown(each) for each in sessions.values()],
        }

    def list_all(self, now):
        """Every active session as a list of all users shows it, in no particular order."""
        return [{"user": user, **self.shown(each)}
                for user, sessions in self.everything_active(now).items() for each in sessions.values()]

    def purge(self, now, user=None, idle=None, dry_run=False):
        """Of one user, of sessions without a sign of life for longer than `idle` milliseconds, or (neither) of all."""
        chosen = {user: self.active(user, now)} if user is not None else self.everything_active(now)
        doomed = [(each, session) for each, sessions in chosen.items() for session in sessions.values()
                  if idle is None or now - session.seen > idle]
        if dry_run:
            return 200, {"wouldPurge": len(doomed)}
        for each, session in doomed:
            self._remove(each, session, "purged", now)
        return 200, {"purged": len(doomed)}

    # ---- calls of the first service's API ------------------------------------------------------------------------

    def first_service_start(self, user, name, now):
        sessions = self.active(user, now)
        session = sessions.get(name)
        if session is not None:
            if self.limit and len(sessions) > self.limit:
                return 400, self._too_many(user, len(sessions))
            self._renewed(user, session, now)
        else:
            if self.limit and len(sessions) >= self.limit:
                return 400, self._too_many(user, len(sessions) + 1)
            self.gone.pop((user, name), None)
            sessions[name] = Session(name, {}, now, now + self.lease)
        return 200, {"user": user, "concurrentSessions": len(sessions)}

    def first_service_end(self, user, name, now):
        self.end(user, name, now)
        return 200, {"user": user, "concurrentSessions": len(self.active(user, now))}

    # ---- the daemon's own life -----------------------------------------------------------------------------------

    def restarted(self, now):
        """A clean stop and a start: leases as they were, but each with a heartbeat interval left; memory of ends lost."""
        self.gone.clear()
        for sessions in self.users.values():
            for session in sessions.values():
                session.expires = max(session.expires, now + self.lease // 3)

    # ---- answers -------------------------------------------------------------------------------------------------

    def shown(self, session):
        shift = self.wall_minus_boot
        return {
            "session": session.name,
            "startedAt": rfc3339(session.started + shift),
            "lastSeenAt": rfc3339(session.seen + shift),
            "expiresAt": rfc3339(session.expires + shift),
            **session.details,
        }

    def _renewed(self, user, session, now):
        session.seen = now
        session.expires = now + self.lease
        return self._started(user, session)

    def _started(self, user, session):
        return {
            "user": user,
            "session": session.name,
            "concurrentSessions": len(self.users[user]),
            "limit": self.limit,
            "expiresAt": rfc3339(session.expires + self.wall_minus_boot),
            "heartbeatInterval": self.heartbeat_interval,
        }

    @staticmethod
    def _too_many(user, streams):
        return f"User {user} is trying to watch {streams} streams at once, which is too many."


# Fields may be added to answers at any time. These, though, mean something by being absent.
TELLING_FIELDS = frozenset(
    "error retryAfter sessions device ip content meta reason evictedBy ended next purged wouldPurge".split())


def difference(actual, expected, where="answer"):
    """None if `actual` says all that `expected` says, and has no telling field besides."""
    if actual == expected:
        return None
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected:
            if name not in actual:
                return f"{where}.{name} is missing"
            found = difference(actual[name], expected[name], f"{where}.{name}")
            if found:
                return found
        extra = sorted(TELLING_FIELDS & (actual.keys() - expected.keys()))
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
