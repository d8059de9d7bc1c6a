"""A segment of a video through nginx that asks the daemon first, as packaging/examples/nginx/open.conf has it, beside the
same nginx that asks nobody: as many as it gives, and at 10,000 a second, with the daemon's share of the processor."""

import contextlib
import shutil
import statistics

from servers import REPOSITORY, BenchError, Server, load, processor_us
from tables import latency, lay_out, number

CONNECTIONS = 50
RATE = 10_000  # segments a second
SEGMENT = bytes(16 * 1024)  # short, for it is the asking that is measured
VIEWERS = 10_000  # each of whom has begun to watch
CASES = ("asks nobody", "asks concurrencyd")
WORKS = ("as many as it gives", f"{RATE:,} a second")


class Nginx(Server):
    """One process; `daemon`, where it is given, is asked before each segment."""

    name = "nginx"
    protocol = "segments"
    probe = b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ready_answer = b"HTTP/1.1 204"

    def __init__(self, directory, daemon):
        super().__init__(directory)
        self.daemon = daemon

    def command(self):
        path = shutil.which("nginx")
        if path is None:
            raise BenchError("cannot find nginx: install it (Debian: nginx)")
        (self.directory / "segment.ts").write_bytes(SEGMENT)
        self.directory.chmod(0o755)
        config = self.directory / "nginx.conf"
        config.write_text(f"""
daemon off; master_process off; pid {self.directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile on;
  {self.site()}
}}
""")
        return [path, "-e", "stderr", "-c", str(config), "-p", str(self.directory)]

    def site(self):
        site = (REPOSITORY / "packaging/examples/nginx/open.conf").read_text()
        for place, ours in {
                "unix:/run/concurrencyd/concurrencyd.sock": f"unix:{self.daemon.socket}" if self.daemon else "127.0.0.1:9",
                "listen 8080;": f"listen unix:{self.socket};",
                "proxy_pass http://127.0.0.1:9000;": f"root {self.directory};",
                "auth_request /concurrencyd;": "auth_request /concurrencyd;" if self.daemon else ""}.items():
            if place not in site:
                raise BenchError(f"nginx's example has no {place} any more")
            site = site.replace(place, ours)
        return site


def measure_one(bench, case, work):
    shrink, seconds = bench.settings.shrink, bench.settings.seconds
    viewers = ["--users", VIEWERS // shrink, "--connections", CONNECTIONS]
    options = [*viewers, "--seconds", seconds, "--prepare", "no"]
    if work == WORKS[1]:
        options += ["--rate", max(100, RATE // shrink)]
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(bench.running("concurrencyd")) if case == CASES[1] else None
        nginx = stack.enter_context(Nginx(stack.enter_context(bench.folder()), daemon))
        load(nginx, "fill", [*viewers, "--requests", VIEWERS // shrink], timeout=seconds + 60)
        before = processor_us(daemon.process.pid) if daemon else 0
        report = load(nginx, "heartbeat", options, timeout=seconds + 60)
        used = processor_us(daemon.process.pid) - before if daemon else 0
    asked = sum(report["answers"].values())
    if asked == 0:
        raise BenchError("no segment came")
    return {"per_second": report["per_second"], "nginx_us": report["cpu_us"]["server"], "daemon_us": used / asked,
            **{key: report["latency_us"][key] for key in ("p50", "p99")}}


def measure(bench):
    found = {}
    for work in WORKS:
        reports = {case: [] for case in CASES}
        for turn, order in bench.turns(list(CASES)):
            for case in order:
                what = f"segments, {work}, nginx {case}, round {turn + 1}"
                report = bench.try_to(what, lambda: measure_one(bench, case, work))
                if report:
                    reports[case].append(report)
                    bench.say(f"{what}: {report['per_second']:,.0f} /s")
        found[work] = {case: {key: statistics.median(each[key] for each in reports[case]) for key in reports[case][0]}
                       for case in CASES if reports[case]}
    return found


def show(result):
    lines = [["segments through nginx, 50 connections", "nginx", "/s", "p50", "p99", "nginx µs", "daemon µs", "daemon's share",
              "of a core"]]
    for work, cases in result.items():
        for case, cell in cases.items():
            daemon, nginx = cell["daemon_us"], cell["nginx_us"]
            lines.append([work if case == CASES[0] else "", case, number(cell["per_second"]), latency(cell["p50"]),
                          latency(cell["p99"]), number(nginx, 1), number(daemon or None, 1),
                          number(daemon and 100 * daemon / (daemon + nginx) or None, 0, " %"),
                          number(daemon and cell["per_second"] * daemon / 1e4 or None, 0, " %")])
    return [*lay_out(lines), "µs: processor time a segment. daemon's share: of what both use."]
