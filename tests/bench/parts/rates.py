"""Requests a second and their latencies, by work and connections."""

import collections

from bench import ratio, summary
from servers import load
from tables import latency, lay_out, number

# As many starts as users, so that nearly all are admitted: each user gets one on average, and some 2 % of the starts
# meet a user who has three already.
WORKS = {
    "starts": {"work": "start", "users": 100_000, "requests": 100_000, "sessions": 0},
    "heartbeats": {"work": "heartbeat", "users": 100_000, "sessions": 100_000},
    "denials": {"work": "denial", "users": 30_000, "sessions": 90_000},
    "mixed": {"work": "mixed", "users": 100_000, "sessions": 100_000},
}
US = "concurrencyd"


def measure_one(bench, name, durability, work, connections):
    shrink = bench.settings.shrink
    users, sessions = work["users"] // shrink, work["sessions"] // shrink
    options = ["--users", users, "--connections", connections, "--seconds", bench.settings.seconds, "--prepare", "no"]
    if "requests" in work:
        options += ["--requests", work["requests"] // shrink]
    with bench.running(name, durability, (users, sessions) if sessions else None) as server:
        report = load(server, work["work"], options, timeout=bench.settings.seconds + 180)
    if name == "postgres":
        # Its work is done by processes other than the one that listens.
        report["cpu_us"]["server"] = 0.0
    return report


def measure(bench, name, durability="full", connections=None):
    """The rows of one work, one for each count of connections."""
    servers = [US, *bench.settings.peers]
    rows = []
    for count in connections or bench.settings.connections:
        found = collections.defaultdict(dict)
        for turn, order in bench.turns(servers):
            for server in order:
                what = f"{name}, {count} conn., {server}, round {turn + 1}"
                report = bench.try_to(what, lambda: measure_one(bench, server, durability, WORKS[name], count))
                if report:
                    found[server][turn] = report
                    bench.say(f"{what}: {report['per_second']:,.0f} /s")
        rows.append({
            "work": name, "connections": count, "durability": durability,
            "servers": {server: summary(list(found[server].values())) for server in servers if found[server]},
            "ratios": {peer: ratio(found[US], found[peer]) for peer in bench.settings.peers},
            "p50_ratios": {peer: ratio(found[US], found[peer], lambda report: report["latency_us"]["p50"])
                           for peer in bench.settings.peers}})
    return rows


def show_ratio(row, name):
    found = row["ratios"].get(name)
    return f"{found['median']:.2f} ({found['least']:.2f}–{found['most']:.2f})" if found else "-"


def show(rows):
    lines = [["work", "conn.", "server", "/s", "±", "p50", "p99", "p99.9", "cpu µs", "ours / its"]]
    for row in rows:
        for at, (name, cell) in enumerate(row["servers"].items()):
            work = row["work"] + (" (normal)" if row["durability"] == "normal" else "")
            lines.append([
                work if at == 0 else "", str(row["connections"]) if at == 0 else "", name,
                number(cell["per_second"]), number(cell["spread_percent"] / 2, 0, " %"), latency(cell["p50"]),
                latency(cell["p99"]), latency(cell["p999"]), number(cell["server_cpu_us"] or None, 1),
                "" if name == US else show_ratio(row, name)])
    return [*lay_out(lines),
            "±: half of the spread of the rounds. cpu: processor time of the server for one request, all threads. "
            "ours / its: median of the rounds' ratios (least–most)."]
