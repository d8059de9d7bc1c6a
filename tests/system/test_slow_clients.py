"""Clients that are slow, half open, deaf or rude, by the thousand: the others are served as ever meanwhile, memory and files stay
bounded, and each is sent away in the end.

CONCUR_TEST_LONG=1 waits for the end of each: 10 s for half a request, 75 s for a client that is idle or does not take its answers.
"""

import resource
import select
import socket
import time
import unittest

import faults
import harness

HALF_OPEN = 3_000


class Crowd(unittest.TestCase):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < HALF_OPEN + 500:
            self.skipTest(f"the hard limit of open files is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HALF_OPEN + 500), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.daemon = self.enterContext(harness.Daemon("--lease", "3600s"))
        self.ledger = faults.Ledger()

    def connect(self, count):
        crowd = [self.daemon.connect() for _ in range(count)]
        for each in crowd:
            self.addCleanup(each.close)
        return crowd

    def serve_others_until(self, is_over, within):
        """Others start and end sessions meanwhile; none of them is refused or waits for its time-out."""
        with self.daemon.connect() as connection:

            def others_are_served_until_it_is_over():
                self.assertTrue(self.ledger.work(connection, users=2))
                return is_over()

            harness.wait_until(others_are_served_until_it_is_over, "it is over", within)

    def test_half_open_connections_hold_up_nobody(self):
        halves = (b"P", b"PUT /v1/users/a/sessions/b HTTP/1.1\r\nHost: x\r\n",
                  b"PUT /v1/users/a/sessions/b HTTP/1.1\r\nContent-Length: 50\r\n\r\n{\"ttl\"",
                  b"POST /v1/batch HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"comm")
        files, memory = harness.open_files(self.daemon.pid), harness.resident_bytes(self.daemon.pid)
        crowd = self.connect(HALF_OPEN)
        poll, waiting = select.poll(), {}
        for number, each in enumerate(crowd):
            # Batches are few at once; most of that half are refused at once.
            each.send(halves[3 if number % 100 == 99 else number % 3])
            waiting[each.socket.fileno()] = each
            poll.register(each.socket, select.POLLIN)
        statuses, rounds = {}, 0

        def enough_is_served():
            nonlocal rounds
            rounds += 1
            return rounds == 200

        self.serve_others_until(enough_is_served, within=60)
        self.assertLess(harness.resident_bytes(self.daemon.pid) - memory, harness.memory(100 << 20))
        faults.count("half a request, then silence", "others are served meanwhile, memory is bounded", HALF_OPEN)

        def all_are_gone():
            for descriptor, _ in poll.poll(0):
                each = waiting.pop(descriptor)
                poll.unregister(descriptor)
                answer = each.receive()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                each.close()
            return not waiting

        if faults.LONG:
            self.serve_others_until(all_are_gone, within=60)
            # A batch has its 200 at its beginning; what went wrong stands in its last line.
            self.assertGreaterEqual(statuses.pop(408, 0), HALF_OPEN - HALF_OPEN // 100)
            self.assertLessEqual(set(statuses), {200, 503})
            faults.count("half a request, then silence", "408 and closed", HALF_OPEN)
        for each in crowd:
            each.close()
        harness.wait_until(lambda: harness.open_files(self.daemon.pid) <= files + 2, "their files are closed")
        self.ledger.compare(self.daemon)

    def test_clients_that_reset_in_the_midst(self):
        chosen = faults.chance("reset")
        files = harness.open_files(self.daemon.pid)
        self.daemon.connect().close()
        memory = None
        whole = harness.start_request("rude", "s1", {"device": "tv"}) + harness.list_request("rude") * 20
        for round_number in range(faults.times(6, 200)):
            for number in range(500):
                with self.daemon.connect() as each:
                    each.socket.setblocking(False)
                    try:
                        each.socket.send(whole[:chosen.randrange(len(whole))])
                    except OSError:
                        pass
                    if number % 3 == 0:
                        each.socket.shutdown(chosen.choice((socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR)))
            with self.daemon.connect() as connection:
                self.assertTrue(self.ledger.work(connection))
                self.assertLessEqual(len(connection.list("rude").json()["sessions"]), 1)
            if round_number == 0:
                memory = harness.resident_bytes(self.daemon.pid)
        harness.wait_until(lambda: harness.open_files(self.daemon.pid) <= files + 2, "their files are closed")
        self.assertLess(harness.resident_bytes(self.daemon.pid) - memory, harness.memory(16 << 20))
        with self.daemon.connect() as connection:
            connection.end("rude", "s1")
        self.ledger.compare(self.daemon)
        faults.count("a client that is gone in the midst of requests", "others see nothing of it", 500 * faults.times(6, 200))

    def test_clients_that_never_read(self):
        count = 300
        with self.daemon.connect() as connection:
            for number in range(3):
                connection.start("abc", f"s{number}", {"meta": {"k": "v" * 500}})
        files, memory = harness.open_files(self.daemon.pid), harness.resident_bytes(self.daemon.pid)
        data = harness.list_request("abc") * 3_000
        deaf = self.connect(count)
        for each in deaf:
            each.socket.setblocking(False)
        began = time.monotonic()
        silent = [0] * count

        def the_daemon_takes_no_more():
            for number, each in enumerate(deaf):
                try:
                    each.socket.send(data)
                    silent[number] = 0
                except BlockingIOError:
                    silent[number] += 1
            return min(silent) >= 5

        self.serve_others_until(the_daemon_takes_no_more, within=30)
        self.assertLess(harness.resident_bytes(self.daemon.pid) - memory, harness.memory(count * (1 << 20)))
        faults.count("a client that never reads", "answers wait, memory is bounded, others are served", count)
        if faults.LONG:
            self.serve_others_until(lambda: harness.open_files(self.daemon.pid) <= files + 2, within=100)
            self.assertGreater(time.monotonic() - began, 70)
            faults.count("a client that never reads", "closed after 75 s", count)
        with self.daemon.connect() as connection:
            for number in range(3):
                connection.end("abc", f"s{number}")
        self.ledger.compare(self.daemon)

    def test_an_idle_connection_is_closed_after_75_seconds(self):
        if not faults.LONG:
            self.skipTest("takes 75 s: CONCUR_TEST_LONG=1")
        files = harness.open_files(self.daemon.pid)
        fresh, used = self.connect(1_000), self.connect(1_000)
        for each in used:
            self.assertEqual(each.get("/healthz").status, 200)
        began = time.monotonic()
        self.serve_others_until(lambda: harness.open_files(self.daemon.pid) <= files + 2, within=100)
        self.assertGreater(time.monotonic() - began, 70)
        for each in fresh + used:
            self.assertEqual(each.socket.recv(1), b"")
        faults.count("an idle connection", "closed after 75 s", 2_000)


if __name__ == "__main__":
    unittest.main()
