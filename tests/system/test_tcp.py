"""The TCP socket: who is let in by key, who is not, and what a browser on the same machine cannot do."""

import concurrent.futures
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import unittest

import doors
import harness


def start_fails(*options, folder):
    """Exit code and message of a daemon that does not start."""
    config = folder / "empty.conf"
    config.touch()
    done = subprocess.run(
        [str(harness.DAEMON), "--socket", str(folder / "s"), "--database", str(folder / "db"), "--config", str(config),
         *options], capture_output=True, text=True, timeout=harness.seconds(20), env=harness.clean_environment())
    return done.returncode, done.stderr


class Start(unittest.TestCase):
    def setUp(self):
        self.folder = harness.private_folder()
        self.keys = doors.Keys(self.folder)

    def refuses(self, *options, code, message):
        got, reported = start_fails(*options, folder=self.folder)
        self.assertEqual(got, code, reported)
        self.assertIn(message, reported)
        for key in self.keys.of.values():
            self.assertNotIn(key, reported)

    def test_without_keys_an_address_must_be_loopback(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80"):
            self.refuses("--listen", address, code=2, message="without --api-key-file it takes a loopback address")

    def test_an_address_is_an_address(self):
        for address in ("localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "[::1]", "[::1:80", ":80",
                        "127.0.0.1:80x"):
            self.refuses("--listen", address, code=2, message="it takes an address and a port, such as 127.0.0.1:8080")

    def test_one_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.refuses("--listen", f"127.0.0.1:{port}", code=13, message=f"127.0.0.1:{port}: Address already in use")

    def test_keys_are_nobody_elses(self):
        for mode in (0o604, 0o620, 0o660, 0o644, 0o602, 0o444):
            self.keys.write(mode)
            self.refuses("--listen", "127.0.0.1:0", "--api-key-file", str(self.keys.path), code=2,
                         message=f"its mode is {mode:04o}: others may not read it")
        if os.getuid() == 0:
            self.keys.write()
            os.chown(self.keys.path, doors.NOBODY, doors.NOBODY)
            self.refuses("--listen", "127.0.0.1:0", "--api-key-file", str(self.keys.path), code=2,
                         message="it belongs to user 65534")

    def test_keys_may_be_in_a_file_of_its_group_as_service_managers_make_them(self):
        for mode in (0o400, 0o440, 0o640, 0o600):
            self.keys.write(mode)
            with harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(self.keys.path)) as daemon:
                self.assertIn("for API keys: 3", daemon.log_text())
        # Kubernetes links the file to one in a folder of the day.
        day = self.folder / "..2026"
        day.mkdir()
        os.rename(self.keys.path, day / "keys")
        (self.folder / "..data").symlink_to("..2026")
        self.keys.path.symlink_to("..data/keys")
        with harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(self.keys.path)) as daemon:
            self.assertIn("for API keys: 3", daemon.log_text())

    @unittest.skipUnless(os.getuid() == 0, "takes root")
    def test_keys_may_be_roots_where_the_daemon_may_read_them(self):
        self.keys.write(0o440)
        os.chown(self.keys.path, 0, doors.STRANGERS_GROUP)
        os.chmod(self.folder, 0o711)
        own = harness.private_folder()
        os.chown(own, doors.NOBODY, doors.NOBODY)
        daemon = harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(self.keys.path), folder=own)
        daemon.launcher = ["setpriv", f"--reuid={doors.NOBODY}", f"--regid={doors.NOBODY}",
                           f"--groups={doors.STRANGERS_GROUP}"]
        with daemon:
            self.assertIn("for API keys: 3", daemon.log_text())

    def test_a_bad_key_file_is_reported_by_line_and_without_the_key(self):
        key = self.keys.of["client"]
        for text, message in (
                ("", "there is no key in it"),
                ("# none\n", "there is no key in it"),
                (f"edge client {key}\nedge client {key[::-1]}x\n", "line 2: there is a key of the name edge already"),
                (f"edge client {key}\nother client {key}\n", "line 2: another name has the same key"),
                (f"edge admin {key}\n", "line 1: a role is client, operator or metrics"),
                (f"edge client {key[:31]}\n", "line 1: a key has 32 to 128 characters, this one has 31"),
                (f"\n\nedge {key}\n", "line 3: it takes the form: name role key")):
            self.keys.path.write_text(text)
            self.refuses("--listen", "127.0.0.1:0", "--api-key-file", str(self.keys.path), code=2, message=message)
        self.refuses("--listen", "127.0.0.1:0", "--api-key-file", str(self.folder / "absent"), code=2,
                     message="No such file or directory")

    def test_on_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("this machine has no ::1")
        with harness.Daemon("--listen", "[::1]:0", folder=self.folder) as daemon:
            connection = http.client.HTTPConnection("::1", doors.tcp_port(daemon), timeout=harness.seconds(20))
            self.assertEqual(doors.ask(connection, "GET", "/v1/status")[0], 200)
            connection.close()


class WithKeys(unittest.TestCase):
    def setUp(self):
        self.folder = harness.private_folder()
        self.keys = doors.Keys(self.folder)
        self.daemon = harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(self.keys.path),
                                     folder=self.folder)
        self.connections = []
        self.addCleanup(lambda: [each.close() for each in self.connections])

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", doors.tcp_port(self.daemon), timeout=harness.seconds(20))
        self.connections.append(connection)
        return connection

    def ask(self, key, connection=None, path="/v1/status", method="GET", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return doors.ask(connection or self.connect(), method, path,
                         headers=({"x-api-key": key} if key is not None else {}) | headers)

    def test_a_key_is_asked_for_each_request(self):
        with self.daemon:
            connection = self.connect()
            self.assertEqual(self.ask(self.keys.of["client"], connection)[0], 200)
            self.assertEqual(self.ask(self.keys.of["operator"], connection, "/v1/sessions")[0], 200)
            self.assertEqual(self.ask(self.keys.of["client"], connection, "/v1/sessions")[0], 403)
            status, body = self.ask(None, connection)
            self.assertEqual(status, 403)
            self.assertEqual(json.loads(body), {"error": "permission_denied",
                                                "message": "cannot take the request: it needs a key, in the field x-api-key"})

    def test_a_bearer_token_is_a_key_where_no_other_came(self):
        client, operator = self.keys.of["client"], self.keys.of["operator"]
        with self.daemon:
            self.assertEqual(self.ask(None, Authorization=f"Bearer {client}")[0], 200)
            self.assertEqual(self.ask(None, path="/v1/sessions", Authorization=f"Bearer {client}")[0], 403)
            self.assertEqual(self.ask(None, path="/v1/sessions", Authorization=f"bearer  {operator}")[0], 200)
            self.assertEqual(self.ask(client, path="/v1/sessions", Authorization=f"Bearer {operator}")[0], 403)
            for wrong, message in ((f"Bearer {client[:-1]}", "its bearer token is not one of the daemon's keys"),
                                   (f"Basic {client}", "it needs a key, in the field x-api-key"),
                                   (client, "it needs a key, in the field x-api-key")):
                status, body = self.ask(None, Authorization=wrong)
                self.assertEqual((status, json.loads(body)["message"]), (403, "cannot take the request: " + message))

    def test_a_wrong_one_is_refused_late_and_logged(self):
        key = self.keys.of["client"]
        with self.daemon:
            began = time.monotonic()

            def guess(wrong):
                return self.ask(wrong)[0], time.monotonic() - began

            with concurrent.futures.ThreadPoolExecutor() as at_once:
                for status, took in at_once.map(guess, ("", key[:-1], key + "x", key.upper() + "Z", "x" * 4000)):
                    self.assertEqual(status, 403)
                    self.assertGreaterEqual(took, 0.9, "guessing takes long")
            reported = [line for line in self.daemon.log_text().splitlines() if "refused" in line]
            self.assertEqual(len(reported), 5)
            self.assertIn("refused a request of 127.0.0.1:", reported[0])
            self.assertNotIn(key[:-1], "".join(reported))

    def test_guesses_wait_together_and_hinder_nobody(self):
        request = b"GET /v1/status HTTP/1.1\r\nHost: x\r\nx-api-key: guess\r\n\r\n"
        with self.daemon as daemon:
            port = doors.tcp_port(daemon)
            guesses = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
            for each in guesses:
                each.settimeout(harness.seconds(20))
                each.sendall(request)
            self.assertEqual(self.ask(self.keys.of["client"])[0], 200)
            answers = [self.read_all(each) for each in guesses]
            self.assertEqual(sum(answer.startswith(b"HTTP/1.1 403") for answer in answers), 64)
            self.assertEqual(answers.count(b""), 136)
            reported = [line for line in daemon.log_text().splitlines() if "refused" in line]
            self.assertEqual(len(reported), 10)

    @staticmethod
    def read_all(connection):
        received = b""
        with connection:
            try:
                while data := connection.recv(4096):
                    received += data
            except ConnectionResetError:
                pass
        return received

    def test_the_keys_are_read_again(self):
        with self.daemon as daemon:
            old, kept = self.keys.of["client"], self.keys.of["operator"]
            of_old, of_kept = self.connect(), self.connect()
            self.assertEqual(self.ask(old, of_old)[0], 200)
            self.assertEqual(self.ask(kept, of_kept)[0], 200)
            self.keys.of["client"] = new = old[::-1]
            self.keys.write()
            daemon.reload({})
            self.assertEqual(self.ask(kept, of_kept)[0], 200)
            self.assertEqual(self.ask(new)[0], 200)
            with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
                self.ask(old, of_old)
            self.assertEqual(self.ask(old)[0], 403)
            self.keys.write(mode=0o644)
            daemon.reload({})
            self.assertEqual(self.ask(new)[0], 200)
            self.assertIn("as with 0600 or 0440; the old keys stay", daemon.log_text())

    def test_what_another_sites_page_sends_is_refused_even_with_a_key(self):
        key = self.keys.of["operator"]
        with self.daemon as daemon:
            own = f"https://127.0.0.1:{doors.tcp_port(daemon)}"
            for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
                            {"Sec_Fetch_Site": "same-site"}, {"Origin": own, "Sec_Fetch_Site": "cross-site"}):
                self.assertEqual(self.ask(key, **headers)[0], 403, headers)
            for headers in ({"Sec_Fetch_Site": "none"}, {"Sec_Fetch_Site": "same-origin"}, {"Origin": own}):
                self.assertEqual(self.ask(key, **headers)[0], 200, headers)
                self.assertEqual(self.ask(None, **headers)[0], 403, headers)


class WithoutKeys(unittest.TestCase):
    def test_a_host_must_be_this_machine(self):
        with harness.Daemon("--listen", "127.0.0.1:0") as daemon:
            port = doors.tcp_port(daemon)

            def status(host, **headers):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.seconds(20))
                with_host = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
                try:
                    return doors.ask(connection, "GET", "/v1/status", headers=with_host)[0]
                finally:
                    connection.close()

            for host in ("localhost", f"localhost:{port}", "LOCALHOST", f"127.0.0.1:{port}", "127.9.9.9", "[::1]", "[::1]:80"):
                self.assertEqual(status(host), 200, host)
            # A name that an attacker's server says is 127.0.0.1 (DNS rebinding).
            for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "",
                         "0.0.0.0", "[::1", "192.0.2.1", "127.0.0.1:x"):
                self.assertEqual(status(host), 403, host)
            for headers in ({"Origin": "http://localhost:1"}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"},
                            {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}):
                self.assertEqual(status("localhost", **headers), 403, headers)
            for headers in ({"Origin": "http://localhost"}, {"Sec_Fetch_Site": "same-origin"}):
                self.assertEqual(status("localhost", **headers), 200, headers)
            self.assertEqual(status("evil.example", Origin="http://evil.example", Sec_Fetch_Site="same-origin"), 403)

    def test_both_doors_lead_to_the_same_sessions_and_close_together(self):
        with harness.Daemon("--listen", "127.0.0.1:0") as daemon, daemon.connect() as player:
            self.assertEqual(player.start("abc", "s1").status, 201)
            connection = http.client.HTTPConnection("127.0.0.1", doors.tcp_port(daemon), timeout=harness.seconds(20))
            self.assertEqual(doors.ask(connection, "PUT", "/v1/users/abc/sessions/s2", "{}")[0], 201)
            self.assertEqual(player.list("abc").json()["concurrentSessions"], 2)
            daemon.process.send_signal(signal.SIGTERM)
            self.assertEqual(daemon.process.wait(harness.seconds(20)), 0)
            connection.close()


if __name__ == "__main__":
    unittest.main()
