"""However many starts of one user race, exactly as many are admitted as the limit allows: from 200 connections and from
200 processes, on both APIs, round after round with a new user each."""

import collections
import json
import os
import signal
import time
import unittest

import harness

RACERS = 200
LIMIT = 3
ROUNDS = harness.rounds(50)


class Races(unittest.TestCase):
    def setUp(self):
        # A user may start 200 new sessions a minute, so a race of 200 is just within the default.
        self.daemon = harness.Daemon("--lease", "600s", "--limit", str(LIMIT))
        self.enterContext(self.daemon)
        self.began = time.monotonic()

    def report(self):
        took = time.monotonic() - self.began
        print(f"{self.id().rsplit('.', 1)[-1]}: {ROUNDS} rounds of {RACERS} in {took:.1f} s", flush=True)

    def assert_fair(self, user, answers):
        """`answers` are (status, body as JSON) of all racers."""
        statuses = collections.Counter(status for status, _ in answers)
        self.assertEqual(statuses, {201: LIMIT, 409: RACERS - LIMIT})
        admitted = [body for status, body in answers if status == 201]
        self.assertEqual(sorted(body["concurrentSessions"] for body in admitted), [1, 2, 3])
        for status, body in answers:
            if status == 409:
                self.assertEqual((body["error"], body["concurrentSessions"], len(body["sessions"])),
                                 ("limit_reached", LIMIT, LIMIT))
        self.assert_active(user, {body["session"] for body in admitted})

    def assert_active(self, user, sessions):
        with self.daemon.connect() as connection:
            listed = connection.list(user).json()
        self.assertEqual(listed["concurrentSessions"], LIMIT)
        self.assertEqual({each["session"] for each in listed["sessions"]}, sessions)

    def test_from_200_connections(self):
        with harness.Fleet(self.daemon.socket, RACERS) as fleet:
            for number in range(ROUNDS):
                user = f"racer{number}"
                batches = [[harness.start_request(user, f"s{racer}")] for racer in range(RACERS)]
                answers = fleet.exchange(batches, last_byte_together=True)
                self.assert_fair(user, [(answer.status, answer.json()) for [answer] in answers])
        self.report()

    def test_from_200_connections_on_the_first_services_api(self):
        with harness.Fleet(self.daemon.socket, RACERS) as fleet:
            for number in range(ROUNDS):
                user = f"racer{number}"
                batches = [[harness.first_service_request("startSession", user, f"s{racer}")] for racer in range(RACERS)]
                answers = fleet.exchange(batches, last_byte_together=True)
                said = collections.Counter((answer.status, answer.body) for [answer] in answers)
                allowed = [f'{{"user":"{user}","concurrentSessions":{count}}}' for count in range(1, LIMIT + 1)]
                refused = f"User {user} is trying to watch {LIMIT + 1} streams at once, which is too many."
                wanted = {(200, text.encode()): 1 for text in allowed}
                wanted[400, refused.encode()] = RACERS - LIMIT
                self.assertEqual(said, wanted)
                self.assert_active(user, {f"s{racer}" for racer, [answer] in enumerate(answers) if answer.status == 200})
        self.report()

    def test_the_same_session_from_200_connections_counts_once(self):
        with harness.Fleet(self.daemon.socket, RACERS) as fleet:
            for number in range(ROUNDS):
                user = f"racer{number}"
                answers = fleet.exchange([[harness.start_request(user, "s")]] * RACERS, last_byte_together=True)
                statuses = collections.Counter(answer.status for [answer] in answers)
                self.assertEqual(statuses, {201: 1, 200: RACERS - 1})
                self.assertEqual({answer.json()["concurrentSessions"] for [answer] in answers}, {1})
        self.report()

    def test_from_200_processes(self):
        swarm = harness.ProcessSwarm(self.daemon.folder)
        for number in range(ROUNDS):
            user = f"racer{number}"
            commands = [["start", "--user", user, "--session", f"s{racer}",
                         "--socket", str(self.daemon.socket), "--timeout", "30s"] for racer in range(RACERS)]
            # On few cores processes come one after the other, faster than they can be started. So in every other
            # round the daemon is held until all of them wait for it, and the race is a real one.
            held = number % 2 == 0
            if held:
                os.kill(self.daemon.pid, signal.SIGSTOP)
            try:
                swarm.launch(commands)
            finally:
                if held:
                    os.kill(self.daemon.pid, signal.SIGCONT)
            codes = swarm.wait(60)
            self.assertEqual(swarm.errors.read_bytes(), b"")
            bodies = [json.loads(line) for line in swarm.answers.read_bytes().splitlines()]
            self.assertEqual(len(bodies), RACERS)
            self.assertEqual(collections.Counter(codes), {0: LIMIT, 1: RACERS - LIMIT})
            self.assert_fair(user, [(409 if "error" in body else 201, body) for body in bodies])
            self.assertEqual({f"s{racer}" for racer, code in enumerate(codes) if code == 0},
                             {body["session"] for body in bodies if "error" not in body})
        self.report()


if __name__ == "__main__":
    unittest.main()
