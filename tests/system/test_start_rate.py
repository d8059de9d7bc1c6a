"""One user's sessions that start in a minute: what one more is answered, that a denial is never one of them, and that
nobody else notices."""

import json
import threading
import unittest

import harness

FIRST_SERVICE = "/startSession/userId/abc/sessionId/"


class Rate(unittest.TestCase):
    def setUp(self):
        self.folder = harness.private_folder()
        self.clock = harness.TestClock(self.folder)

    def daemon(self, *options, settings=None):
        return harness.Daemon(*options, clock=self.clock, folder=self.folder, settings=settings)

    def test_what_is_answered(self):
        with self.daemon("--start-rate", "6", "--limit", "2") as daemon, daemon.connect() as player:
            for number in range(6):
                self.assertEqual(player.start("abc", f"s{number}").status, 201)
                self.assertEqual(player.start("abc", f"s{number}").status, 200, "a renewal is none")
                self.assertEqual(player.heartbeat("abc", f"s{number}").status, 200)
                if number < 5:
                    self.assertEqual(player.end("abc", f"s{number}").status, 200)
            answer = player.start("abc", "s9")
            self.assertEqual(answer.status, 429)
            self.assertEqual(answer.json(), {
                "error": "too_many_requests",
                "message": "cannot start session s9 of user abc: the user starts more than 6 sessions a minute",
                "user": "abc", "session": "s9", "retryAfter": 10})
            self.assertIn(b"\r\nRetry-After: 10", answer.head)
            self.assertEqual(player.start("xyz", "s1").status, 201)
            first = player.get(FIRST_SERVICE + "s0")
            self.assertEqual((first.status, first.body.decode(), b"\r\nRetry-After: 10" in first.head),
                             (400, "User abc is trying to watch 2 streams at once, which is too many.", True))
            batch = player.ask(harness.request("POST", "/v1/batch", b'{"command":"start","user":"abc","session":"s0"}\n'))
            line = json.loads(batch.body)
            self.assertEqual((line["status"], line["error"], line["retryAfter"]), (429, "too_many_requests", 10))
            done = harness.concur("start", "--user", "abc", "--session", "s0", socket=daemon.socket)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(json.loads(done.stdout)["error"], "too_many_requests")
            self.clock.advance(9_999)
            self.assertEqual(player.start("abc", "s0").json()["retryAfter"], 0.001)
            self.clock.advance(1)
            self.assertEqual(player.start("abc", "s0").status, 201)
            self.assertEqual(player.start("abc", "s6").status, 409, "the limit is reached again, and that goes first")
            self.assertEqual(player.end("abc", "s0").status, 200)
            self.assertEqual(player.start("abc", "s6").status, 429)
            self.assertIn("user abc starts more than 6 sessions a minute and is answered 429", daemon.log_text())
            self.assertIn(b'concurrencyd_starts_total{outcome="throttled"} 6\n', player.get("/metrics").body)

    def test_a_full_account_is_denied_for_as_long_as_one_likes(self):
        """However a player hammers it, and whichever way it asks; and who ends a stream has room at once (D1, D2)."""
        with self.daemon() as daemon, daemon.connect() as player:
            for session in ("s1", "s2", "s3"):
                self.assertEqual(player.start("abc", session).status, 201)
            for number in range(210):
                self.assertEqual(player.start("abc", f"x{number}").status, 409)
                self.assertEqual(player.start("abc", f"x{number}", {"replace": "nobody"}).status, 409)
                self.assertEqual(player.get(f"{FIRST_SERVICE}x{number}").status, 400)
            lines = b"".join(b'{"command":"start","user":"abc","session":"x%d"}\n' % each for each in range(210))
            batch = player.ask(harness.request("POST", "/v1/batch", lines))
            self.assertEqual({json.loads(line)["status"] for line in batch.body.splitlines()}, {409})
            done = harness.concur("run", "--socket", daemon.socket, "--user", "abc", "--session", "x", "--", "echo", "PLAYS")
            self.assertEqual((done.returncode, b"PLAYS" in done.stdout), (1, False), done)
            self.assertEqual(player.end("abc", "s1").status, 200)
            self.assertEqual(player.start("abc", "x").status, 201)
            self.assertLess(daemon.log_text().count("denied"), 5)

    def test_the_wall_clock_has_no_say(self):
        with self.daemon("--start-rate", "1") as daemon, daemon.connect() as player:
            self.assertEqual(player.start("abc", "s1").status, 201)
            self.clock.set(self.clock.boot, self.clock.wall + 86_400_000)
            self.assertEqual(player.start("abc", "s2").json()["retryAfter"], 60)

    def test_a_reload(self):
        with self.daemon(settings={"start-rate": "200"}) as daemon, daemon.connect() as player:
            daemon.reload({"start-rate": "2"})
            self.assertEqual([player.start("abc", f"s{number}").status for number in range(3)], [201, 201, 429])
            daemon.reload({"start-rate": "0"})
            self.assertEqual(player.start("abc", "s2").status, 201)

    def test_one_broken_player_among_good_ones(self):
        """It starts as fast as it can on many connections; the others are all served, and it gets its 200 and no more."""
        with self.daemon("--limit", "0", "--start-rate", "200") as daemon:
            stop = threading.Event()
            taken = []

            def break_down(number):
                with daemon.connect() as connection:
                    count = 0
                    while not stop.is_set():
                        pipeline = [harness.start_request("broken", f"{number}-{count + each}") for each in range(50)]
                        connection.send(b"".join(pipeline))
                        taken.extend(connection.receive().status for _ in pipeline)
                        count += 50

            players = [threading.Thread(target=break_down, args=(number,)) for number in range(4)]
            for each in players:
                each.start()
            try:
                with daemon.connect() as good:
                    harness.wait_until(lambda: taken.count(429) >= 500, "the broken players are refused")
                    for number in range(300):
                        self.assertEqual(good.start(f"good{number}", "s").status, 201)
            finally:
                stop.set()
                for each in players:
                    each.join()
            self.assertEqual(taken.count(201), 200)
            self.assertEqual(set(taken), {201, 429})


if __name__ == "__main__":
    unittest.main()
