"""One player that starts again and again against a full account, and what that costs all others: their starts and
heartbeats without it, with it, and beside as many requests to a bare echo, which is what the machine alone takes."""

import contextlib
import json
import statistics
import subprocess

from parts import rates
from servers import BENCH_DIR, LIMIT, BenchError, end_with_parent, load, program
from tables import lay_out, latency, number

CONNECTIONS = 50
RATE = 50_000  # denials a second
PLAYER = ["--users", 1, "--first-user", 50_000_000, "--connections", 8, "--pipeline", 16]  # none of the others' users
CASES = ("alone", "beside an echo", "hammered")
WORKS = ("starts", "heartbeats")


class Player:
    """Asks at a steady rate for a while, beside what else is measured."""

    def __init__(self, server, work, rate, seconds):
        options = [*PLAYER, "--rate", rate, "--seconds", seconds]
        self.process = subprocess.Popen(
            [program(BENCH_DIR, "load", "CONCUR_BENCH_DIR"), "--socket", server.socket, "--protocol", server.protocol,
             "--work", work, "--limit", str(LIMIT), *[str(each) for each in options]],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
        self.seconds = seconds

    def report(self):
        said, complaint = self.process.communicate(timeout=self.seconds + 60)
        report = json.loads(said) if said else {"errors": 1, "first_error": complaint.strip()}
        if report["errors"]:
            raise BenchError(f"the player that hammers: {report['first_error']}")
        return report


def measure_one(bench, case, name):
    work, shrink, seconds = rates.WORKS[name], bench.settings.shrink, bench.settings.seconds
    users, sessions = work["users"] // shrink, work["sessions"] // shrink
    options = ["--users", users, "--connections", CONNECTIONS, "--seconds", seconds, "--prepare", "no"]
    rate = max(1000, RATE // shrink)
    with contextlib.ExitStack() as stack:
        house = (users, sessions) if sessions else None
        server = stack.enter_context(bench.running("concurrencyd", house=house, log_level="info"))
        player = None
        if case == "beside an echo":
            player = Player(stack.enter_context(bench.running("echo")), "start", rate, seconds + 1)
        elif case == "hammered":
            player = Player(server, "denial", rate, seconds + 1)
        report = load(server, work["work"], options, timeout=seconds + 180)
        report["player"] = player and player.report()["per_second"]
        return report


def measure(bench):
    found = {}
    for name in WORKS:
        reports = {case: [] for case in CASES}
        for turn, order in bench.turns(list(CASES)):
            for case in order:
                what = f"{name}, {case}, round {turn + 1}"
                report = bench.try_to(what, lambda: measure_one(bench, case, name))
                if report:
                    reports[case].append(report)
                    bench.say(f"{what}: {report['per_second']:,.0f} /s")
        found[name] = {case: summary(each) for case, each in reports.items() if each}
    return {"connections": CONNECTIONS, "works": found}


def summary(reports):
    found = {key: statistics.median(report["latency_us"][key] for report in reports) for key in ("p50", "p99", "p999")}
    found["per_second"] = statistics.median(report["per_second"] for report in reports)
    found["player"] = statistics.median(report["player"] or 0 for report in reports) or None
    return found


def show(result):
    lines = [[f"others at {result['connections']} connections", "/s", "of alone", "p50", "p99", "p99.9", "the player's /s"]]
    for name, cases in result["works"].items():
        alone = cases.get("alone", {}).get("per_second")
        for case, cell in cases.items():
            lines.append([f"{name}, {case}", number(cell["per_second"]),
                          number(alone and cell["per_second"] / alone, 2), latency(cell["p50"]), latency(cell["p99"]),
                          latency(cell["p999"]), number(cell["player"])])
    return [*lay_out(lines),
            "beside an echo: the player asks an echo for as much, so that what is missing is what the machine takes."]
