"""Past each bound the daemon says so clearly, goes on with the rest, and recovers by itself: open files, connections,
sizes, time, memory and a full disk. Its log is fit for the place it goes to."""

import json
import os
import resource
import select
import sqlite3
import subprocess
import time
import unittest

import harness
from streams import ChunkedAnswer, batch_head, chunk, command

MOST_CONNECTIONS = 4096


class Requests(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon())

    def refused(self, data, status):
        """The answer to bytes that end the connection; the daemon must go on with others."""
        with self.daemon.connect() as connection:
            connection.send(data)
            answer = connection.receive()
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.header("Connection"), "close")
            self.assertEqual(answer.json()["error"], "invalid_request")
            self.assertTrue(answer.json()["message"].startswith("cannot take the request: "), answer)
            with self.assertRaises((harness.ConnectionLost, OSError)):
                connection.receive()
        with self.daemon.connect() as connection:
            self.assertEqual(connection.get("/healthz").status, 200)

    def test_what_is_no_http_is_refused(self):
        self.refused(b"\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n", 400)

    def test_a_header_over_8_kib_is_refused(self):
        self.refused(b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431)

    def test_a_body_over_64_kib_is_refused_before_it_is_sent(self):
        self.refused(b"POST /v1/purge HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413)

    def test_a_chunk_header_without_end_is_refused_and_costs_no_memory(self):
        before = harness.resident_bytes(self.daemon.pid)
        with self.daemon.connect() as connection:
            connection.send(b"POST /v1/purge HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;")
            try:
                for _ in range(64):
                    connection.send(b"a" * (1 << 20))
            except OSError:
                pass  # it may close before all is sent
            self.assertEqual(connection.receive().status, 431)
        self.assertLess(harness.resident_bytes(self.daemon.pid) - before, harness.memory(16 << 20))
        with self.daemon.connect() as connection:
            self.assertEqual(connection.get("/healthz").status, 200)

    def test_what_does_not_arrive_whole_in_10_seconds_is_refused(self):
        """The one test that waits for it, for every kind of client at once; the rest is proved by units with a held
        clock. The 10 seconds are for the whole request: single bytes of it do not prolong them."""
        whole = harness.start_request("slow", "s1", {"device": "tv"})
        halves = [b"P", whole[:40], harness.request("PUT", "/v1/users/a/sessions/b", b"x" * 50)[:-20]]
        batch_clients = [self.enterContext(self.daemon.connect()) for _ in range(2)]
        slow = [self.enterContext(self.daemon.connect()) for _ in range(len(halves) + 1)]
        began = time.monotonic()
        for connection, half in zip(slow, halves):
            connection.send(half)
        for connection in batch_clients:
            connection.send(batch_head())
        batches = [ChunkedAnswer(connection) for connection in batch_clients]
        for connection in batch_clients:
            connection.send(chunk(command("start", "abc") + b'{"comm'))
        self.assertEqual({answer.line()["status"] for answer in batches}, {200, 201})
        drip, sent = slow[-1], 0

        def is_refused():
            nonlocal sent
            if sent < (time.monotonic() - began) * 4 and sent < len(whole) - 1:
                try:
                    drip.send(whole[sent:sent + 1])
                    sent += 1
                except OSError:
                    pass  # it is closed; its answer is read below
            return select.select([drip.socket], [], [], 0)[0]

        harness.wait_until(is_refused, "the client that sends single bytes is refused", within=30)
        for connection in slow:
            answer = connection.receive()
            self.assertEqual((answer.status, answer.header("Connection")), (408, "close"))
            self.assertTrue(answer.json()["message"].startswith("cannot take the request: "), answer)
        for answer in batches:
            self.assertEqual(answer.lines(), [{"status": 408, "error": "invalid_request",
                                               "message": "cannot read line 2: it did not arrive within 10 s"}])
            self.assertTrue(answer.is_closed_behind())
        self.assertGreater(time.monotonic() - began, 8)

    def test_unknown_paths_and_methods_keep_the_connection(self):
        with self.daemon.connect() as connection:
            self.assertEqual(connection.get("/v2/nothing").status, 404)
            answer = connection.ask(harness.request("PATCH", "/v1/purge"))
            self.assertEqual((answer.status, answer.header("Allow")), (405, "POST, OPTIONS"))
            self.assertEqual(connection.get("/healthz").status, 200)

    def test_expect_100_continue_is_granted(self):
        with self.daemon.connect() as connection:
            connection.send(b"PUT /v1/users/a/sessions/b HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            self.assertEqual(connection.socket.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.send(b"{}")
            self.assertEqual(connection.receive().status, 201)

    def test_a_client_that_never_reads_costs_a_bounded_memory_and_loses_nothing(self):
        with self.daemon.connect() as connection:
            for number in range(3):
                connection.start("abc", f"s{number}")
        before = harness.resident_bytes(self.daemon.pid)
        requests = 100_000  # 60 MB of answers
        one = harness.list_request("abc")
        with self.daemon.connect() as connection, self.daemon.connect() as other:
            connection.socket.setblocking(False)
            data = memoryview(one * requests)
            sent = 0
            stalled = 0
            while sent < len(data) and stalled < 10:
                try:
                    sent += connection.socket.send(data[sent:])
                    stalled = 0
                except BlockingIOError:
                    stalled += 1
                    self.assertEqual(other.get("/healthz").status, 200)
            self.assertLess(sent, len(data), "the daemon reads on though its answers are not taken")
            self.assertLess(harness.resident_bytes(self.daemon.pid) - before, harness.memory(24 << 20))
            connection.socket.settimeout(harness.seconds(20))
            for _ in range(sent // len(one)):
                self.assertEqual(connection.receive().status, 200)


class Connections(unittest.TestCase):
    def test_out_of_files_the_daemon_rests_and_recovers(self):
        with harness.Daemon() as daemon, daemon.connect() as first:
            self.assertEqual(first.get("/healthz").status, 200)
            room = harness.open_files(daemon.pid) + 5
            _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (room, hard))
            waiting = [daemon.connect() for _ in range(20)]
            for connection in waiting:
                connection.send(harness.request("GET", "/healthz"))
            harness.wait_until(lambda: harness.open_files(daemon.pid) == room, "all files are in use")
            harness.wait_until_it_rests(daemon.pid)
            self.assertEqual(first.get("/healthz").status, 200)
            # Each that ends makes room for one that waits; in the end all have their answer.
            for connection in waiting:
                self.assertEqual(connection.receive().status, 200)
                connection.close()
            self.assertIn("cannot accept connections", daemon.log_tail())

    def test_beyond_4096_connections_a_further_one_is_refused(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_CONNECTIONS + 100
        if hard != resource.RLIM_INFINITY and hard < wanted:
            self.fail(f"this test needs {wanted} open files; the hard limit is {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        try:
            with harness.Daemon() as daemon:
                held = [daemon.connect() for _ in range(MOST_CONNECTIONS)]
                self.assertEqual(held[-1].get("/healthz").status, 200)
                with daemon.connect() as one_more:
                    answer = one_more.receive()
                    self.assertEqual(answer.status, 503)
                    self.assertEqual(answer.header("Retry-After"), "1")
                    self.assertEqual(answer.json()["error"], "unavailable")
                held.pop().close()

                def there_is_room():
                    with daemon.connect() as connection:
                        return connection.get("/healthz").status == 200

                harness.wait_until(there_is_room, "a connection is taken again")
                for connection in held:
                    connection.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class FullDisk(unittest.TestCase):
    """A limit on the size of files (setrlimit(2)) makes the daemon's writes fail as on a full disk, and can be lifted."""

    def test_it_refuses_what_it_cannot_keep_and_recovers_by_itself(self):
        with harness.Daemon() as daemon:
            with daemon.connect() as connection:
                for number in range(3):
                    self.assertEqual(connection.start("full", f"s{number}").status, 201)
                self.assertEqual(connection.start("abc", "s0").status, 201)
                unlimited = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))

                answer = connection.start("abc", "s1")
                self.assertEqual(answer.status, 503)
                self.assertEqual(answer.header("Retry-After"), "1")
                self.assertEqual(answer.json()["error"], "unavailable")
                self.assertIn(str(daemon.database), answer.json()["message"])
                self.assertEqual(connection.end("abc", "s0").status, 503)
                self.assertEqual(connection.get("/healthz").status, 503)
                self.assertEqual(connection.get("/v1/status").json()["health"], "failing")
                self.assertEqual(connection.heartbeat("abc", "s0").status, 200)
                self.assertEqual(connection.heartbeat("abc", "s1").status, 404)
                self.assertEqual(connection.start("full", "s3").status, 409)
                self.assertEqual(connection.list("abc").json()["concurrentSessions"], 1)

                resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unlimited)
                harness.wait_until(lambda: connection.get("/healthz").status == 200, "the daemon notices the room by itself")
                self.assertEqual(connection.start("abc", "s1").status, 201)
                self.assertEqual(connection.get("/v1/status").json()["health"], "ok")
            self.assertIn("work again", daemon.log_tail())  # the line about the trouble met the same full disk
            daemon.kill()
            daemon.start()
            with daemon.connect() as connection:
                self.assertEqual(connection.list("abc").json()["concurrentSessions"], 2)
                self.assertEqual(connection.list("full").json()["concurrentSessions"], 3)
            daemon.stop()
            database = sqlite3.connect(daemon.database)
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            database.close()
            daemon.start()


class Roles(unittest.TestCase):
    def test_what_is_for_operators_is_refused_to_others(self):
        if os.getuid() != 0:
            self.skipTest("only root can become somebody else")
        with harness.Daemon("--socket-mode", "0666") as daemon:
            os.chmod(daemon.folder, 0o755)

            def as_nobody(method, target, body="{}"):
                done = subprocess.run(
                    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-w",
                     "%{http_code}", "--unix-socket", str(daemon.socket), "-X", method, "-d", body, f"http://x{target}"],
                    capture_output=True, text=True, timeout=harness.seconds(20), check=True)
                return int(done.stdout[-3:]), done.stdout[:-3]

            self.assertEqual(as_nobody("PUT", "/v1/users/abc/sessions/s1")[0], 201)
            self.assertEqual(as_nobody("PUT", "/v1/users/abc/sessions/s2", '{"limit":9}')[0], 403)
            self.assertEqual(as_nobody("POST", "/v1/purge", '{"all":true}')[0], 403)
            status, body = as_nobody("GET", "/v1/sessions")
            self.assertEqual((status, json.loads(body)["error"]), (403, "permission_denied"))
            with daemon.connect() as root:
                self.assertEqual(root.get("/v1/sessions").status, 200)
                self.assertEqual(root.list("abc").json()["concurrentSessions"], 1)


class Log(unittest.TestCase):
    def lines(self, *options, environment=None):
        """What a short life with some requests logs to standard error."""
        folder = harness.private_folder()
        path = folder / "stderr"
        with open(path, "wb") as stderr:
            info = os.fstat(stderr.fileno())
            variables = harness.clean_environment()
            if environment == "journal":
                variables["JOURNAL_STREAM"] = f"{info.st_dev}:{info.st_ino}"
            socket = folder / "s.sock"
            process = subprocess.Popen(
                [str(harness.DAEMON), "--socket", str(socket), "--database", str(folder / "db"), "--config", "/dev/null",
                 *options], stderr=stderr, env=variables)
            try:
                done = harness.concur("start", "--user", "abc", "--session", "s1", socket=socket)
                self.assertEqual(done.returncode, 0, done)
            finally:
                process.terminate()
                self.assertEqual(process.wait(harness.seconds(20)), 0)
        return path.read_text().splitlines()

    def test_text_lines_have_a_time_and_a_level_and_there_is_none_per_request(self):
        lines = self.lines()
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warning|error) ")
        self.assertFalse([line for line in lines if "/v1/" in line])

    def test_under_the_journal_a_priority_stands_in_their_place(self):
        for line in self.lines(environment="journal"):
            self.assertRegex(line, r"^<[3-7]>[a-z]")

    def test_json_lines_are_json(self):
        for line in self.lines("--log-format", "json"):
            self.assertEqual(set(json.loads(line)), {"time", "level", "message"})

    def test_requests_are_logged_at_debug(self):
        lines = self.lines("--log-level", "debug")
        self.assertTrue([line for line in lines if "PUT /v1/users/abc/sessions/s1: 201" in line], lines)


if __name__ == "__main__":
    unittest.main()
