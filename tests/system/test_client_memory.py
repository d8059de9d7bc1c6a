"""Whatever clients do, what they make the daemon hold has a ceiling: those who hold most lose their connection, and the others hear
nothing of it."""

import re
import resource
import select
import unittest

import harness
from test_hanging_disk import HangingDisk

BUDGET = 256 << 20
# Of what the budget counts, and beside it: what the allocator keeps, and the answer that is being made.
CEILING = BUDGET + (128 << 20)
SESSIONS = 400


def peak_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) << 10


class Crowd(unittest.TestCase):
    """One user has so many sessions that a list of them, or a denial, is long."""

    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 4096:
            self.skipTest(f"the hard limit of open files is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        folder = harness.private_folder()
        self.disk = HangingDisk(folder)
        self.daemon = harness.Daemon("--lease", "3600s", "--limit", str(SESSIONS), folder=folder)
        self.daemon.environment = self.disk.environment
        self.enterContext(self.daemon)
        self.other = self.enterContext(self.daemon.connect())
        details = {"device": "", "content": "c" * 250, "meta": {"m": "x" * 900}}
        for number in range(SESSIONS):
            self.assertEqual(self.other.start("abc", f"s{number}", details | {"device": f"d{number}"}).status, 201)
        self.answer = len(self.other.list("abc").body)
        self.assertGreater(self.answer, 500 << 10)
        self.before = peak_bytes(self.daemon.pid)

    def crowd(self, count):
        crowd = [self.daemon.connect() for _ in range(count)]
        for each in crowd:
            self.addCleanup(each.close)
        return crowd

    def closed(self, crowd):
        """How many of those who read nothing were sent away."""
        poll = select.poll()
        for each in crowd:
            poll.register(each.socket, 0)
        return sum(1 for _, events in poll.poll(0) if events & select.POLLHUP)

    def assert_bounded(self):
        self.assertEqual(self.other.start("good", "s").status, 201)
        self.assertLess(peak_bytes(self.daemon.pid) - self.before, harness.memory(CEILING))

    def test_of_clients_that_never_read(self):
        crowd = self.crowd(1500)
        self.assertGreater(len(crowd) * self.answer, CEILING + BUDGET)
        for each in crowd:
            each.send(harness.list_request("abc") * 3)

        def enough_are_closed():
            self.assertEqual(self.other.heartbeat("abc", "s0").status, 200)
            return self.closed(crowd) >= 900

        harness.wait_until(enough_are_closed, "900 of them are closed", within=30, pause=0)
        self.assertLess(self.closed(crowd), len(crowd))
        self.assert_bounded()
        self.assertIn("clients hold more than 256 MiB", self.daemon.log_tail(20_000))

    def test_of_denials_that_become_ready_at_once(self):
        """They wait for the disk, together with their answers; more than may wait are refused at once."""
        crowd = self.crowd(300)
        with self.disk:
            self.other.send(harness.end_request("abc", "s0") + harness.start_request("abc", "again"))
            for each in crowd:
                each.send(harness.start_request("abc", "more") * 20)
            with self.daemon.connect() as looker:
                harness.wait_until(
                    lambda: re.search(rb'starts_total{outcome="failed"} [1-9]', looker.get("/metrics").body),
                    "some are refused")
                self.assertEqual(looker.heartbeat("good", "s0").status, 404)
        self.assertEqual([self.other.receive().status, self.other.receive().status], [200, 201])
        self.assert_bounded()

    def test_of_batches(self):
        crowd = self.crowd(32)
        line = b'{"command":"start","user":"abc","session":"more"}\n'
        body = line * 5000
        head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with self.disk:
            self.other.send(harness.end_request("abc", "s0") + harness.start_request("abc", "again"))
            for each in crowd:
                each.send(head + body[:150_000])
            with self.daemon.connect() as looker:
                self.assertEqual(looker.heartbeat("good", "s0").status, 404)
        self.assertEqual([self.other.receive().status, self.other.receive().status], [200, 201])
        self.assert_bounded()

    def test_who_reads_is_not_sent_away(self):
        """However many they are, and however long their answers were."""
        crowd = self.crowd(1000)
        for each in crowd:
            self.assertEqual(each.list("abc").status, 200)
        for each in crowd:
            self.assertEqual(each.heartbeat("abc", "s1").status, 200)
        self.assertEqual(self.closed(crowd), 0)


class Sessions(unittest.TestCase):
    def test_of_all_users_have_a_bound_too(self):
        with harness.Daemon(settings={"max-sessions": "100"}) as daemon, daemon.connect() as client:
            statuses = [client.start(f"user{number}", "s").status for number in range(300)]
            self.assertEqual(statuses, [201] * 100 + [503] * 200)
            answer = client.start("late", "s")
            self.assertEqual(answer.json(), {
                "error": "unavailable",
                "message": "cannot start session s of user late: there are 100 sessions, the most that max-sessions allows"})
            self.assertIn(b"\r\nRetry-After: 1", answer.head)
            first = client.get("/startSession/userId/late/sessionId/s")
            self.assertEqual((first.status, b"\r\nRetry-After: 1" in first.head), (503, True))
            self.assertIn(b'concurrencyd_starts_total{outcome="failed"} 202\n', client.get("/metrics").body)
            self.assertEqual(client.start("user1", "s").status, 200, "a renewal takes no more")
            self.assertEqual(client.heartbeat("user1", "s").status, 200)
            self.assertEqual(client.end("user1", "s").status, 200)
            self.assertEqual(client.start("late", "s").status, 201)
            self.assertEqual(client.start("later", "s").status, 503)
            daemon.reload({"max-sessions": "0"})
            self.assertEqual(client.start("later", "s").status, 201)


if __name__ == "__main__":
    unittest.main()
