"""A full house at rest: what the daemon takes of the processor while nobody asks, a minute after the last session started."""

import time

from parts.million import USERS_A_SESSION
from servers import processor_us
from tables import lay_out, number

WAIT_S = 60
SECONDS = 60


def measure_one(bench, sessions):
    # At a smoke test's size nothing is worth a wait.
    shrink = bench.settings.shrink
    with bench.running("concurrencyd") as server:
        bench.fill(server, round(sessions * USERS_A_SESSION), sessions)
        time.sleep(WAIT_S / shrink)
        parts, begin, before = server.parts_to_add_up(), time.monotonic(), processor_us(server.process.pid)
        time.sleep(SECONDS / shrink)
        used = processor_us(server.process.pid) - before
        seconds = time.monotonic() - begin
        return {"percent": used / seconds / 1e4, "parts": parts,
                "parts_per_second": (parts - server.parts_to_add_up()) / seconds}


def measure(bench):
    sessions = bench.settings.sessions
    return {"sessions": sessions, "idle": bench.try_to(f"{sessions:,} sessions at rest", lambda: measure_one(bench, sessions))}


def show(result):
    cell = result["idle"]
    lines = [[f"{result['sessions']:,} sessions at rest", ""]]
    if cell:
        lines += [["of a core", number(cell["percent"], 2, " %")],
                  ["parts of the record that wait to be added up", number(cell["parts"])],
                  ["added up a second", number(cell["parts_per_second"])]]
    return lay_out(lines)
