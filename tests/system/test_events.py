"""Events as they happen: what watchers see, from where on, and what becomes of one that does not keep up."""

import os
import resource
import socket
import subprocess
import unittest

import doors
import harness
from harness import seconds
from streams import ask_batch, command, shut_writing, watch

KEPT = 65_536


class Events(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon("--lease", "600s"))
        self.connection = self.enterContext(self.daemon.connect())

    def watch(self, query=""):
        return watch(self.enterContext(self.daemon.connect()), query)

    def happen(self, count):
        """That many events, in batches: renewals, which leave nothing else behind. Somebody must ask for them."""
        for at in range(0, count, 10_000):
            commands = min(10_000, count - at)
            answer = ask_batch(self.connection, command("heartbeat", "noise") * commands)
            self.assertEqual(len(answer.raw_lines()), commands)

    def test_a_watcher_sees_what_happens_as_it_happens(self):
        watcher = self.watch()
        self.connection.start("abc", "s1", {"device": "tv", "ip": "192.0.2.1", "content": "film", "meta": {"a": 1}})
        line = watcher.line()
        self.assertRegex(line.pop("at"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(line.pop("boot"), r"^[0-9a-f]{16}$")
        self.assertEqual(line, {"seq": 1, "event": "started", "user": "abc", "session": "s1", "concurrentSessions": 1,
                                "limit": 3, "device": "tv", "ip": "192.0.2.1", "content": "film"})
        self.connection.start("abc", "s2")
        self.connection.start("abc", "s3")
        self.connection.start("abc", "s4", {"device": "phone"})
        self.connection.end("abc", "s2")
        self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        lines = watcher.lines(6)
        self.assertEqual([line["seq"] for line in lines], [2, 3, 4, 5, 6, 7])
        self.assertEqual([line["event"] for line in lines],
                         ["started", "started", "denied", "ended", "purged", "purged"])
        self.assertEqual((lines[2]["session"], lines[2]["concurrentSessions"], lines[2]["limit"], lines[2]["device"]),
                         ("s4", 3, 3, "phone"))
        self.assertEqual(lines[3]["concurrentSessions"], 2)
        self.assertNotIn("limit", lines[3])

    def test_evictions_and_limits_are_published(self):
        watcher = self.watch()
        self.connection.start("abc", "s1", {"device": "tv"})
        self.connection.start("abc", "s2", {"device": "tv"})
        self.connection.ask(harness.request("PUT", "/v1/plans/premium", {"limit": 5}))
        self.connection.ask(harness.request("PUT", "/v1/users/abc/limit", {"plan": "premium"}))
        self.connection.ask(harness.request("DELETE", "/v1/plans/premium?force=true"))
        lines = {(line["event"], line.get("session")): line for line in watcher.lines(3)}
        self.assertEqual(lines["evicted", "s1"]["evictedBy"], {"session": "s2", "device": "tv"})
        reported = [{name: value for name, value in line.items() if name not in ("seq", "at", "boot")} for line in watcher.lines(3)]
        self.assertEqual(reported[0], {"event": "limit_changed", "limit": 5, "plan": "premium"})
        self.assertEqual(reported[1], {"event": "limit_changed", "user": "abc", "limit": 5, "plan": "premium"})
        self.assertEqual(reported[2], {"event": "limit_changed", "plan": "premium", "removed": True})

    def test_of_one_user_there_are_gaps_and_nobody_else(self):
        watcher, other = self.watch("?user=a%2Fb"), self.watch("?user=other")
        for user in ("x", "a/b", "x2", "a/b"):
            self.connection.start(user, "s1")
            self.connection.end(user, "s1")
        self.assertEqual([(line["seq"], line["event"], line["user"]) for line in watcher.lines(4)],
                         [(3, "started", "a/b"), (4, "ended", "a/b"), (7, "started", "a/b"), (8, "ended", "a/b")])
        self.assertTrue(other.nothing_comes(0.1))

    def test_renewals_come_to_those_who_ask_for_them(self):
        plain, renewed = self.watch(), self.watch("?renewed=true")
        self.connection.start("abc", "s1")
        self.connection.heartbeat("abc", "s1")
        self.connection.start("abc", "s1")
        self.connection.end("abc", "s1")
        self.assertEqual([line["event"] for line in renewed.lines(4)], ["started", "renewed", "renewed", "ended"])
        self.assertEqual([line["event"] for line in plain.lines(2)], ["started", "ended"])

    def test_since_goes_on_where_one_left_off(self):
        for number in range(4):
            self.connection.start(f"user{number}", "s1")
        self.assertEqual([line["seq"] for line in self.watch("?since=0").lines(4)], [1, 2, 3, 4])
        watcher = self.watch("?since=2")
        self.assertEqual([line["user"] for line in watcher.lines(2)], ["user2", "user3"])
        self.connection.start("user4", "s1")
        self.assertEqual(watcher.line()["seq"], 5)
        self.assertTrue(self.watch("?since=5").nothing_comes(0.1))

    def test_since_a_number_of_an_earlier_life_starts_with_dropped(self):
        for number in range(3):
            self.connection.start(f"user{number}", "s1")
        self.connection.close()
        self.daemon.restart()
        self.connection = self.enterContext(self.daemon.connect())
        self.connection.start("user3", "s1")
        lines = self.watch("?since=3").lines(2)
        self.assertEqual((lines[0]["event"], lines[0]["seq"], lines[0]["restarted"]), ("dropped", 0, True))
        self.assertEqual((lines[1]["seq"], lines[1]["user"]), (1, "user3"))

    def test_a_boot_tells_a_number_of_an_earlier_life_from_one_of_this(self):
        def boot():
            return self.connection.get("/v1/status").json()["events"]

        self.connection.start("user0", "s1")
        before = boot()
        self.assertEqual(before["seq"], 1)
        self.connection.close()
        self.daemon.restart()
        self.connection = self.enterContext(self.daemon.connect())
        for number in (1, 2):
            self.connection.start(f"user{number}", "s1")
        now = boot()
        self.assertNotEqual(before["boot"], now["boot"])
        lines = self.watch(f"?since=1&boot={before['boot']}").lines(3)
        self.assertEqual([line["event"] for line in lines], ["dropped", "started", "started"])
        self.assertTrue(lines[0]["restarted"])
        self.assertEqual({line["boot"] for line in lines}, {now["boot"]})
        self.assertEqual(self.watch(f"?since=1&boot={now['boot']}").line()["user"], "user2")
        self.assertEqual(self.connection.get(f"/v1/events?boot={now['boot']}").status, 400)

    def test_since_before_what_is_kept_tells_how_many_are_missed(self):
        asks = self.watch("?user=nobody&renewed=true")
        self.connection.start("noise", "s1")
        self.happen(KEPT + 63)
        watcher = self.watch("?since=10&renewed=true")
        lines = watcher.lines(2)
        self.assertEqual((lines[0]["event"], lines[0]["seq"], lines[0]["missed"]), ("dropped", 64, 54))
        self.assertEqual((lines[1]["event"], lines[1]["seq"]), ("renewed", 65))
        self.assertEqual(watcher.lines(KEPT - 1)[-1]["seq"], KEPT + 64)
        self.assertTrue(asks.nothing_comes(0))

    def test_a_watcher_that_stops_reading_costs_nothing_and_learns_of_it(self):
        awake = self.watch("?user=the-one&renewed=true")
        self.connection.start("noise", "s1")
        self.happen(KEPT + 2000)  # so that all the log will ever hold is held
        silent = self.watch("?renewed=true")
        before = harness.resident_bytes(self.daemon.pid)
        self.happen(200_000)  # of some 100 bytes and more each
        self.assertLess(harness.resident_bytes(self.daemon.pid) - before, harness.memory(10 << 20))
        self.connection.start("the-one", "s1")
        self.assertEqual(awake.line()["event"], "started")
        lines = silent.lines()
        self.assertLess(len(lines), 100_000)
        first = KEPT + 2002
        self.assertEqual([line["seq"] for line in lines[:-1]], list(range(first, first + len(lines) - 1)))
        last = lines[-1]
        self.assertEqual(last["event"], "dropped")
        self.assertEqual(last["message"], "cannot go on: the reader is more than 65,536 events behind")
        self.assertNotIn("user", last)
        goes_on = self.watch(f"?since={last['seq']}&renewed=true").line()
        self.assertEqual((goes_on["event"], goes_on["seq"]), ("renewed", last["seq"] + 1))
        self.assertEqual(self.connection.get("/healthz").status, 200)

    def test_watchers_that_leave_are_forgotten_also_while_nothing_happens(self):
        def connections():
            return self.connection.get("/v1/status").json()["connections"]

        leaving = [self.daemon.connect() for _ in range(4)]
        for connection in leaving:
            watch(connection, "?user=nobody")
        for connection in leaving[:2]:
            connection.send(harness.request("GET", "/healthz") * 200)
        self.assertEqual(connections(), 5)
        for connection in leaving:
            connection.close()
        harness.wait_until(lambda: connections() == 1, "they are forgotten")

    def test_a_watcher_that_sends_no_more_gets_what_happened_and_the_end(self):
        """Behind a tunnel nothing else is seen of one that left."""
        connection = self.enterContext(self.daemon.connect())
        self.connection.start("abc", "s1")
        watcher = watch(connection, "?user=abc&since=0")
        shut_writing(connection)
        self.assertEqual([line["event"] for line in watcher.lines()], ["started"])
        self.assertTrue(watcher.is_closed_behind())

    def test_watchers_that_leave_over_tcp_are_forgotten_also_while_nothing_happens(self):
        with harness.Daemon("--listen", "127.0.0.1:0") as daemon, daemon.connect() as asks:
            def watchers():
                return [line for line in asks.get("/metrics").body.decode().splitlines() if line.startswith("concurrencyd_watchers ")]

            leaving = [self.enterContext(socket.create_connection(("127.0.0.1", doors.tcp_port(daemon)), seconds(20)))
                       for _ in range(4)]
            for each in leaving:
                each.sendall(b"GET /v1/events?user=nobody HTTP/1.1\r\nHost: localhost\r\n\r\n")
                # What is not read when it closes would make a reset of its end.
                self.assertIn(b" 200 ", each.recv(4096))
            self.assertEqual(watchers(), ["concurrencyd_watchers 4"])
            for each in leaving:
                each.close()
            # Nothing is sent to them, by which it would show that nobody is there.
            harness.wait_until(lambda: watchers() == ["concurrencyd_watchers 0"], "they are forgotten")

    def test_a_clean_stop_ends_the_answers(self):
        watchers = [self.watch(), self.watch("?user=abc&renewed=true")]
        self.connection.start("abc", "s1")
        self.daemon.stop()
        self.assertNotIn("still busy", self.daemon.log_tail())
        for watcher in watchers:
            self.assertEqual([line["event"] for line in watcher.lines()], ["started"])
            self.assertTrue(watcher.is_closed_behind())
        self.daemon.start()

    def test_an_older_client_and_what_is_no_parameter(self):
        with self.daemon.connect() as old:
            old.send(b"GET /v1/events?since=0 HTTP/1.0\r\n\r\n")
            self.connection.start("abc", "s1")
            got = b""
            while not got.endswith(b"}\n"):
                got += old.socket.recv(1 << 16)
            self.assertNotIn(b"chunked", got)
        self.assertEqual(self.connection.get("/v1/events?since=x").status, 400)
        self.assertEqual(self.connection.get("/v1/events?renewed=maybe").status, 400)
        self.assertEqual(self.connection.get("/v1/events?user=").status, 400)


class Many(unittest.TestCase):
    def test_there_is_room_for_requests_beside_as_many_streams_as_there_may_be(self):
        most = 3072
        needed = most + 200
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < needed:
            self.skipTest(f"takes {needed} open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with harness.Daemon("--lease", "6s", "--limit", "1", "--on-limit", "evict-oldest") as daemon:
            watchers = [self.enterContext(daemon.connect()) for _ in range(most)]
            for watcher in watchers:
                watcher.send(harness.request("GET", "/v1/events?user=abc"))
            connection = self.enterContext(daemon.connect())
            # An answer is in its place once those before it were looked at.
            harness.wait_until(lambda: self.status_of(daemon) == 503, "no more are taken")
            refused = connection.get("/v1/events?user=abc")
            self.assertEqual((refused.status, refused.json()["error"]), (503, "unavailable"))
            self.assertIsNotNone(refused.header("Retry-After"))
            # The command goes on by heartbeats alone, which tell of an eviction.
            running = subprocess.Popen(
                [str(harness.CONCUR), "--socket", str(daemon.socket), "run", "--user", "abc", "--session", "run", "--", "sleep",
                 "100"], stderr=subprocess.PIPE, env=harness.clean_environment(), text=True)
            self.addCleanup(running.kill)
            harness.wait_until(lambda: connection.list("abc").json()["concurrentSessions"] == 1, "it plays")
            self.assertEqual(connection.start("abc", "other").json()["evicted"], ["run"])
            _, complaint = running.communicate(timeout=seconds(20))
            self.assertEqual(running.returncode, 5)
            self.assertEqual(complaint.count("\n"), 1, complaint)
            # Who leaves makes room.
            watchers[0].close()
            harness.wait_until(lambda: self.status_of(daemon) == 200, "there is room for one more")

    @staticmethod
    def status_of(daemon):
        """Of one stream more."""
        with daemon.connect() as one_more:
            one_more.send(harness.request("GET", "/v1/events?user=abc"))
            return int(one_more.socket.recv(4096).split()[1])


class Roles(unittest.TestCase):
    def test_all_users_are_for_operators_and_one_user_for_anyone(self):
        if os.getuid() != 0:
            self.skipTest("only root can become somebody else")
        with harness.Daemon("--socket-mode", "0666") as daemon:
            os.chmod(daemon.folder, 0o755)

            def as_nobody(target, **more):
                return subprocess.Popen(
                    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-sN", "-w", "%{http_code}",
                     "--unix-socket", str(daemon.socket), f"http://x{target}"], stdout=subprocess.PIPE, **more)

            with as_nobody("/v1/events") as refused:
                answer = refused.communicate(timeout=seconds(20))[0]
            self.assertIn(b"permission_denied", answer)
            self.assertTrue(answer.endswith(b"403"), answer)
            with daemon.connect() as connection:
                connection.start("abc", "s1")
            with as_nobody("/v1/events?user=abc&since=0") as watcher:
                try:
                    self.assertIn(b'"event":"started"', watcher.stdout.readline())
                finally:
                    watcher.kill()


if __name__ == "__main__":
    unittest.main()
