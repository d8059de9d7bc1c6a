"""A bare sync: what a commit's bytes cost on this disk, written over a file that is there, as fast as one thread can."""

import os
import statistics
import tempfile
import time

from tables import latency, lay_out, number

BYTES = 16 * 1024  # of a commit of some 30 starts
FILE_BYTES = 16 * 1024 * 1024
WRITES = 300  # a round


def measure_round(file):
    data, times = os.urandom(BYTES), []
    for at in range(WRITES):
        begin = time.perf_counter()
        os.pwrite(file, data, at * BYTES % FILE_BYTES)
        times.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(times)


def measure(bench):
    with tempfile.NamedTemporaryFile(dir=bench.directory) as file:
        file.write(bytes(FILE_BYTES))
        file.flush()
        os.fsync(file.fileno())
        synced = os.open(file.name, os.O_WRONLY | os.O_DSYNC)
        try:
            rounds = [measure_round(synced) for _ in range(bench.settings.rounds)]
        finally:
            os.close(synced)
    return {"median_us": statistics.median(rounds), "least_us": min(rounds), "most_us": max(rounds)}


def show(result):
    return lay_out([[f"a bare sync of {BYTES // 1024} KiB", "median", "least", "most", "/s"],
                    ["", *[latency(result[key]) for key in ("median_us", "least_us", "most_us")],
                     number(1e6 / result["median_us"])]])
