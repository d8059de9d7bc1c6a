"""The marks that the figures are held against, one by one."""

from tables import lay_out

MET, MISSED, UNKNOWN = "met", "not met", "not measured"


def find_row(results, work, connections, part=None):
    for row in results.get(part or work, ()):
        if (row["work"], row["connections"]) == (work, connections):
            return row
    return None


def median_ratio(results, work, connections, peer, kind="ratios", part=None):
    row = find_row(results, work, connections, part)
    found = row and row[kind].get(peer)
    return found and found["median"]


def batch_ratio(results, way):
    cell = results.get("batch", {}).get(way)
    return cell and cell["ratio"]["median"]


def tail_ms(results, case):
    found = results.get("tails", {}).get("cases", {}).get(case)
    if found and found.get("checkpoints") == 0:
        return None
    return found and found["p99_worst_second"] / 1000


def full_house(results, ours, its):
    servers = results.get("million", {}).get("servers", {})
    if "concurrencyd" not in servers or "redis" not in servers:
        return None
    return servers["concurrencyd"][ours] / servers["redis"][its]


def process_ratio(results, name):
    cell = results.get("process", {}).get(name)
    return cell and cell["ratio"]


def fleet_row(results, work, figure):
    for row in results.get("fleet", {}).get("rates", ()):
        if row["work"] == work and row[figure]:
            return row[figure]["median"]
    return None


def fleet_part(results, part, figure):
    cell = results.get("fleet", {}).get(part)
    return figure(cell) if cell else None


def figure(results, work, connections, server, key):
    row = find_row(results, work, connections)
    cell = row and row["servers"].get(server)
    return cell and cell[key]


def over(value, *limits):
    """The value against the least of its limits; None where one of them was not measured."""
    return None if value is None or None in limits else value / min(limits)


def bare_sync_us(results):
    return results.get("sync", {}).get("median_us")


def starts_of_the_disk(results):
    """As many as one thread's syncs could carry, 25 in each, less a fifth."""
    sync = bare_sync_us(results)
    return sync and 0.8 * 25 * 1e6 / sync


def start_latency(results):
    """The median start of one connection, against a sync and a round trip."""
    sync, echo = bare_sync_us(results), figure(results, "starts", 1, "echo", "p50")
    ours = figure(results, "starts", 1, "concurrencyd", "p50")
    return ours / (1.3 * sync + echo) if ours and sync and echo else None


def process_latency(results):
    cells, sync = results.get("process", {}), bare_sync_us(results)
    if not sync or not {"concur start", "true"} <= cells.keys():
        return None
    return cells["concur start"]["median_us"] / (cells["true"]["median_us"] + sync)


def evaluate(results):
    """Each mark with its verdict."""
    marks = []

    def add(text, value, least=None, most=None, unit=" x"):
        verdict = UNKNOWN
        if value is not None:
            verdict = MET if (least is None or value >= least) and (most is None or value <= most) else MISSED
        wanted = f">= {least:g}{unit}" if least is not None else f"<= {most:g}{unit}"
        marks.append({"mark": text, "wanted": wanted, "value": value, "unit": unit, "verdict": verdict})

    ours = {(work, count): figure(results, work, count, "concurrencyd", "per_second")
            for work in ("starts", "heartbeats") for count in (50, 200)}
    echo = figure(results, "starts", 50, "echo", "per_second")
    add("durable starts, 50 connections, against 0.8 x 25 a bare sync, or 0.6 x the bare echo where that is less",
        over(ours["starts", 50], starts_of_the_disk(results), echo and 0.6 * echo), least=1)
    add("durable starts, 50 connections, against Redis always", median_ratio(results, "starts", 50, "redis"), least=3)
    add("durable starts, 200 connections, against heartbeats at 200", over(ours["starts", 200], ours["heartbeats", 200]),
        least=0.75)
    add("durable starts, 200 connections, against Redis always", median_ratio(results, "starts", 200, "redis"), least=2.5)
    add("durable starts, 1 connection, median latency against 1.3 x a bare sync and a round trip of the bare echo",
        start_latency(results), most=1)
    for count in (50, 200):
        add(f"heartbeats, {count} connections, against the bare echo", median_ratio(results, "heartbeats", count, "echo"),
            least=0.85)
    # Ours are not synced one by one, and those of Redis are with `always`: both are said.
    add("heartbeats, 50 connections, against Redis always", median_ratio(results, "heartbeats", 50, "redis"), least=3)
    add("heartbeats, 50 connections, against Redis everysec",
        median_ratio(results, "heartbeats", 50, "redis", part="relaxed"), least=3)
    add("batch of 1,000 durable starts, against Redis pipelined by 16",
        batch_ratio(results, "redis, pipelined by 16"), least=5)
    add("batch of 1,000 durable starts, against Redis pipelined by 1,000",
        batch_ratio(results, "redis, pipelined by 1,000"), least=4)
    add("p99 of starts at half of the top rate, checkpoints, worst second", tail_ms(results, "concurrencyd, checkpoints"),
        most=5, unit=" ms")
    add("p99 of starts at half of the top rate, all expire, worst second", tail_ms(results, "concurrencyd, all expire"),
        most=5, unit=" ms")
    for when, key in (("freshly filled", "full"), ("after a restart", "restarted")):
        add(f"memory a session, full house, {when}, against Redis", full_house(results, *[f"bytes_a_session_{key}"] * 2),
            most=0.8)
    add("start-up, full house, against Redis, its file as it was written", full_house(results, *["start_seconds"] * 2),
        most=0.5)
    add("start-up, full house, against Redis, its file rewritten",
        full_house(results, "start_seconds", "start_seconds_rewritten"), most=1.2)
    idle = results.get("idle", {}).get("idle")
    add("a full house at rest, a minute after the last start, of a core", idle and idle["percent"], most=0.5, unit=" %")
    add("concur start as a process, against redis-cli EVALSHA", process_ratio(results, "redis-cli EVALSHA"), most=0.25)
    add("concur start as a process, against true and a bare sync", process_latency(results), most=1.3)
    add("fleet: starts, 50 connections, against a script a start", fleet_row(results, "starts", "ratio"), least=1.2)
    add("fleet: starts, 1 connection, median latency against a script a start",
        fleet_row(results, "starts, one connection", "p50_ratio"), most=1.5)
    add("fleet: heartbeats, 50 connections, against a script each", fleet_row(results, "heartbeats", "ratio"), least=1.2)
    for work in ("start", "heartbeat"):
        add(f"fleet: conflicts of three boxes, {work}s",
            fleet_part(results, "three", lambda cell, work=work: cell[work]["conflicts_percent"]), most=1, unit=" %")
    add("fleet: after kill -9 of a primary, until the engine answers for all again, at a node time-out of 3 s",
        fleet_part(results, "takeover", lambda cell: max(cell["seconds"])), most=7, unit=" s")
    add("fleet: memory in the engine a session, UUID names, three a user",
        fleet_part(results, "memory", lambda cell: cell["box"][3]), most=280, unit=" bytes")
    return marks


def show(marks):
    measured = [mark for mark in marks if mark["value"] is not None]
    lines = [["mark", "wanted", "measured", ""]]
    for mark in measured:
        lines.append([mark["mark"], mark["wanted"], f"{mark['value']:.2f}{mark['unit']}", mark["verdict"]])
    rest = len(marks) - len(measured)
    return lay_out(lines) + ([f"not measured: {rest} of {len(marks)} marks"] if rest else [])
