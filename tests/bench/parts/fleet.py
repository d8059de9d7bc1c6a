"""One limit over many boxes: six servers on loopback and one box, beside the same client asking the servers by one script a
start; what a takeover takes, what a session takes of the engine's memory, and three boxes against one."""

import collections
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import threading
import time
import uuid

from bench import ratio, summary
from fleet import NODE_TIMEOUT_MS, PRIMARIES, Box, Engine, command, read_reply
from servers import BENCH_DIR, LIMIT, BenchError, end_with_parent, load, program
from tables import latency, lay_out, number

US, SCRIPT = "one box", "a script a start"
# Name -> the work, connections, and what a round asks at most.
WORKS = {
    "starts": {"work": "start", "connections": 50, "requests": 200_000},
    "starts, one connection": {"work": "start", "connections": 1, "requests": 20_000},
    "heartbeats": {"work": "heartbeat", "connections": 50, "requests": None},
}
USERS = 100_000
BEATEN = 20_000  # users that have a session each
MEMORY_SESSIONS = 30_000
FEWEST = {"hash-max-listpack-entries": 128, "hash-max-listpack-value": 64}  # as servers have it by themselves
TAKEOVER_PATIENCE_S = 60


def options_of(bench, name, first_user):
    work = WORKS[name]
    users = (BEATEN if work["work"] == "heartbeat" else USERS) // bench.settings.shrink
    options = ["--users", users, "--first-user", first_user, "--seed", first_user + 1, "--connections", work["connections"],
               "--seconds", bench.settings.seconds]
    if work["requests"]:
        options += ["--requests", max(work["requests"] // bench.settings.shrink, 100)]
    return work["work"], options


def measure_rates(bench):
    found = {name: collections.defaultdict(dict) for name in WORKS}
    for turn, order in bench.turns([US, SCRIPT]):
        with bench.folder() as path, Engine(path) as engine, Box(path, engine) as box:
            asked = {US: box, SCRIPT: engine}
            for at, name in enumerate(WORKS):
                for side in order:
                    what = f"fleet, {name}, {side}, round {turn + 1}"
                    work, options = options_of(bench, name, (2 * at + (side == US)) * 1_000_000)
                    timeout = bench.settings.seconds + 180
                    report = bench.try_to(what, lambda: load(asked[side], work, options, timeout))
                    if report:
                        found[name][side][turn] = report
                        bench.say(f"{what}: {report['per_second']:,.0f} /s, p50 {report['latency_us']['p50']:.0f} µs")
    return [{"work": name, "connections": WORKS[name]["connections"],
             "sides": {side: summary(list(reports.values())) for side, reports in found[name].items()},
             "ratio": ratio(found[name][US], found[name][SCRIPT]),
             "p50_ratio": ratio(found[name][US], found[name][SCRIPT], lambda report: report["latency_us"]["p50"])}
            for name in WORKS]


# --- three boxes ---


def load_at_once(boxes, work, options, timeout):
    """Requests a second of all together."""
    base = [program(BENCH_DIR, "load", "CONCUR_BENCH_DIR"), "--protocol", "http", "--work", work, "--limit", str(LIMIT)]
    running = [subprocess.Popen([*base, "--socket", box.socket, *map(str, more)], stdout=subprocess.PIPE, text=True,
                                preexec_fn=end_with_parent) for box, more in zip(boxes, options)]
    reports = []
    for each in running:
        out, _ = each.communicate(timeout=timeout)
        reports.append(json.loads(out))
        if reports[-1]["errors"]:
            raise BenchError(f"{work}: {reports[-1]['first_error']}")
    return sum(report["per_second"] for report in reports)


def measure_three(bench):
    """The same users at all three, so that boxes do meet; and one box with as many connections."""
    shrink = bench.settings.shrink
    with bench.folder() as path, Engine(path) as engine, contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(Box(path, engine, name)) for name in ("north", "south", "west")]
        result = {}
        for at, work in enumerate(("start", "heartbeat")):
            users = (USERS if work == "start" else BEATEN) // shrink
            common = ["--users", users, "--seconds", bench.settings.seconds]
            options = [[*common, "--connections", 16, "--seed", 10 * at + number, "--first-user", 1_000_000 * at]
                       for number in range(len(boxes))]
            if work == "heartbeat":
                # Each box beats sessions of its own: those of a user's other boxes are under other users' names here.
                options = [[*each, "--first-user", 2_000_000 + 1_000_000 * number] for number, each in enumerate(options)]
            conflicts, asked = (sum(box.metric(name) for box in boxes) for name in ("conflicts_total", "requests_total"))
            three = load_at_once(boxes, work, options, bench.settings.seconds + 180)
            conflicts = sum(box.metric("conflicts_total") for box in boxes) - conflicts
            asked = sum(box.metric("requests_total") for box in boxes) - asked
            one = load_at_once(boxes[:1], work, [[*common, "--connections", 48, "--seed", 7 + at, "--first-user",
                                                  10_000_000 + 1_000_000 * at]], bench.settings.seconds + 180)
            result[work] = {"three": three, "one": one, "conflicts_percent": 100 * conflicts / max(asked, 1)}
            bench.say(f"fleet, {work}: three boxes {three:,.0f} /s, one {one:,.0f} /s, "
                      f"conflicts {result[work]['conflicts_percent']:.3f} %")
        return result


# --- a takeover ---


class Asker(threading.Thread):
    """Starts and beats one user's session at a box, and notes when it was answered by whom and how long that took."""

    def __init__(self, box, user):
        super().__init__(daemon=True)
        self.box, self.user, self.ends = box, user, False
        self.answers = []  # when asked, how long it took, status, degraded

    def run(self):
        connection = UnixConnection(self.box.socket)
        number = 0
        while not self.ends:
            number += 1
            asked = time.monotonic()
            connection.request("PUT", f"/v1/users/{self.user}/sessions/s{number}")
            answer = connection.getresponse()
            body = json.loads(answer.read())
            self.answers.append((asked, time.monotonic() - asked, answer.status, body.get("degraded", False)))
            connection.request("DELETE", f"/v1/users/{self.user}/sessions/s{number}")
            connection.getresponse().read()
            time.sleep(0.01)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def measure_takeover(bench):
    """From kill -9 of a primary until all of some users are answered by the engine again, and stay so."""
    times, longest = [], 0.0
    for turn in range(bench.settings.rounds):
        with bench.folder() as path, Engine(path) as engine, Box(path, engine) as box:
            askers = [Asker(box, f"viewer{number}") for number in range(24)]
            for each in askers:
                each.start()
            time.sleep(0.5)
            killed = time.monotonic()
            engine.primaries[turn % PRIMARIES].end(signal.SIGKILL)
            wait_for_recovery(askers, killed)
            for each in askers:
                each.ends = True
            for each in askers:
                each.join()
        answers = [answer for each in askers for answer in each.answers]
        away = [asked + took for asked, took, status, degraded in answers if degraded or status >= 500]
        if not away:
            raise BenchError("the loss of a primary was not noticed")
        times.append(max(away) - killed)
        longest = max(longest, max(took for _, took, _, _ in answers))
        bench.say(f"fleet, takeover, round {turn + 1}: {times[-1]:.2f} s, the longest answer took {longest:.2f} s")
    return {"seconds": times, "longest_answer": longest, "node_timeout": NODE_TIMEOUT_MS / 1000}


def wait_for_recovery(askers, killed):
    """All were answered by the engine for two seconds."""
    deadline = killed + TAKEOVER_PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(0.1)
        since = time.monotonic() - 2
        lately = [[answer for answer in list(each.answers) if answer[0] > since] for each in askers]
        if since > killed + 1 and all(lately) and not any(degraded or status >= 500 for each in lately
                                                          for _, _, status, degraded in each):
            return
    raise BenchError(f"no takeover within {TAKEOVER_PATIENCE_S} s")


# --- memory ---


def names(users, each):
    """UUIDs: of users, and of the sessions of each."""
    return [(str(uuid.UUID(int=user + 1, version=4)), [str(uuid.UUID(int=(user + 1) << 64 | 7919 * number + 1, version=4))
                                                       for number in range(each)]) for user in range(users)]


def fill_by_box(box, everybody, details=False):
    connection = UnixConnection(box.socket)
    commands = [{"command": "start", "user": user, "session": session,
                 **({"device": user, "content": "a title of 32 bytes, about so"} if details else {})}
                for user, sessions in everybody for session in sessions]
    for at in range(0, len(commands), 1000):
        lines = "".join(json.dumps(each) + "\n" for each in commands[at:at + 1000])
        connection.request("POST", "/v1/batch", lines, {"Content-Type": "application/x-ndjson"})
        answers = connection.getresponse().read().splitlines()
        if any(json.loads(line)["status"] != 201 for line in answers):
            raise BenchError("a start was refused")


def fill_plainly(engine, everybody):
    """Sorted sets of sessions by when they expire."""
    for number, node in enumerate(engine.primaries):
        mine = [each for at, each in enumerate(everybody) if at % PRIMARIES == number]
        tag = tag_of(number)
        with socket.create_connection(("127.0.0.1", node.port)) as client, client.makefile("rb") as answers:
            for user, sessions in mine:
                words = [word for session in sessions for word in (1_795_449_600_000 + len(user), session)]
                # The braces only choose the server; their bytes are those that the box's prefix takes.
                client.sendall(command("ZADD", f"{{{tag}}}{user}", *words) + command("PEXPIRE", f"{{{tag}}}{user}", 86_400_000))
                read_reply(answers), read_reply(answers)


def tag_of(primary):
    """A short text in a slot of that primary."""
    return {0: "3", 1: "1", 2: "0"}[primary]


def measure_memory(bench):
    sessions = MEMORY_SESSIONS // bench.settings.shrink
    def described(box, everybody):
        fill_by_box(box, everybody, details=True)

    cases = {"box": (fill_by_box, {}), "box, the servers' own limits of listpacks": (fill_by_box, FEWEST),
             "box, with a device and a title": (described, {}),
             "box, with these, the servers' own limits of listpacks": (described, FEWEST), "sorted set": (None, {})}
    result = collections.defaultdict(dict)
    for each in (1, LIMIT):
        everybody = names(sessions // each, each)
        for name, (fill, settings) in cases.items():
            with bench.folder() as path, Engine(path, **settings) as engine:
                if fill is None:
                    before = engine.memory()
                    fill_plainly(engine, everybody)
                else:
                    with Box(path, engine) as box:
                        before = engine.memory()
                        fill(box, everybody)
                taken = (engine.memory() - before) / (len(everybody) * each)
            result[name][each] = taken
            bench.say(f"fleet, memory, {each} a user, {name}: {taken:.0f} bytes a session")
    return dict(result)


def measure(bench):
    result = {"rates": measure_rates(bench)}
    for name, part in (("three", measure_three), ("takeover", measure_takeover), ("memory", measure_memory)):
        result[name] = bench.try_to(f"fleet, {name}", lambda part=part: part(bench))
    return result


def show(result):
    lines = [["fleet", "conn.", "asked", "/s", "p50", "p99", "cpu µs", "ours / its", "of p50"]]
    for row in result["rates"]:
        for at, (side, cell) in enumerate(row["sides"].items()):
            of = [f"{found['median']:.2f} ({found['least']:.2f}–{found['most']:.2f})" if found and side == US else ""
                  for found in (row["ratio"], row["p50_ratio"])]
            lines.append([row["work"] if at == 0 else "", str(row["connections"]) if at == 0 else "", side,
                          number(cell["per_second"]), latency(cell["p50"]), latency(cell["p99"]),
                          number(cell["server_cpu_us"] or None, 1), *of])
    text = lay_out(lines)
    if result.get("three"):
        rows = [["three boxes against one", "three, /s", "one, /s", "conflicts"]]
        rows += [[work, number(cell["three"]), number(cell["one"]), f"{cell['conflicts_percent']:.3f} %"]
                 for work, cell in result["three"].items()]
        text += ["", *lay_out(rows)]
    if result.get("takeover"):
        cell = result["takeover"]
        text += ["", f"after kill -9 of a primary: {', '.join(f'{each:.2f}' for each in cell['seconds'])} s until all users are "
                     f"answered by the engine again, at a node time-out of {cell['node_timeout']:g} s; the longest answer took "
                     f"{cell['longest_answer']:.2f} s"]
    if result.get("memory"):
        rows = [["memory in the engine, bytes a session", "one a user", "three a user"]]
        rows += [[name, *(number(cell[each]) for each in sorted(cell))] for name, cell in result["memory"].items()]
        text += ["", *lay_out(rows)]
    return text
