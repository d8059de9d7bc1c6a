"""The operators' page: how it is served, and to whom; what it shows, in Chromium; and the history and the settings that it asks for.

Environment:
  CONCUR_TEST_SHOTS     a folder for pictures of the page; readme.png of them is apps/page/screenshot.png
  CONCUR_TEST_LONG      with a million sessions behind it, and a tab that asks more often: takes minutes
"""

import contextlib
import gzip
import json
import os
import re
import time
import unittest

import doors
import harness
import web_tools

PAGE = harness.REPOSITORY / "apps" / "page"
CHECKS = 11


def ask(connection, method, target, *headers):
    return connection.ask(harness.request(method, target, headers=list(headers)))


class Served(unittest.TestCase):
    def test_zipped_for_those_who_take_it_and_with_a_tag(self):
        with harness.Daemon() as daemon, daemon.connect() as connection:
            page = ask(connection, "GET", "/")
            self.assertEqual((page.status, page.body), (200, (PAGE / "index.html").read_bytes()))
            self.assertEqual(page.header("Content-Type"), "text/html; charset=utf-8")
            self.assertIsNone(page.header("Content-Encoding"))
            for target in ("/", *re.findall(r'"(/page/[^"]+)"', page.body.decode())):
                with self.subTest(target):
                    plain = ask(connection, "GET", target)
                    zipped = ask(connection, "GET", target, "Accept-Encoding: gzip, deflate, br")
                    self.assertEqual((plain.status, zipped.status), (200, 200))
                    self.assertEqual(zipped.header("Content-Encoding"), "gzip")
                    self.assertEqual(gzip.decompress(zipped.body), plain.body)
                    self.assertEqual(zipped.header("Cache-Control"), "no-cache")
                    self.assertEqual(zipped.header("Vary"), "Accept-Encoding")
                    for field in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy",
                                  "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"):
                        self.assertIsNotNone(zipped.header(field), field)
                    tag = zipped.header("ETag")
                    self.assertNotEqual(tag, plain.header("ETag"))
                    again = ask(connection, "GET", target, "Accept-Encoding: gzip", f"If-None-Match: {tag}")
                    self.assertEqual((again.status, again.body, again.header("ETag")), (304, b"", tag))
                    client = doors.UnixHttp(daemon.socket)
                    client.request("HEAD", target)
                    head = client.getresponse()
                    self.assertEqual((head.status, head.headers["Content-Length"]), (200, str(len(plain.body))))
                    self.assertEqual(head.read(), b"")
                    client.close()
                    options = ask(connection, "OPTIONS", target)
                    self.assertEqual((options.status, options.header("Allow")), (204, "GET, HEAD, OPTIONS"))
            self.assertEqual(ask(connection, "GET", "/page/LICENSE").status, 404)
            self.assertEqual(ask(connection, "GET", "/page/..%2Findex.html").status, 404)
            self.assertEqual(ask(connection, "GET", "/?user=abc").status, 400)
            self.assertEqual(ask(connection, "POST", "/").status, 405)

    def test_to_browsers_that_go_there_and_to_no_other_site(self):
        """Without a key, too; what it shows is for those who have one."""
        folder = harness.private_folder()
        keys = doors.Keys(folder)
        person = ("Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate")
        link = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate")
        own = ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors")
        other = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")
        for options in ((), ("--api-key-file", str(keys.path))):
            with harness.Daemon("--listen", "127.0.0.1:0", *options, folder=folder) as daemon:
                port = doors.tcp_port(daemon)

                def status(target, headers, key=None):
                    connection = doors.http.client.HTTPConnection("127.0.0.1", port, timeout=harness.seconds(20))
                    fields = dict(line.split(": ") for line in headers) | ({"x-api-key": key} if key else {})
                    try:
                        return doors.ask(connection, "GET", target, headers=fields)[0]
                    finally:
                        connection.close()

                with self.subTest(options=options):
                    for target in ("/", "/page/main.js"):
                        self.assertEqual([status(target, who) for who in ((), person, link, own, other)], [200, 200, 200, 200, 403])
                    key = keys.of["operator"] if options else None
                    self.assertEqual(status("/v1/status", own, key), 200)
                    self.assertEqual(status("/v1/status", other, key), 403)
                    if options:
                        self.assertEqual(status("/v1/status", own), 403)
                        self.assertEqual(status("/v1/history", own, keys.of["client"]), 403)
                        self.assertEqual(status("/v1/settings", own, keys.of["client"]), 403)
                    else:
                        self.assertEqual(status("/v1/status", person), 403)
        with harness.Daemon(folder=harness.private_folder()) as daemon, daemon.connect() as connection:
            self.assertEqual(ask(connection, "GET", "/", *person).status, 200)
            self.assertEqual(ask(connection, "GET", "/v1/sessions", *own).status, 200)
            self.assertEqual(ask(connection, "GET", "/v1/status", *person).status, 403)  # and it closes


class History(unittest.TestCase):
    def test_counts_ten_seconds_each_by_the_daemons_clock(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        settings = {"rule tvs": "max 1 sessions where type=tv"}
        with harness.Daemon(clock=clock, folder=folder, settings=settings) as daemon, daemon.connect() as connection:
            self.assertEqual(connection.get("/v1/history").json()["samples"], [])
            for session in ("s1", "s2", "s3", "s4"):
                connection.start("abc", session)
            connection.start("xyz", "s1", {"meta": {"type": "tv"}})
            connection.start("xyz", "s2", {"meta": {"type": "tv"}})
            connection.start("xyz", "s2", {"limit": 1, "onLimit": "evict-oldest"})
            connection.heartbeat("abc", "s1")
            harness.wait_until(lambda: connection.get("/v1/status").json()["usersAtLimit"] == 1, "the sweeper came by")
            clock.advance(10_000)
            history = connection.get("/v1/history").json()
            self.assertEqual(history["step"], 10)
            [sample] = history["samples"]
            # By a clock that stands still a commit takes no time, and less than the first bound.
            self.assertEqual((sample.pop("meanCommit"), sample.pop("slowCommit")), (0, 0.0001))
            self.assertEqual(sample, {
                "at": harness.rfc3339(clock.wall), "seconds": 10, "sessions": 4, "users": 2, "usersAtLimit": 1, "starts": 5,
                "denials": 2, "evictions": 1, "heartbeats": 1, "denialsByRule": {"limit": 1, "tvs": 1}})
            clock.advance(10_000)
            newest = connection.get("/v1/history?since=9s").json()["samples"]
            self.assertEqual([(each["starts"], each["sessions"]) for each in newest], [(0, 4)])

    def test_ends_after_six_hours(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        with harness.Daemon(clock=clock, folder=folder) as daemon, daemon.connect() as connection:
            for _ in range(2170):
                clock.advance(10_000)
                connection.get("/v1/history?since=1s")
            samples = connection.get("/v1/history?since=6h").json()["samples"]
            self.assertEqual(len(samples), 2160)
            self.assertEqual(samples[-1]["at"], harness.rfc3339(clock.wall))


class Unasked(unittest.TestCase):
    """A daemon that nobody asks, for to ask would be to take a sample. Its timer runs by the machine's clock: the others are
    tested meanwhile."""

    @classmethod
    def begin(cls):
        folder = harness.private_folder()
        cls.clock = harness.TestClock(folder)
        cls.daemon = harness.Daemon(clock=cls.clock, folder=folder)
        cls.daemon.__enter__()
        unittest.addModuleCleanup(cls.daemon.__exit__, None, None, None)
        cls.clock.advance(10_000)
        cls.due = cls.clock.wall
        cls.over = time.monotonic() + harness.seconds(13)

    def test_takes_a_sample(self):
        time.sleep(max(0, self.over - time.monotonic()))
        self.clock.advance(5_000)
        with self.daemon.connect() as connection:
            samples = connection.get("/v1/history").json()["samples"]
        self.assertEqual([each["at"] for each in samples], [harness.rfc3339(self.due)])


def setUpModule():
    Unasked.begin()


class Settings(unittest.TestCase):
    def test_are_those_in_force_with_where_they_come_from(self):
        with harness.Daemon("--lease", "45s", settings={"limit": "5", "rule tvs": "max 1 sessions where type=tv"}) as daemon:
            with daemon.connect() as connection:
                def known():
                    settings = connection.get("/v1/settings").json()["settings"]
                    return {each["name"]: (each["value"], each["from"]) for each in settings}

                before = known()
                self.assertEqual(before["lease"], ("45s", "flag"))
                self.assertEqual(before["limit"][0], "5")
                self.assertIn("daemon.conf", before["limit"][1])
                self.assertEqual(before["rule tvs"][0], "max 1 sessions where type=tv")
                self.assertEqual(before["on-limit"], ("deny", "default"))
                daemon.reload({"limit": "6", "rule tvs": None})
                after = known()
                self.assertEqual(after["limit"][0], "6")
                self.assertNotIn("rule tvs", after)


@contextlib.contextmanager
def daemons():
    """One with a clock that can be put forward, a TCP port and keys, and another with rules; as page.mjs is told of them."""
    folder = harness.private_folder()
    keys = doors.Keys(folder)
    clock = harness.TestClock(folder)
    clock.run_with_offsets(0, -(7 * 24 + 1) * 3600 * 1000)  # of which page.mjs lets a week and an hour pass
    one = harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(keys.path), "--durability", "normal", clock=clock,
                         folder=folder)
    with one, harness.Daemon(settings={"rule tvs": "max 1 sessions where type=tv", "rule homes": "max 2 distinct network"}) as other:
        yield one, {"socket": str(one.socket), "other": str(other.socket), "port": doors.tcp_port(one), "keys": keys.of,
                    "clock": str(clock.path), "slowness": harness.seconds(1),
                    # Where the machine is this test's alone; beside others it says little.
                    "soon": 300 if os.environ.get("CONCUR_TEST_LONG") else harness.seconds(5000)}


def fill(daemon, sessions):
    """Three of each user."""
    with daemon.connect(timeout=600) as connection:
        for first in range(0, sessions, 9_999):
            lines = [json.dumps({"command": "start", "user": f"u{number // 3}", "session": f"s{number % 3}"})
                     for number in range(first, min(first + 9_999, sessions))]
            connection.ask(harness.request("POST", "/v1/batch", "\n".join(lines).encode()))


class InChromium(unittest.TestCase):
    @web_tools.needs_tools(browser=True)
    def test_all(self):
        long = bool(os.environ.get("CONCUR_TEST_LONG"))
        with daemons() as (daemon, known):
            done = web_tools.run("page.mjs", json.dumps(known), within=1000 if long else 400, PAGE_LONG="1" if long else "",
                                 PAGE_SHOTS=os.environ.get("CONCUR_TEST_SHOTS", ""), PAGE_ONLY=os.environ.get("PAGE_ONLY", ""))
        self.check(done, CHECKS)

    @web_tools.needs_tools(browser=True)
    @unittest.skipUnless(os.environ.get("CONCUR_TEST_LONG"), "CONCUR_TEST_LONG is not set")
    def test_first_sight_with_a_million_sessions(self):
        with daemons() as (daemon, known):
            fill(daemon, 1_000_000)
            self.check(web_tools.run("page.mjs", json.dumps(known), within=600, PAGE_ONLY="it is there at once"), 1)

    def check(self, done, expected):
        checks = [json.loads(line) for line in done.stdout.splitlines()]
        for check in checks:
            print(check["name"], check["ms"], "ms;", "; ".join(check["notes"]))
            with self.subTest(check["name"]):
                self.assertIsNone(check["failure"])
        if not os.environ.get("PAGE_ONLY"):
            self.assertEqual((done.returncode, len(checks)), (0, expected), done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
