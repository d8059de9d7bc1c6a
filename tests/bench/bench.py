"""What the parts of a run share: its settings, its folder, and one measurement of one server."""

import collections
import contextlib
import dataclasses
import itertools
import pathlib
import shutil
import statistics
import sys

from servers import SERVERS, BenchError, load

FILL_S = 900
CONNECTIONS_OF_FILL = ["--connections", 64, "--pipeline", 16]


@dataclasses.dataclass
class Settings:
    rounds: int
    seconds: float
    connections: list
    peers: list
    sessions: int  # of a full house
    shrink: int  # divides the users and sessions of the works
    sizes: list  # of the scale
    plot: pathlib.Path  # of the scale; none where it is not wanted
    churn: int  # sessions in the week of churn


class Bench:
    def __init__(self, settings, directory):
        self.settings = settings
        self.directory = pathlib.Path(directory)
        self.failures = []
        self.kept = {}
        self.number = itertools.count()

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def has(self, peer):
        return peer in self.settings.peers

    def turns(self, names):
        """Each round, and the servers in the order of their turn: another one begins each time."""
        for turn in range(self.settings.rounds):
            at = turn % len(names)
            yield turn, names[at:] + names[:at]

    @contextlib.contextmanager
    def folder(self, kept=None):
        """A folder of its own, a copy of what was kept where that is given; it goes with the context."""
        path = self.directory / f"run{next(self.number)}"
        if kept is None:
            path.mkdir()
        else:
            shutil.copytree(kept, path, ignore=shutil.ignore_patterns("*.sock*", "*.log", ".s.*"))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def house(self, name, users, sessions, lease=None, at_rest=False):
        """A folder in which the server left this many sessions; filled once, the quick way, to be copied. At rest: what
        the filling left to be done in quiet moments is done."""
        key = (name, users, sessions, lease, at_rest)
        if key not in self.kept:
            self.say(f"filling {name} with {sessions:,} sessions")
            path = self.directory / f"house{next(self.number)}"
            path.mkdir()
            with self.server(name, path, "normal", lease) as server:
                self.fill(server, users, sessions)
                if at_rest:
                    server.come_to_rest()
            self.kept[key] = path
        return self.kept[key]

    def fill(self, server, users, sessions):
        return load(server, "fill", ["--users", users, "--requests", sessions, *CONNECTIONS_OF_FILL], timeout=FILL_S)

    def server(self, name, path, durability="full", lease=None, log_level=None):
        server = SERVERS[name](path, durability)
        server.lease = lease or server.lease
        server.log_level = log_level or server.log_level
        return server

    @contextlib.contextmanager
    def running(self, name, durability="full", house=None, lease=None, at_rest=False, log_level=None):
        """A server in a folder of its own: none inherits what another left behind."""
        kept = None
        if house and name != "echo":
            kept = self.house(name, *house, lease, at_rest)
        with self.folder(kept) as path, self.server(name, path, durability, lease, log_level) as server:
            yield server

    def try_to(self, what, measure):
        """What it returns; None, and the failure is kept, where it fails."""
        try:
            return measure()
        except BenchError as error:
            self.failures.append(f"{what}: {error}")
            self.say(f"{what}: {error}")
            return None


def summary(reports):
    """Medians over the rounds, and the distance from the least to the most in percent of them."""
    rates = [report["per_second"] for report in reports]
    median = statistics.median(rates)
    answers = collections.Counter()
    for report in reports:
        answers.update(report["answers"])
    middle = {key: statistics.median(report["latency_us"][key] for report in reports)
              for key in ("p50", "p99", "p999")}
    processor = {f"{side}_cpu_us": statistics.median(report["cpu_us"][side] for report in reports)
                 for side in ("server", "client")}
    return {"per_second": median, "spread_percent": 100 * (max(rates) - min(rates)) / median, "rates": rates,
            "answers": dict(answers), **middle, **processor}


def ratio(over, under, figure=lambda report: report["per_second"]):
    """The median of each round's ratio, and the least and the most: what disturbs the machine for longer than a
    measurement disturbs both sides of a round. Takes reports by round; None where no round has both."""
    ratios = [figure(over[turn]) / figure(under[turn]) for turn in sorted(over.keys() & under.keys())]
    if not ratios:
        return None
    return {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
