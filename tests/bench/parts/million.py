"""A full house: memory and disk of its sessions, the time to fill it and to start with it."""

import statistics
import time

from servers import BenchError
from tables import lay_out, number

REWRITE_S = 300
USERS_A_SESSION = 0.43  # a million sessions of 430,000 users
ROUNDS = 3  # of starting


def rewrite(redis):
    """Makes Redis compact its file, as it does by itself in the long run: the faster to load."""
    redis.ask(b"BGREWRITEAOF\r\n")
    end = time.monotonic() + REWRITE_S
    while time.monotonic() < end:
        if (redis.info("aof_rewrite_in_progress"), redis.info("aof_rewrite_scheduled")) == ("0", "0"):
            return
        time.sleep(0.1)
    raise BenchError(f"redis did not rewrite its file within {REWRITE_S} s")


def restart(server, report, suffix=""):
    """Stops and starts it a few times and notes the medians."""
    starts, memory = [], []
    for _ in range(ROUNDS):
        report["stop_seconds" + suffix] = server.stop()
        report["disk_bytes_stopped" + suffix] = server.disk_bytes()
        server.start()
        starts.append(server.start_seconds)
        memory.append(server.rss_bytes())
    report["start_seconds" + suffix] = statistics.median(starts)
    report["rss_restarted" + suffix] = statistics.median(memory)


def measure_one(bench, name, sessions):
    with bench.running(name) as server:
        report = {"rss_empty": server.rss_bytes()}
        fill = bench.fill(server, round(sessions * USERS_A_SESSION), sessions)
        report |= {"fill_seconds": fill["seconds"], "fill_per_second": fill["per_second"],
                   "answers": fill["answers"], "rss_full": server.rss_bytes(), "disk_bytes": server.disk_bytes()}
        bench.say(f"{name}: {sessions:,} sessions filled in {fill['seconds']:.1f} s")
        restart(server, report)
        if name == "redis":
            rewrite(server)
            restart(server, report, "_rewritten")
    for key in [key for key in report if key.startswith("rss_") and key != "rss_empty"]:
        report[key.replace("rss_", "bytes_a_session_")] = (report[key] - report["rss_empty"]) / sessions
    return report


def measure(bench):
    names = ["concurrencyd"] + (["redis"] if bench.has("redis") else [])
    sessions = bench.settings.sessions
    reports = {name: bench.try_to(f"{sessions:,} sessions in {name}", lambda: measure_one(bench, name, sessions))
               for name in names}
    return {"sessions": sessions, "servers": {name: report for name, report in reports.items() if report}}


LINES = [("memory when empty", "rss_empty", 1e6, "MB"),
         ("memory when full", "rss_full", 1e6, "MB"),
         ("memory a session", "bytes_a_session_full", 1, "bytes"),
         ("time to fill", "fill_seconds", 1, "s"),
         ("on disk when full", "disk_bytes", 1e6, "MB"),
         ("time to stop", "stop_seconds", 1, "s"),
         ("on disk when stopped", "disk_bytes_stopped", 1e6, "MB"),
         ("time to start", "start_seconds", 1, "s"),
         ("memory a session when started again", "bytes_a_session_restarted", 1, "bytes"),
         ("the same after a rewrite: on disk", "disk_bytes_stopped_rewritten", 1e6, "MB"),
         ("time to start", "start_seconds_rewritten", 1, "s"),
         ("memory a session", "bytes_a_session_restarted_rewritten", 1, "bytes")]


def show(result):
    servers = result["servers"]
    lines = [[f"{result['sessions']:,} sessions", *servers]]
    for title, key, unit, label in LINES:
        lines.append([title, *[number(report[key] / unit, 2, f" {label}") if key in report else "-"
                               for report in servers.values()]])
    return lay_out(lines)
