"""How memory, start-up, listing and purging grow with the sessions."""

import http.client
import json
import socket
import statistics
import threading
import time

from parts.million import USERS_A_SESSION
from parts.plot import write_plot
from tables import latency, lay_out, number

PAGE = 1000
ANSWER_S = 300
ROUNDS = 3  # of starting and listing
PANELS = [("bytes_a_session", "memory a session, bytes"), ("start_seconds", "start-up, s"),
          ("list_seconds", "list all, s"), ("purge_seconds", "purge all, s")]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=ANSWER_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, target, body=None):
        self.request(method, target, body and json.dumps(body))
        answer = self.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise OSError(f"{target} was answered {answer.status}: {text[:200]}")
        return json.loads(text)


class Bystander:
    """Someone else who starts a session and ends it meanwhile: the longest wait for an answer."""

    def __init__(self, path):
        self.connection = UnixConnection(path)
        self.longest = 0.0
        self.failure = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.ask_on)

    def ask_on(self):
        try:
            self.start_and_end()
        except (OSError, http.client.HTTPException) as failure:
            self.failure = failure

    def start_and_end(self):
        over = False
        while not over:
            for method in "PUT", "DELETE":
                begin = time.perf_counter()
                self.connection.ask(method, "/v1/users/bystander/sessions/s1")
                self.longest = max(self.longest, time.perf_counter() - begin)
            over = self.over.wait(0.001)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.connection.close()
        if self.failure:
            raise OSError(f"the bystander: {self.failure}")


def list_all(connection):
    found, after = 0, ""
    while after is not None:
        page = connection.ask("GET", f"/v1/sessions?limit={PAGE}{after}")
        found += len(page["sessions"])
        after = f"&after={page['next']}" if page.get("next") is not None else None
    return found


def timed(act):
    begin = time.perf_counter()
    given = act()
    return time.perf_counter() - begin, given


def measure_one(bench, sessions):
    with bench.running("concurrencyd") as server:
        empty = server.rss_bytes()
        fill = bench.fill(server, max(round(sessions * USERS_A_SESSION), 1), sessions)
        report = {"sessions": sessions, "fill_seconds": fill["seconds"],
                  "bytes_a_session": (server.rss_bytes() - empty) / sessions}
        starts = []
        for _ in range(ROUNDS):
            server.stop()
            server.start()
            starts.append(server.start_seconds)
        report |= {"start_seconds": statistics.median(starts), "disk_bytes": server.disk_bytes()}
        connection = UnixConnection(server.socket)
        with Bystander(server.socket) as bystander:
            lists = [timed(lambda: list_all(connection)) for _ in range(ROUNDS)]
        report |= {"list_seconds": statistics.median(took for took, _ in lists), "listed": lists[0][1],
                   "list_wait_us": bystander.longest * 1e6}
        with Bystander(server.socket) as bystander:
            took, purged = timed(lambda: connection.ask("POST", "/v1/purge", {"all": True}))
        report |= {"purge_seconds": took, "purged": purged["purged"], "purge_wait_us": bystander.longest * 1e6}
        connection.close()
    return report


def measure(bench):
    reports = []
    for sessions in bench.settings.sizes:
        report = bench.try_to(f"scale, {sessions:,} sessions", lambda: measure_one(bench, sessions))
        if report:
            reports.append(report)
            bench.say(f"scale, {sessions:,} sessions: " + ", ".join(f"{title} {report[key]:.3g}" for key, title in PANELS))
    if bench.settings.plot and reports:
        write_plot(bench.settings.plot, [(title, [(report["sessions"], report[key]) for report in reports])
                                         for key, title in PANELS])
        bench.say(f"written: {bench.settings.plot}")
    return reports


def show(reports):
    lines = [["sessions", "memory each", "on disk", "fill", "start-up", "list all", "another waits", "purge all",
              "another waits"]]
    for report in reports:
        lines.append([f"{report['sessions']:,}", number(report["bytes_a_session"], 0, " bytes"),
                      number(report["disk_bytes"] / 1e6, 1, " MB"), number(report["fill_seconds"], 2, " s"),
                      number(report["start_seconds"], 2, " s"), number(report["list_seconds"], 2, " s"),
                      latency(report["list_wait_us"]), number(report["purge_seconds"], 2, " s"),
                      latency(report["purge_wait_us"])])
    return lay_out(lines) + [f"another waits: the longest wait of someone else who starts a session and ends it "
                             f"meanwhile. Lists are pages of {PAGE:,}."]
