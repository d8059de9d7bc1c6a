"""What the daemon reports about itself: /metrics as Prometheus reads it, the alerts and the dashboard, and the log.

Where promtool or prometheus is not installed (packaging/install-build-needs --with-clients) the cases that need them are
skipped and say so.
"""

import http.client
import json
import math
import os
import pathlib
import re
import resource
import subprocess
import unittest

import doors
import harness
from engine_server import EngineServer
from harness import SECOND, needs
from prometheus_server import EACH_SECOND, JOB, RULES, Bridge, Prometheus

DASHBOARD = harness.REPOSITORY / "packaging" / "grafana" / "concurrencyd.json"


def promtool(*arguments, given=None):
    done = subprocess.run(["promtool", *map(str, arguments)], input=given, capture_output=True,
                          timeout=harness.seconds(60), check=False)
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode != 0:
        raise AssertionError(f"promtool {arguments[0]} {arguments[1]} ended with {done.returncode}:\n{output}")
    return output


def metrics(connection):
    """The samples of /metrics, by name and labels as they are written."""
    answer = connection.get("/metrics")
    assert answer.status == 200, answer
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def log_lines(daemon, wanted):
    """The lines of the log that hold the word, from their level on."""
    lines = daemon.log_text().split("\n")
    return [line.split(" ", 1)[1] for line in lines if wanted in line]


def wait_for_lines(daemon, wanted, count):
    harness.wait_until(lambda: len(log_lines(daemon, wanted)) >= count, f"the log has {count} lines with {wanted!r}")
    return log_lines(daemon, wanted)


class Metrics(unittest.TestCase):
    def setUp(self):
        self.clock = harness.TestClock(harness.private_folder())
        self.daemon = self.enterContext(harness.Daemon(clock=self.clock))
        self.connection = self.enterContext(self.daemon.connect())

    def story(self):
        connection = self.connection
        for session in ("s1", "s2", "s3", "s4", "s1"):
            connection.start("abc", session)
        for session in ("s1", "s2", "never"):
            connection.heartbeat("abc", session)
        connection.end("abc", "s1")
        connection.end("abc", "s1")
        connection.heartbeat("abc", "s1")
        connection.start("on one device", "s1", {"device": "tv"})
        connection.start("on one device", "s2", {"device": "tv"})
        connection.ask(harness.request("POST", "/v1/purge", {"user": "on one device"}))
        self.clock.advance(90 * SECOND)
        connection.start("abc", "s5")

    def test_each_thing_is_counted_where_it_belongs(self):
        self.story()
        reported = metrics(self.connection)
        expected = {
            'starts_total{outcome="started"}': 6, 'starts_total{outcome="renewed"}': 1,
            'starts_total{outcome="denied"}': 1, 'starts_total{outcome="would_deny"}': 0,
            'starts_total{outcome="failed"}': 0, 'heartbeats_total{outcome="renewed"}': 2,
            'heartbeats_total{outcome="unknown"}': 1, 'heartbeats_total{outcome="gone"}': 1,
            'ends_total{outcome="ended"}': 1, 'ends_total{outcome="not_active"}': 1,
            "sessions_evicted_total": 1, "sessions_purged_total": 1, "sessions_expired_total": 2,
            "sessions": 1, "users": 1, "limit_sessions": 3, "lease_seconds": 90, "healthy": 1, "watchers": 0,
            "connections": 1, "connections_limit": 4096, "commits_failed_total": 0, "uptime_seconds": 90,
            'request_duration_seconds_count{command="start"}': 8,
            'request_duration_seconds_bucket{command="start",le="+Inf"}': 8,
            'request_duration_seconds_count{command="other"}': 1,
        }
        self.assertEqual({name: reported["concurrencyd_" + name] for name in expected}, expected)
        for name in ("database_bytes", "wal_bytes", "resident_memory_bytes", "open_files", "start_time_seconds"):
            self.assertGreater(reported["concurrencyd_" + name], 0, name)
        status = self.connection.get("/v1/status").json()
        self.assertEqual(reported["concurrencyd_commit_duration_seconds_count"], status["database"]["commits"])
        self.assertEqual((status["rates"]["evictions"]["total"], status["rates"]["expiries"]["total"]), (1, 2))
        self.assertEqual(status["journal"]["waitingChanges"], 0)

    def test_the_figures_of_the_process_are_the_systems(self):
        reported = metrics(self.connection)
        soft, _ = resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE)
        self.assertEqual(reported["concurrencyd_open_files_limit"], soft)
        self.assertEqual(reported["concurrencyd_open_files"], len(os.listdir(f"/proc/{self.daemon.pid}/fd")))

    def test_type_of_the_content_and_who_may(self):
        answer = self.connection.get("/metrics")
        self.assertEqual(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(self.connection.ask(harness.request("POST", "/metrics", {})).status, 405)

    def test_no_user_is_named(self):
        self.connection.start("a secret name", "a secret session", {"device": "a secret device"})
        self.assertNotIn(b"secret", self.connection.get("/metrics").body)

    @needs("promtool")
    def test_promtool_finds_nothing_to_mend(self):
        self.story()
        self.assertEqual(promtool("check", "metrics", given=self.connection.get("/metrics").body), "")

    def test_what_cannot_be_stored_counts_as_failed(self):
        self.connection.start("abc", "s1")
        unlimited = resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
        self.assertEqual(self.connection.start("abc", "s2").status, 503)
        reported = metrics(self.connection)
        self.assertEqual(reported["concurrencyd_healthy"], 0)
        self.assertEqual(reported['concurrencyd_starts_total{outcome="failed"}'], 1)
        self.assertEqual(reported['concurrencyd_starts_total{outcome="started"}'], 1)
        self.assertGreaterEqual(reported["concurrencyd_commits_failed_total"], 1)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, unlimited)
        harness.wait_until(lambda: metrics(self.connection)["concurrencyd_healthy"] == 1, "commits work again")


class Log(unittest.TestCase):
    def start(self, *options):
        self.clock = harness.TestClock(harness.private_folder())
        daemon = self.enterContext(harness.Daemon(*options, clock=self.clock))
        self.connection = self.enterContext(daemon.connect())
        return daemon

    def deny(self, user, count, first=4):
        for session in ("s1", "s2", "s3"):
            self.connection.start(user, session)
        for number in range(first, first + count):
            self.assertEqual(self.connection.start(user, f"s{number}").status, 409)

    def test_denials_of_a_user_are_a_line_a_minute_with_their_count(self):
        daemon = self.start("--lease", "600s")
        self.deny("abc", 1)
        self.deny("xyz", 59)
        lines = ['info denied: user "abc" session "s4" (3 of 3 active)',
                 'info denied: user "xyz" session "s4" (3 of 3 active)']
        self.assertEqual(log_lines(daemon, "denied:"), lines)
        self.clock.advance(60 * SECOND)
        lines.append('info denied: user "xyz" session "s62" (3 of 3 active); 57 more of this user in the last minute')
        self.assertEqual(wait_for_lines(daemon, "denied:", 3), lines)
        self.deny("xyz", 5)
        self.clock.advance(59 * SECOND)
        self.deny("abc", 1)  # its own minute is over
        lines.append('info denied: user "abc" session "s4" (3 of 3 active)')
        self.assertEqual(wait_for_lines(daemon, "denied:", 4), lines)
        daemon.stop()
        lines.append('info denied: user "xyz" session "s8" (3 of 3 active); 4 more of this user in the last minute')
        self.assertEqual(log_lines(daemon, "denied:"), lines)
        daemon.start()

    def test_no_name_breaks_a_line(self):
        daemon = self.start()
        self.deny('a" \\ b\u2028c 日本', 1)
        self.assertEqual(log_lines(daemon, "denied:"),
                         ['info denied: user "a\\" \\\\ b\\u2028c 日本" session "s4" (3 of 3 active)'])

    def test_json_lines_keep_their_keys(self):
        daemon = self.start("--log-format", "json")
        self.deny('a"b', 1)
        lines = [json.loads(line) for line in daemon.log_text().splitlines()]
        self.assertTrue(all(list(line) == ["time", "level", "message"] for line in lines), lines)
        self.assertEqual(lines[-1]["message"], 'denied: user "a\\"b" session "s4" (3 of 3 active)')

    def test_observed_denials_say_so(self):
        daemon = self.start("--mode", "observe")
        for session in ("s1", "s2", "s3", "s4"):
            self.connection.start("abc", session)
        self.assertEqual(log_lines(daemon, "deny:"), ['info would deny: user "abc" session "s4" (3 of 3 active)'])

    def test_at_warning_no_denial_is_logged_and_heartbeats_never_are(self):
        daemon = self.start("--log-level", "warning")
        self.deny("abc", 3)
        self.connection.heartbeat("abc", "s1")
        self.assertEqual(daemon.log_text(), "")

    def test_the_first_lines_name_all_settings(self):
        daemon = self.start("--limit", "4", "--on-limit", "evict-oldest")
        line, = log_lines(daemon, "listens on")
        self.assertIn(f"listens on {daemon.socket}: database {daemon.database}, limit 4, ", line)
        checked = subprocess.run([*daemon.command(), "--check-config"], capture_output=True, check=True,
                                 env=harness.clean_environment(), timeout=harness.seconds(20)).stdout.decode()
        for key in re.findall(r"^([a-z-]+) = ", checked, re.MULTILINE):
            self.assertTrue(key == "socket" or re.search(rf"[ ,]{key} [^ ]", line), f"{key}: {line}")

    def test_a_large_write_ahead_log_is_logged_once_a_minute(self):
        daemon = self.start()
        self.connection.start("abc", "s1")
        os.truncate(f"{daemon.database}-wal", 300 << 20)  # a hole: SQLite passes over what is no frame of its own
        line = wait_for_lines(daemon, "write-ahead log", 1)[0]
        self.assertIn(f"warning the write-ahead log {daemon.database}-wal has 300 MiB: ", line)
        self.clock.advance(60 * SECOND)
        self.assertEqual(len(wait_for_lines(daemon, "write-ahead log", 2)), 2)
        self.assertEqual(self.connection.start("abc", "s2").status, 201)

    def test_nearly_all_connections_taken_is_logged_once(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4200)), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        daemon = self.start()
        held = [self.enterContext(daemon.connect()) for _ in range(3690)]
        self.assertEqual(held[-1].get("/healthz").status, 200)
        line, = log_lines(daemon, "connections are open")
        self.assertIn("warning 3686 connections are open, and 4096 are the most: ", line)

    def test_a_failing_commit_names_the_remedy(self):
        # To a log that is no file: the limit on file sizes, which stands for the full disk, would hold it back too.
        folder = harness.private_folder()
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        daemon = harness.Daemon(folder=folder)
        daemon.log = f"/proc/{os.getpid()}/fd/{write}"
        daemon.log_tail = lambda: "(it went into a pipe)"
        with daemon, daemon.connect() as connection:
            unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
            self.assertEqual(connection.start("abc", "s1").status, 503)
            said = ""
            while "cannot commit" not in said:  # what is logged waits for nobody, nor does anybody for it
                said += os.read(read, 1 << 16).decode()
            self.assertRegex(said, r"error cannot commit to [^ ]+: .*; starts and ends are answered 503 until it works "
                             r"again: free space on the file system of [^ ]+, or check that the daemon may write to it")
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)


def dashboard_queries(fleet):
    """The queries of its panels: those about a fleet, or all others."""
    board = json.loads(DASHBOARD.read_text())
    return [(panel["title"], target["expr"].replace("$__rate_interval", "15s").replace("$instance", ".*"))
            for panel in board["panels"] for target in panel["targets"] if panel["title"].startswith("Fleet") == fleet]


class Guide(unittest.TestCase):
    """packaging/prometheus/README.md, with other folders and another port."""

    def follow(self):
        """Does what it says up to Prometheus' own configuration; the daemon, the key, and that configuration."""
        self.folder = harness.private_folder()
        text = (RULES.parent / "README.md").read_text()
        for name in ("/etc/concurrencyd/", "/etc/prometheus/"):
            text = text.replace(name, f"{self.folder}/")
        text = text.replace("/usr/share/doc/concurrencyd/", f"{RULES.parent.parent}/")
        blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)
        for kind, block in blocks:
            if kind == "sh" and block.startswith(("key=", "cp ")):
                subprocess.run(["sh", "-euc", re.sub(r"-o \w+ ", "", block)], check=True)
        settings, = [dict(line.split(" = ") for line in block.splitlines()) for kind, block in blocks if kind == "ini"]
        port = settings["listen"].rpartition(":")[2]
        settings["listen"] = "127.0.0.1:0"
        daemon = self.enterContext(harness.Daemon(settings=settings))
        scrape, = [block for kind, block in blocks if kind == "yaml"]
        self.assertIn(f'["127.0.0.1:{port}"]', scrape)
        key = pathlib.Path(re.search(r"credentials_file: (\S+)", scrape).group(1)).read_text().strip()
        return daemon, key, scrape.replace(f":{port}", f":{doors.tcp_port(daemon)}")

    def test_its_key_reads_the_metrics_and_nothing_else(self):
        daemon, key, _ = self.follow()
        for field in ({"x-api-key": key}, {"Authorization": f"Bearer {key}"}):
            for path, expected in (("/metrics", 200), ("/v1/status", 403)):
                connection = http.client.HTTPConnection("127.0.0.1", doors.tcp_port(daemon), timeout=harness.seconds(20))
                self.assertEqual(doors.ask(connection, "GET", path, headers=field)[0], expected, path)
                connection.close()

    @needs("prometheus")
    @needs("promtool")
    def test_its_configuration_is_in_order_and_scrapes_with_the_key(self):
        daemon, _, scrape = self.follow()
        config = self.folder / "prometheus.yml"
        config.write_text(f"global: {json.dumps(EACH_SECOND)}\n{scrape}")
        self.assertIn("SUCCESS", promtool("check", "config", config))
        with daemon.connect() as connection:
            connection.start("abc", "s1")
        with Prometheus(config=config) as prometheus:
            harness.wait_until(lambda: [value for _, value in prometheus.query("up")] == [1], "it is scraped")
            self.assertEqual([value for _, value in prometheus.query("concurrencyd_sessions")], [1])
            self.assertEqual([value for _, value in prometheus.query("count(scrape_samples_scraped > 50)")], [1])
            self.assertIn("ConcurrencydDown", prometheus.rules())
            # A wrong key is seen as what it is: the daemon is gone from Prometheus, and the log says who tries.
            (self.folder / "concurrencyd.key").write_text("0" * 32 + "\n")
            harness.wait_until(lambda: [value for _, value in prometheus.query("up")] == [0], "it is not scraped any more")
        self.assertTrue(log_lines(daemon, "key"), daemon.log_text())

    def test_what_it_names_is_installed(self):
        for name in re.findall(r"/usr/share/doc/concurrencyd/(\S+)", (RULES.parent / "README.md").read_text()):
            self.assertTrue((RULES.parent.parent / name).exists(), name)


@needs("prometheus")
@needs("promtool")
class Scraped(unittest.TestCase):
    """One Prometheus for all, since it takes its time."""

    fleet = False

    @classmethod
    def options(cls):
        return ["--limit", "2"]

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(harness.Daemon(*cls.options()))
        cls.bridge = Bridge(cls.daemon.socket)
        cls.addClassCleanup(cls.bridge.close)
        cls.prometheus = cls.enterClassContext(Prometheus(cls.bridge.address))
        cls.connection = cls.enterClassContext(cls.daemon.connect())
        cls.denied = 0

    def traffic(self, turn):
        user = f"user{turn}"
        for session in ("s1", "s2"):
            self.assertEqual(self.connection.start(user, session).status, 201)
        self.assertEqual(self.connection.start(user, "s3").status, 409)
        type(self).denied += 1
        self.connection.heartbeat(user, "s1")
        self.connection.list(user)
        self.connection.end(user, "s2")

    def test_rules_are_in_order_and_evaluate(self):
        self.assertIn("SUCCESS", promtool("check", "rules", RULES))
        rules = self.prometheus.rules()
        self.assertGreaterEqual(len(rules), 8)
        for name, rule in rules.items():
            with self.subTest(rule=name):
                self.prometheus.query(rule["query"])
                self.assertTrue(rule["annotations"]["summary"] and rule["annotations"]["description"])
        harness.wait_until(lambda: {rule["health"] for rule in self.prometheus.rules().values()} == {"ok"},
                   "each rule was evaluated")

    def test_the_dashboard_has_data_in_every_panel(self):
        waiting, turn = dashboard_queries(self.fleet), 0
        self.assertGreater(len(waiting), 10)

        def each_has_data():
            nonlocal turn
            turn += 1
            self.traffic(turn)
            waiting[:] = [query for query in waiting if not self.has_data(query[1])]
            return not waiting

        harness.wait_until(each_has_data, "each panel has data", within=60, pause=0.1)
        name = 'concurrencyd_starts_total{outcome="denied"}'
        harness.wait_until(lambda: [value for _, value in self.prometheus.query(name)] == [self.denied],
                   f"Prometheus has seen all {self.denied} denials")
        self.assertEqual([value for _, value in self.prometheus.query(f'up{{job="{JOB}"}}')], [1])
        self.assertEqual(self.prometheus.query(self.prometheus.rules()["ConcurrencydDown"]["query"]), [])

    def has_data(self, query):
        return any(not math.isnan(value) for _, value in self.prometheus.query(query))

    def test_alerts_go_off_when_they_should_and_not_before(self):
        minutes = 90
        same = f"x{minutes}"
        bucket = 'concurrencyd_commit_duration_seconds_bucket{instance="a",le="%s"}'
        starts = 'concurrencyd_starts_total{instance="a",outcome="%s"}'
        cases = [
            ("ConcurrencydDown", True, {f'up{{job="{JOB}"}}': f"0{same}"}),
            ("ConcurrencydDown", True, {"other": f"1{same}"}),
            ("ConcurrencydDown", False, {f'up{{job="{JOB}"}}': f"1{same}"}),
            ("ConcurrencydCommitsFailing", True, {"concurrencyd_healthy": f"0{same}"}),
            ("ConcurrencydCommitsFailing", False, {"concurrencyd_healthy": f"1{same}"}),
            ("ConcurrencydCommitsSlow", True, {bucket % "1": f"0+98{same}", bucket % "+Inf": f"0+100{same}",
                                               bucket % "2.5": f"0+100{same}"}),
            ("ConcurrencydCommitsSlow", False, {bucket % "1": f"0+100{same}", bucket % "+Inf": f"0+100{same}"}),
            # a spike: from one denial in a hundred to a half
            ("ConcurrencydDenialSpike", True, {starts % "started": f"0+100{same}",
                                               starts % "denied": "0+1x80 180+100x9"}),
            # the evening: both grow tenfold
            ("ConcurrencydDenialSpike", False, {starts % "started": "0+100x80 9000+1000x9",
                                                starts % "denied": "0+10x80 900+100x9"}),
            # a handful: many by share, few by number
            ("ConcurrencydDenialSpike", False, {starts % "started": f"0+1{same}", starts % "denied": "0x80 1+1x9"}),
            ("ConcurrencydWalGrowing", True, {"concurrencyd_wal_bytes": f"{300 << 20}{same}"}),
            ("ConcurrencydWalGrowing", False, {"concurrencyd_wal_bytes": f"{64 << 20}{same}"}),
            ("ConcurrencydRestarting", True, {"concurrencyd_start_time_seconds": f"0+60{same}"}),
            ("ConcurrencydRestarting", False, {"concurrencyd_start_time_seconds": f"1700000000{same}"}),
        ]
        fleet = "concurrencyd_fleet_"
        slow = fleet + 'request_duration_seconds_bucket{instance="a",le="%s"}'
        answered = fleet + 'requests_total{result="answered"}'
        cases += [
            ("ConcurrencydFleetDegraded", True, {f"{fleet}degraded": f"1{same}"}),
            ("ConcurrencydFleetDegraded", False, {f"{fleet}degraded": f"0{same}"}),
            ("ConcurrencydFleetPrimaryDown", True, {f'{fleet}up{{primary="p",instance="a"}}': f"0{same}",
                                                    f'{fleet}up{{primary="q",instance="a"}}': f"1{same}"}),
            # one box alone does not reach it
            ("ConcurrencydFleetPrimaryDown", False, {f'{fleet}up{{primary="p",instance="a"}}': f"0{same}",
                                                     f'{fleet}up{{primary="p",instance="b"}}': f"1{same}"}),
            ("ConcurrencydFleetShortOfReplicas", True, {f'{fleet}short_of_replicas{{primary="p"}}': f"1{same}"}),
            ("ConcurrencydFleetShortOfReplicas", False, {f'{fleet}short_of_replicas{{primary="p"}}': f"0{same}"}),
            ("ConcurrencydFleetSlow", True, {slow % "0.25": f"0+90{same}", slow % "0.5": f"0+100{same}",
                                             slow % "+Inf": f"0+100{same}"}),
            ("ConcurrencydFleetSlow", False, {slow % "0.25": f"0+100{same}", slow % "+Inf": f"0+100{same}"}),
            ("ConcurrencydFleetConflicts", True, {f"{fleet}conflicts_total": f"0+60{same}", answered: f"0+1000{same}"}),
            ("ConcurrencydFleetConflicts", False, {f"{fleet}conflicts_total": f"0+6{same}", answered: f"0+1000{same}"}),
            ("ConcurrencydFleetForgot", True, {f"{fleet}reclaimed_total": f"0+50{same}"}),
            ("ConcurrencydFleetForgot", False, {f"{fleet}reclaimed_total": f"7{same}"}),
            ("ConcurrencydFleetClocksApart", True, {f'{fleet}clock_offset_seconds{{primary="p"}}': f"-0.7{same}"}),
            ("ConcurrencydFleetClocksApart", False, {f'{fleet}clock_offset_seconds{{primary="p"}}': f"-0.3{same}"}),
            ("ConcurrencydFleetBoxesDiffer", True, {f"{fleet}boxes_differing": f"1{same}"}),
            ("ConcurrencydFleetBoxesDiffer", False, {f"{fleet}boxes_differing": f"0{same}"}),
        ]
        for name, what in (("Connections", "connections"), ("OpenFiles", "open_files")):
            for number in (3700, 3600):
                cases.append((f"Concurrencyd{name}NearBound", number == 3700, {
                    f"concurrencyd_{what}": f"{number}{same}", f"concurrencyd_{what}_limit": f"4096{same}"}))
        rules = self.prometheus.rules()
        self.assertEqual({name for name, _, _ in cases}, set(rules))
        tests = [{
            "name": f"{name} {fires}", "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in given.items()],
            "promql_expr_test": [{"expr": f"count({rules[name]['query']})", "eval_time": f"{minutes}m",
                                  "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}],
        } for name, fires, given in cases]
        path = self.prometheus.folder / "alerts.json"
        path.write_text(json.dumps({"tests": tests}))
        promtool("test", "rules", path)

    def test_when_the_daemon_is_gone_the_alert_sees_it(self):
        with harness.Daemon() as other:
            bridge = Bridge(other.socket)
            self.addCleanup(bridge.close)
            with Prometheus(bridge.address) as prometheus:
                harness.wait_until(lambda: [value for _, value in prometheus.query("up")] == [1], "it is scraped")
                other.kill()
                down = prometheus.rules()["ConcurrencydDown"]["query"]
                harness.wait_until(lambda: len(prometheus.query(down)) == 1, "it is seen to be gone")
                other.start()
                harness.wait_until(lambda: not prometheus.query(down), "it is seen to be back")


@needs("prometheus")
@needs("promtool")
class ScrapedFleet(Scraped):
    """A box of a fleet, whose engine is one server."""

    fleet = True

    @classmethod
    def options(cls):
        cls.engine = cls.enterClassContext(EngineServer())
        return ["--limit", "2", "--fleet", cls.engine.url]

    test_rules_are_in_order_and_evaluate = None
    test_alerts_go_off_when_they_should_and_not_before = None
    test_when_the_daemon_is_gone_the_alert_sees_it = None


if __name__ == "__main__":
    unittest.main()
