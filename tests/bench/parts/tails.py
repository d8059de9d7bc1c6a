"""The slowest starts at half of the top rate: in calm, while a checkpoint runs, while a full house expires; and
Redis, in calm and while it rewrites its file."""

import contextlib
import statistics
import threading
import time

from parts.million import USERS_A_SESSION
from servers import BenchError, load
from tables import latency, lay_out, number

CONNECTIONS = 50
USERS = 2_000_000
FIRST_USER = 10_000_000  # none of those in the house
TOP_SECONDS = 2
SECONDS = 8
ROUNDS = 3
LOOK_S = 0.005
EXPIRE_SESSIONS_A_SECOND = 4_000  # how fast the house is filled, and at rest, at least


class Checkpoints:
    """Counts the moments at which the database file itself is written: only a checkpoint does that."""

    def __init__(self, path):
        self.path = path
        self.times = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        before = self.path.stat().st_mtime_ns
        while not self.over.wait(LOOK_S):
            now = self.path.stat().st_mtime_ns
            if now != before:
                self.times.append(time.monotonic())
            before = now

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def starts(server, seconds, *more):
    return load(server, "start", ["--users", USERS, "--first-user", FIRST_USER, "--connections", CONNECTIONS,
                                  "--seconds", seconds, "--seed", 7, *more], timeout=seconds + 60)


def top_rate(bench, name, house):
    rates = []
    for _ in range(ROUNDS):
        with bench.running(name, house=house, at_rest=True) as server:
            rates.append(starts(server, TOP_SECONDS)["per_second"])
    return statistics.median(rates)


def at_half(server, top):
    return starts(server, SECONDS, "--rate", round(top / 2), "--by-second", "yes")


def worst_second(report):
    """The p99 of the worst second."""
    return max(second["latency_us"]["p99"] for second in report["by_second"] if second["requests"] > 0)


def calm(bench, name, top, house):
    with bench.running(name, house=house, at_rest=True) as server:
        if name == "redis":
            return at_half(server, top)
        # It checkpoints while it works; a run without one would prove nothing of it.
        with Checkpoints(server.directory / "sessions.db") as checkpoints:
            report = at_half(server, top)
        return {**report, "checkpoints": len(checkpoints.times)}


def rewriting(bench, top, house):
    with bench.running("redis", house=house, at_rest=True) as server:
        timer = threading.Timer(1, server.ask, [b"BGREWRITEAOF\r\n"])
        timer.start()
        try:
            report = at_half(server, top)
        finally:
            timer.cancel()
        took = server.info("aof_last_rewrite_time_sec")
        if server.info("aof_last_bgrewrite_status") != "ok" or took == "-1":
            raise BenchError("redis did not rewrite its file within the measurement")
        return {**report, "rewrite_seconds": int(took)}


def expiring(bench, top, sessions, lease):
    """Started with leases that are over: whoever was active gets a heartbeat interval, all of them the same moment."""
    house = bench.house("concurrencyd", round(sessions * USERS_A_SESSION), sessions, lease, at_rest=True)
    left = house.stat().st_mtime + lease - time.time()
    if left > 0:
        bench.say(f"waiting {left:.0f} s until the leases are over")
        time.sleep(left)
    with bench.running("concurrencyd", house=(round(sessions * USERS_A_SESSION), sessions), lease=lease,
                       at_rest=True) as server:
        due = time.monotonic() + lease / 3
        before = server.status()["sessions"]
        if before < sessions * 0.99:
            raise BenchError(f"only {before:,} of {sessions:,} sessions are there to expire")
        time.sleep(max(0.0, due - time.monotonic() - SECONDS / 4))
        report = at_half(server, top)
        end = time.monotonic() + lease / 3
        while (left := server.status()["sessions"]) > report["answers"].get("201", 0) and time.monotonic() < end:
            time.sleep(0.1)
        return {**report, "expired": before, "sessions_left": left}


def measure(bench):
    sessions = bench.settings.sessions
    house = (round(sessions * USERS_A_SESSION), sessions)
    lease = 3 * max(5, round(sessions / EXPIRE_SESSIONS_A_SECOND / 3) + 1)
    result = {"sessions": sessions, "seconds": SECONDS, "cases": {}}
    cases = []
    for name in ["concurrencyd"] + (["redis"] if bench.has("redis") else []):
        top = bench.try_to(f"top rate of {name}", lambda: top_rate(bench, name, house))
        if not top:
            continue
        bench.say(f"top rate of {name} with {sessions:,} sessions: {top:,.0f} starts/s")
        if name == "concurrencyd":
            cases += [("concurrencyd, checkpoints", top, lambda top=top: calm(bench, "concurrencyd", top, house)),
                      ("concurrencyd, all expire", top, lambda top=top: expiring(bench, top, sessions, lease))]
        else:
            cases += [("redis, calm", top, lambda top=top: calm(bench, "redis", top, house)),
                      ("redis, rewrites its file", top, lambda top=top: rewriting(bench, top, house))]
    reports = {case: [] for case, _, _ in cases}
    for turn in range(ROUNDS):
        for case, _, measure_case in cases:
            report = bench.try_to(f"{case}, round {turn + 1}", measure_case)
            if report:
                reports[case].append(report)
                bench.say(f"{case}, round {turn + 1}: p99 {latency(report['latency_us']['p99'])}, "
                          f"of the worst second {latency(worst_second(report))}")
    for case, top, _ in cases:
        if reports[case]:
            result["cases"][case] = summary(reports[case], top)
    return result


def summary(reports, top):
    found = {key: statistics.median(report["latency_us"][key] for report in reports) for key in ("p50", "p99", "p999")}
    found |= {"top_rate": top, "rate": statistics.median(report["per_second"] for report in reports),
              "p99_worst_second": statistics.median(worst_second(report) for report in reports),
              "p99_worst_seconds": [worst_second(report) for report in reports]}
    for key in ("checkpoints", "rewrite_seconds", "expired", "sessions_left"):
        with contextlib.suppress(KeyError):
            found[key] = min(report[key] for report in reports)
    return found


def note(case):
    if "checkpoints" in case:
        return f"the database file was written at {case['checkpoints']} looks or more"
    if "expired" in case:
        return f"{case['expired']:,} expired at once"
    return f"the rewrite took {case['rewrite_seconds']} s" if "rewrite_seconds" in case else ""


def show(result):
    lines = [[f"starts at half of the top rate, {result['sessions']:,} sessions there", "rate /s", "p50", "p99", "p99.9",
              "p99 of the worst second", ""]]
    for name, case in result["cases"].items():
        lines.append([name, number(case["rate"]), latency(case["p50"]), latency(case["p99"]), latency(case["p999"]),
                      latency(case["p99_worst_second"]), note(case)])
    return lay_out(lines)
