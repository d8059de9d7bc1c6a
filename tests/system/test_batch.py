"""Batches: many commands in one request, answered in order while they arrive, whatever the client does."""

import json
import os
import select
import subprocess
import unittest

import harness
from harness import seconds
from streams import ChunkedAnswer, ask_batch, batch_head, chunk, command, shut_writing

MOST_COMMANDS = 10_000
MOST_BYTES = 8 << 20
MOST_AT_ONCE = 32


class Batches(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon("--lease", "600s"))
        self.connection = self.enterContext(self.daemon.connect())

    def statuses(self, body):
        return [line["status"] for line in ask_batch(self.connection, body).lines()]

    def commits(self):
        with self.daemon.connect() as connection:
            return connection.get("/v1/status").json()["database"]["commits"]

    # --- what is answered ---

    def test_each_command_has_the_answer_of_its_own_request_in_order(self):
        body = (command("start", "abc", device="tv") + command("start", "abc") + command("heartbeat", "abc") +
                command("heartbeat", "abc", "other") + command("end", "abc") + command("heartbeat", "abc"))
        answer = ask_batch(self.connection, body)
        self.assertEqual(answer.status, 200)
        lines = answer.raw_lines()
        self.assertTrue(all(line.startswith(b'{"status":') for line in lines))
        lines = [json.loads(line) for line in lines]
        self.assertEqual([line["status"] for line in lines], [201, 200, 200, 404, 200, 410])
        single = self.connection.heartbeat("abc", "s1").json()
        self.assertEqual(lines[5], {"status": 410, **single})
        self.assertEqual(lines[4]["ended"], True)

    def test_a_path_that_is_spelt_otherwise_is_the_same(self):
        answer = self.connection.ask(harness.request("POST", "/v1/b%61tch", command("start", "abc") + command("end", "abc")))
        self.assertEqual([json.loads(line)["status"] for line in answer.body.splitlines()], [201, 200])

    def test_a_denial_lists_who_is_watching(self):
        lines = ask_batch(self.connection, b"".join(command("start", "abc", f"s{n}") for n in range(4))).lines()
        self.assertEqual([line["status"] for line in lines], [201, 201, 201, 409])
        self.assertEqual(lines[3]["error"], "limit_reached")
        self.assertEqual([session["session"] for session in lines[3]["sessions"]], ["s0", "s1", "s2"])

    def test_a_bad_line_has_its_error_and_the_rest_go_on(self):
        body = (b"nonsense\n" + b"\n \t \r\n" + command("start", "abc") + b"[1]\n" + command("play", "abc") +
                b'{"user":"abc","session":"s1"}\n' + command("start", "abc", colour="red") +
                b'{"command":"end","user":"abc"}\n' + command("heartbeat", "abc", device="tv") +
                b'{"command":"end","user":7,"session":"s1"}\n' + b'{"command":"end","user":"abc","session":"s1"}')
        lines = ask_batch(self.connection, body).lines()
        self.assertEqual([line["status"] for line in lines], [400, 201, 400, 400, 400, 400, 400, 400, 400, 200])
        reported = [line.get("message") for line in lines]
        self.assertTrue(reported[0].startswith("cannot read line 1: "), reported[0])
        self.assertEqual(reported[2], "cannot read line 5: it takes a JSON object")
        self.assertEqual(reported[3], "cannot read line 6: its command is start, heartbeat, end, limit, plan, block or unblock")
        self.assertEqual(reported[4], "cannot read line 7: its command is start, heartbeat, end, limit, plan, block or unblock")
        self.assertEqual(reported[5], "cannot accept field 'colour': it is not known")
        self.assertEqual(reported[6], "Please specify a userId and sessionId")
        self.assertEqual(reported[7], "cannot accept field 'device': it is for starts alone")
        self.assertEqual(reported[8], "cannot accept field 'user': it takes text")
        self.assertEqual({line["error"] for line in lines if line["status"] == 400}, {"invalid_request"})

    def test_a_line_over_64_kib_is_passed_over_wherever_it_is_cut(self):
        for size in (64 * 1024 + 1, 300_000):
            with self.subTest(size=size):
                body = command("start", "long") + b"x" * size + b"\n" + command("heartbeat", "long")
                lines = ask_batch(self.connection, body).lines()
                self.assertEqual([line["status"] for line in lines][1:], [413, 200])
                self.assertEqual(lines[1]["message"], "cannot read line 2: it has more than 64 KiB")
        fitting = command("end", "long")[:-1]
        self.assertEqual(self.statuses(fitting + b" " * (64 * 1024 - len(fitting)) + b"\n"), [200])

    def test_an_empty_batch_has_an_empty_answer(self):
        self.assertEqual(self.statuses(b""), [])
        self.assertEqual(self.statuses(b"\n\n"), [])

    # --- how it is sent ---

    def test_byte_by_byte_and_in_chunks_of_any_size(self):
        body = command("start", "bytes") + b"oops\n" + command("heartbeat", "bytes")[:-1]
        self.connection.send(batch_head(len(body)))
        for byte in body:
            self.connection.send(bytes([byte]))
        answer = ChunkedAnswer(self.connection)
        self.assertEqual([line["status"] for line in answer.lines()][1:], [400, 200])
        for size in (1, 2, 7, 60, 1000):
            with self.subTest(size=size):
                self.connection.send(batch_head())
                for at in range(0, len(body), size):
                    self.connection.send(chunk(body[at:at + size]))
                self.connection.send(b"0\r\n\r\n")
                self.assertEqual([line["status"] for line in ChunkedAnswer(self.connection).lines()], [200, 400, 200])

    def test_answers_come_while_the_request_still_arrives(self):
        self.connection.send(batch_head())
        answer = ChunkedAnswer(self.connection)
        for number in range(5):
            self.connection.send(chunk(command("start", f"user{number}")))
            self.assertEqual(answer.line()["user"], f"user{number}")
        self.connection.send(b"0\r\n\r\n")
        self.assertEqual(answer.lines(), [])
        self.assertEqual(self.connection.get("/healthz").status, 200)

    def test_expect_100_continue_is_granted_before_the_answer_begins(self):
        body = command("start", "abc")
        self.connection.send(batch_head(len(body), "Expect: 100-continue"))
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.connection.socket.recv(1000)
        self.assertTrue(got.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"), got)
        self.connection.send(body)
        answer = ChunkedAnswer(self.connection, already=got[len(b"HTTP/1.1 100 Continue\r\n\r\n"):])
        self.assertEqual(answer.line()["status"], 201)

    def test_expectation_behind_another_request_waits_for_its_turn(self):
        body = command("heartbeat", "abc")
        self.connection.send(harness.start_request("abc", "s1") + batch_head(len(body), "Expect: 100-continue"))
        got = b""
        while b"100 Continue\r\n\r\n" not in got:
            got += self.connection.socket.recv(1000)
        self.assertTrue(got.startswith(b"HTTP/1.1 201 "), got)
        self.connection.send(body)
        rest = got.partition(b"HTTP/1.1 100 Continue\r\n\r\n")[2]
        self.assertEqual(ChunkedAnswer(self.connection, already=rest).line()["status"], 200)

    def test_an_older_client_gets_no_chunks(self):
        body = command("start", "abc") + command("end", "abc")
        self.connection.send(b"POST /v1/batch HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        got = b""
        while data := self.connection.socket.recv(1 << 16):
            got += data
        head, _, answer = got.partition(b"\r\n\r\n")
        self.assertNotIn(b"chunked", head)
        self.assertEqual([json.loads(line)["status"] for line in answer.splitlines()], [201, 200])

    def test_what_is_pipelined_around_a_batch_keeps_its_turn(self):
        body = b"".join(command("start", f"user{number}") for number in range(2000))
        self.connection.send(harness.start_request("before", "s1"))
        self.connection.send(batch_head(len(body)) + body + harness.list_request("user1999") + batch_head(0))
        first = self.connection.socket.recv(1 << 18)
        head, _, rest = first.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 201 "))
        rest = rest.partition(b"}\n")[2]
        answer = ChunkedAnswer(self.connection, already=rest)
        self.assertEqual([line["user"] for line in answer.lines()], [f"user{number}" for number in range(2000)])
        behind = answer.rest
        while b"\r\n0\r\n\r\n" not in behind:
            behind += self.connection.socket.recv(1 << 16)
        self.assertIn(b'"concurrentSessions":1', behind)
        self.assertTrue(behind.endswith(b"0\r\n\r\n"))

    # --- bounds ---

    def test_past_10_000_commands_the_answer_ends_with_413(self):
        body = b"".join(command("heartbeat", f"user{number}") for number in range(MOST_COMMANDS))
        self.assertEqual(self.statuses(body), [404] * MOST_COMMANDS)
        answer = ask_batch(self.connection, body + command("heartbeat", "one-more") * 3)
        lines = answer.lines()
        self.assertEqual(len(lines), MOST_COMMANDS + 1)
        self.assertEqual(lines[-1], {"status": 413, "error": "invalid_request",
                                     "message": "cannot read line 10001: a batch has at most 10,000 commands"})
        self.assertTrue(answer.is_closed_behind())

    def test_past_8_mib_the_answer_ends_with_413(self):
        wide = command("heartbeat", "abc")[:-1]
        wide += b" " * (64 * 1024 - 1 - len(wide)) + b"\n"
        self.assertEqual(self.statuses(wide * 128), [404] * 128)
        with self.daemon.connect() as connection:
            connection.send(batch_head(128 * len(wide) + 1))
            connection.send(wide * 128 + b"\n")
            lines = ChunkedAnswer(connection).lines()
        self.assertEqual(len(lines), 129)
        self.assertEqual(lines[-1]["message"], "cannot read line 129: a batch has at most 8 MiB")

    def test_more_than_32_at_once_are_refused_with_503(self):
        held = [self.enterContext(self.daemon.connect()) for _ in range(MOST_AT_ONCE)]
        answers = []
        for connection in held:
            connection.send(batch_head())
            answers.append(ChunkedAnswer(connection))
        self.connection.send(batch_head())
        refused = self.connection.receive()
        self.assertEqual((refused.status, refused.header("Retry-After")), (503, "1"))
        self.assertEqual(refused.json()["message"], "cannot take the batch: 32 of them are under way")
        held[0].send(b"0\r\n\r\n")
        self.assertEqual(answers[0].lines(), [])
        with self.daemon.connect() as connection:
            self.assertEqual(ask_batch(connection, command("start", "abc")).line()["status"], 201)
        held[1].close()  # one that vanishes makes room as well

        def there_is_room():
            with self.daemon.connect() as one, self.daemon.connect() as two:
                one.send(batch_head())
                two.send(batch_head())
                return all(b" 200 OK" in connection.socket.recv(1000) for connection in (one, two))

        harness.wait_until(there_is_room, "the place of a vanished client is free")

    def test_what_is_no_chunk_ends_it_with_400(self):
        self.connection.send(batch_head() + chunk(command("start", "abc")) + b"zz\r\n")
        lines = ChunkedAnswer(self.connection).lines()
        self.assertEqual([line["status"] for line in lines], [201, 400])
        self.assertEqual(lines[1]["message"], "cannot read line 2: it is not well-formed HTTP/1.1")

    def test_an_end_in_the_middle_is_reported(self):
        self.connection.send(batch_head(1000) + command("start", "abc") + command("end", "abc"))
        shut_writing(self.connection)
        lines = ChunkedAnswer(self.connection).lines()
        self.assertEqual([line["status"] for line in lines], [201, 200, 400])
        self.assertEqual(lines[2]["message"], "cannot read line 3: it ended before it was whole")

    def test_a_client_that_never_reads_costs_a_bounded_memory_and_loses_nothing(self):
        """Denials are long: ten times what may be owed, and the daemon reads no further than it may owe."""
        for number in range(3):
            details = {"device": f"d{number}" * 60, "content": "c" * 250, "meta": {"m": "x" * 900}}
            self.connection.start("abc", f"s{number}", details)
        before = harness.resident_bytes(self.daemon.pid)
        body = command("start", "abc", "more") * MOST_COMMANDS
        with self.daemon.connect() as other, self.daemon.connect() as silent:
            silent.socket.setblocking(False)
            data = memoryview(batch_head(len(body)) + body)
            stalled = 0
            while data and stalled < 20:
                try:
                    data = data[silent.socket.send(data):]
                    stalled = 0
                except BlockingIOError:
                    stalled += 1
                    self.assertEqual(other.get("/healthz").status, 200)
            self.assertTrue(data, "the daemon reads on though its answers are not taken")
            # A tenth of what is owed when all is read.
            self.assertLess(harness.resident_bytes(self.daemon.pid) - before, harness.memory(20 << 20))
            received = bytearray()
            while data:
                readable, writable, _ = select.select([silent.socket], [silent.socket], [], 1)
                if readable:
                    received += silent.socket.recv(1 << 18)
                if writable:
                    data = data[silent.socket.send(data):]
            lines = ChunkedAnswer(silent, already=received).raw_lines()
        self.assertEqual(len(lines), MOST_COMMANDS)
        self.assertTrue(all(line.startswith(b'{"status":409,') for line in lines))

    def test_one_who_sends_all_before_it_reads_is_answered(self):
        body = b"".join(command("start", f"user{number}") for number in range(MOST_COMMANDS))
        self.connection.send(batch_head(len(body)) + body)
        self.assertEqual([line["status"] for line in ChunkedAnswer(self.connection).lines()], [201] * MOST_COMMANDS)

    def test_clients_that_vanish_amid_leave_nothing_behind(self):
        body = b"".join(command("start", f"user{number}") for number in range(3000))
        for cut in (len(batch_head(len(body))), 200, 5000, 100_000, len(body)):
            for _ in range(5):
                with self.daemon.connect() as connection:
                    connection.send((batch_head(len(body)) + body)[:cut])
        harness.wait_until(lambda: self.connection.get("/v1/status").json()["connections"] == 1, "they are forgotten")
        self.assertEqual(set(self.statuses(body)) - {200, 201}, set())

    # --- what it promises ---

    def test_5_000_starts_share_few_commits_and_survive_a_kill(self):
        before = self.commits()
        body = b"".join(command("start", f"user{number}") for number in range(5000))
        self.assertEqual(self.statuses(body), [201] * 5000)
        self.assertLess(self.commits() - before, 100)
        self.daemon.kill()
        self.daemon.start()
        with self.daemon.connect() as connection:
            self.assertEqual(connection.get("/v1/status").json()["sessions"], 5000)

    def test_a_stop_answers_what_was_taken_and_says_where_it_ended(self):
        self.connection.send(batch_head())
        answer = ChunkedAnswer(self.connection)
        self.connection.send(chunk(command("start", "abc")))
        self.assertEqual(answer.line()["status"], 201)
        self.daemon.stop()
        self.assertEqual(answer.lines(), [{"status": 503, "error": "unavailable",
                                           "message": "cannot read line 2: the daemon is stopping"}])
        self.daemon.start()


class Roles(unittest.TestCase):
    def test_a_limit_in_a_line_is_for_operators(self):
        if os.getuid() != 0:
            self.skipTest("only root can become somebody else")
        body = command("start", "abc", limit=9) + command("start", "abc")
        with harness.Daemon("--socket-mode", "0666") as daemon:
            os.chmod(daemon.folder, 0o755)
            done = subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "--unix-socket",
                 str(daemon.socket), "--data-binary", "@-", "http://x/v1/batch"],
                input=body, capture_output=True, timeout=seconds(20), check=True)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            self.assertEqual([line["status"] for line in lines], [403, 201])
            self.assertEqual(lines[0]["error"], "permission_denied")
            with daemon.connect() as connection:
                self.assertEqual(ask_batch(connection, body).line()["limit"], 9)


if __name__ == "__main__":
    unittest.main()
