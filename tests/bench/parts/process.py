"""`concur start` as a whole process, beside `redis-cli EVALSHA` and `true`."""

import contextlib
import hashlib
import os
import shutil
import statistics
import time

from servers import BIN_DIR, HERE, LIMIT, BenchError, program
from tables import latency, lay_out, number

RUNS = 40  # of each in a round
FILES = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]


def microseconds(command):
    begin = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=FILES)
    _, status = os.waitpid(process, 0)
    took = time.perf_counter() - begin
    if status != 0:
        raise BenchError(f"{command[0]} failed with status {status}")
    return took * 1e6


def concur_start(server):
    path = program(BIN_DIR, "concur", "CONCUR_BIN_DIR")
    return lambda user: [path, "--socket", server.socket, "start", "--user", user, "--session", "phone"]


def redis_start(server):
    path = shutil.which("redis-cli")
    if path is None:
        raise BenchError("cannot find redis-cli: install it (Debian: redis-tools)")
    script = (HERE / "redis/start.lua").read_bytes()
    server.ask(b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%d\r\n%b\r\n" % (len(script), script))
    sha = hashlib.sha1(script).hexdigest()
    return lambda user: [path, "-s", server.socket, "EVALSHA", sha, "1", user, "phone",
                         str(time.time_ns() // 1_000_000), str(server.lease * 1000), str(LIMIT)]


def measure(bench):
    times = {}
    with contextlib.ExitStack() as stack:
        commands = {"concur start": concur_start(stack.enter_context(bench.running("concurrencyd")))}
        if bench.has("redis"):
            commands["redis-cli EVALSHA"] = redis_start(stack.enter_context(bench.running("redis")))
        commands["true"] = lambda _: [shutil.which("true")]
        times = {name: [] for name in commands}
        for turn in range(RUNS * bench.settings.rounds):
            for name, command in commands.items():
                times[name].append(microseconds(command(f"user{turn}")))
    ours = times["concur start"]
    return {name: {"median_us": statistics.median(taken), "p90_us": statistics.quantiles(taken, n=10)[-1],
                   "ratio": statistics.median(mine / its for mine, its in zip(ours, taken))}
            for name, taken in times.items()}


def show(result):
    lines = [["as a whole process", "median", "p90", "ours / its"]]
    for name, cell in result.items():
        lines.append([name, latency(cell["median_us"]), latency(cell["p90_us"]),
                      "" if name == "concur start" else number(cell["ratio"], 2)])
    return lay_out(lines)
