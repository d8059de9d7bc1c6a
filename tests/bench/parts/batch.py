"""Many starts at once on one connection: our batch against Redis pipelined."""

import collections

from bench import ratio, summary
from servers import load
from tables import latency, lay_out, number

STARTS = 96_000  # whole bursts of either size
WAYS = {
    "concurrencyd, batches of 1,000": ("concurrencyd", "batch", 1000),
    "redis, pipelined by 16": ("redis", "burst", 16),
    "redis, pipelined by 1,000": ("redis", "burst", 1000),
    "redis, a window of 1,000": ("redis", "window", 1000),
}
OURS = next(iter(WAYS))


def measure_one(bench, way):
    name, flow, pipeline = WAYS[way]
    count = max(STARTS // bench.settings.shrink // 16_000, 1) * 16_000
    options = ["--users", count, "--requests", count, "--seconds", 60, "--connections", 1, "--pipeline", pipeline,
               "--flow", flow]
    with bench.running(name) as server:
        return load(server, "start", options, timeout=120)


def measure(bench):
    ways = [way for way, (name, _, _) in WAYS.items() if name == "concurrencyd" or bench.has(name)]
    found = collections.defaultdict(dict)
    for turn, order in bench.turns(ways):
        for way in order:
            report = bench.try_to(f"{way}, round {turn + 1}", lambda: measure_one(bench, way))
            if report:
                found[way][turn] = report
                bench.say(f"{way}, round {turn + 1}: {report['per_second']:,.0f} starts/s")
    return {way: {**summary(list(found[way].values())), "ratio": ratio(found[OURS], found[way])}
            for way in ways if found[way]}


def show(result):
    lines = [["starts in bursts, one connection", "starts/s", "±", "p50 of a start", "cpu µs", "ours / its"]]
    for way, cell in result.items():
        lines.append([way, number(cell["per_second"]), number(cell["spread_percent"] / 2, 0, " %"),
                      latency(cell["p50"]), number(cell["server_cpu_us"], 1),
                      "" if way == OURS else f"{cell['ratio']['median']:.2f}"])
    return lay_out(lines)
