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


def evaluate(results):
    """Each mark with its verdict."""
    marks = []

    def add(text, value, least=None, most=None, unit=" x"):
        verdict = UNKNOWN
        if value is not None:
            verdict = MET if (least is None or value >= least) and (most is None or value <= most) else MISSED
        wanted = f">= {least:g}{unit}" if least is not None else f"<= {most:g}{unit}"
        marks.append({"mark": text, "wanted": wanted, "value": value, "unit": unit, "verdict": verdict})

    for connections in (50, 200):
        add(f"durable starts, {connections} connections, against Redis always",
            median_ratio(results, "starts", connections, "redis"), least=3)
    add("durable starts, 1 connection, median latency against Redis always",
        median_ratio(results, "starts", 1, "redis", "p50_ratios"), most=1)
    # Ours are not synced one by one, and those of Redis are with `always`: both are said.
    add("heartbeats, 50 connections, against Redis always", median_ratio(results, "heartbeats", 50, "redis"), least=3)
    add("heartbeats, 50 connections, against Redis everysec",
        median_ratio(results, "heartbeats", 50, "redis", part="relaxed"), least=3)
    add("batch of 1,000 durable starts, against Redis pipelined by 16",
        batch_ratio(results, "redis, pipelined by 16"), least=5)
    add("batch of 1,000 durable starts, against Redis pipelined by 1,000",
        batch_ratio(results, "redis, pipelined by 1,000"), least=3)
    echo = median_ratio(results, "heartbeats", 50, "echo")
    add("single requests (heartbeats), 50 connections, against the bare echo", echo and 100 * echo, least=60, unit=" %")
    add("p99 of starts at half of the top rate, checkpoints, worst second", tail_ms(results, "concurrencyd, checkpoints"),
        most=5, unit=" ms")
    add("p99 of starts at half of the top rate, all expire, worst second", tail_ms(results, "concurrencyd, all expire"),
        most=5, unit=" ms")
    add("memory a session, full house, against Redis", full_house(results, *["bytes_a_session_full"] * 2), most=1)
    add("start-up, full house, against Redis, its file as it was written", full_house(results, *["start_seconds"] * 2),
        most=0.7)
    add("start-up, full house, against Redis, its file rewritten",
        full_house(results, "start_seconds", "start_seconds_rewritten"), most=0.7)
    add("concur start as a process, against redis-cli EVALSHA", process_ratio(results, "redis-cli EVALSHA"), most=0.25)
    add("concur start as a process, against true", process_ratio(results, "true"), most=2)
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
