"""Requests as a stream of bytes: however they are cut, and however many come at once, each gets its answer in its turn."""

import contextlib
import socket
import time
import unittest

import harness
from harness import start_request


class Stream(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon("--lease", "600s")
        cls.enterClassContext(cls.daemon)

    def setUp(self):
        self.connection = self.enterContext(self.daemon.connect())

    def test_a_request_cut_in_two_at_every_byte(self):
        request = start_request("cut", "s1", {"device": "tv", "meta": {"app": "4.2"}})
        self.connection.ask(request)
        for at in range(1, len(request)):
            self.connection.send(request[:at])
            time.sleep(0.001)  # so that the parts arrive apart; were they to arrive together, nothing would be wrong
            self.connection.send(request[at:])
            self.assertEqual(self.connection.receive().status, 200, f"cut at byte {at}")

    def test_a_request_byte_by_byte(self):
        for byte in start_request("bytes", "s1", {"device": "tv"}):
            self.connection.send(bytes([byte]))
            time.sleep(0.0005)
        self.assertEqual(self.connection.receive().status, 201)

    def test_pipelines_of_any_length_and_the_connection_goes_on(self):
        for count in (1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 5000):
            with self.subTest(count=count):
                for wanted in (201, 200):
                    requests = [start_request(f"p{count}-{number}", "s1") for number in range(count)]
                    with harness.Fleet(self.daemon.socket, 1) as fleet:
                        answers = fleet.ask_each(requests) + fleet.ask_each([harness.list_request(f"p{count}-0")])
                    self.assertEqual({answer.status for answer in answers[:-1]}, {wanted})
                    self.assertEqual([answer.json()["user"] for answer in answers[:-1]],
                                     [f"p{count}-{number}" for number in range(count)])
                    self.assertEqual(answers[-1].json()["concurrentSessions"], 1)

    def test_pipelines_whose_last_request_is_cut(self):
        for count in (1, 100, 128, 129, 300):
            for missing in (1, 20):
                with self.subTest(count=count, missing=missing):
                    data = b"".join(harness.list_request(f"user{number}") for number in range(count))
                    self.connection.send(data[:-missing])
                    for _ in range(count - 1):
                        self.connection.receive()
                    self.connection.send(data[-missing:])
                    self.assertEqual(self.connection.receive().json()["user"], f"user{count - 1}")

    def test_a_client_that_stops_sending_still_gets_its_answers(self):
        self.connection.send(b"".join(start_request(f"half{number}", "s1") for number in range(50)))
        self.connection.socket.shutdown(1)
        for _ in range(50):
            self.assertEqual(self.connection.receive().status, 201)
        with self.assertRaises(harness.ConnectionLost):
            self.connection.receive()

    def test_clients_that_are_half_gone_cost_no_processor_time(self):
        # Whoever is woken again and again by an end, and does nothing about it, takes a whole processor.
        watcher = self.enterContext(self.daemon.connect())
        watcher.send(harness.request("GET", "/v1/events?user=watched"))
        waiting = self.enterContext(self.daemon.connect())
        waiting.send(start_request("waiting", "s1")[:-5])
        unread = self.enterContext(self.daemon.connect())
        self.connection.start("unread", "s1", {"meta": {"about": "x" * 900}})
        unread.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            for _ in range(5000):
                unread.send(harness.list_request("unread"))
        for client in (watcher, waiting, unread):
            client.socket.shutdown(socket.SHUT_WR)
        self.connection.list("unread")
        harness.wait_until_it_rests(self.daemon.pid)

    def test_another_version_of_http_is_refused(self):
        answer = self.connection.ask(b"GET /healthz HTTP/2.0\r\nHost: concurrencyd\r\n\r\n")
        self.assertEqual(answer.status, 505)
        self.assertEqual(answer.json()["message"], "cannot take the request: it is not HTTP/1.1")

    def test_ids_of_every_length_start_end_and_start_anew(self):
        # A name that is found again must be the living session, not the one that ended.
        for length in (1, 7, 8, 11, 12, 15, 16, 17, 22, 23, 24, 31, 32, 33, 64, 255, 256):
            with self.subTest(length=length):
                user, session = "u" * length, "s" * length
                for _ in range(3):
                    self.assertEqual(self.connection.start(user, session).status, 201)
                    self.assertEqual(self.connection.heartbeat(user, session).status, 200)
                    self.assertEqual(self.connection.list(user).json()["concurrentSessions"], 1)
                    self.assertTrue(self.connection.end(user, session).json()["ended"])
                    self.assertEqual(self.connection.heartbeat(user, session).status, 410)


if __name__ == "__main__":
    unittest.main()
