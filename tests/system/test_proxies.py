"""nginx and HAProxy in front of the daemon, with the configuration that anybody would write first, with one that keeps
connections and adds a key, and as those who see whether it is well."""

import contextlib
import csv
import http.client
import io
import json
import os
import resource
import signal
import socket
import subprocess
import unittest

import doors
import harness


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Proxy(unittest.TestCase):
    """`program` in the foreground in a folder of its own, in front of a daemon that all may connect to: on `port` at its Unix
    socket, on `keyed_port` at its TCP socket, adding a key."""

    program = None
    batch_lines = 6000  # a megabyte and a half

    def setUp(self):
        self.folder = harness.private_folder()
        os.chmod(self.folder, 0o755)
        self.keys = doors.Keys(self.folder)
        self.daemon = self.enterContext(harness.Daemon(
            "--socket-mode", "0666", "--listen", f"127.0.0.1:{free_port()}", "--api-key-file", str(self.keys.path),
            folder=self.folder))
        self.port, self.keyed_port = free_port(), free_port()

    def run_proxy(self, *words):
        with open(self.folder / "proxy.log", "ab") as log:
            process = subprocess.Popen([self.program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=harness._die_with_parent)

        def end():
            process.send_signal(signal.SIGTERM)
            process.wait(harness.seconds(20))

        self.addCleanup(end)
        harness.wait_until(lambda: accepts(self.port), f"{self.program} listens")

    def ask(self, method, path, body=None, port=None):
        """Status and body, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=harness.seconds(20))
        with contextlib.closing(connection):
            return doors.ask(connection, method, path, body)

    def start(self, user, session, port=None):
        return self.ask("PUT", harness.session_path(user, session), port=port)[0]

    def passes_requests_events_and_batches(self):
        for port in (self.port, self.keyed_port):
            name = f"a/b?c {port}"
            self.assertEqual(self.start(name, "é/1", port), 201)
            with self.daemon.connect() as connection:
                self.assertEqual([each["session"] for each in connection.list(name).json()["sessions"]], ["é/1"])
            lines = [json.dumps({"command": "start", "user": f"u{number}", "session": "s", "content": "x" * 200})
                     for number in range(self.batch_lines)]
            status, body = self.ask("POST", "/v1/batch", "\n".join(lines).encode(), port)
            self.assertEqual((status, len(body.splitlines())), (200, self.batch_lines))
            self.events_come_as_they_happen(port)

    def events_come_as_they_happen(self, port):
        got = b""

        def one_came():
            nonlocal got
            with self.daemon.connect() as connection:
                connection.start("abc", "s1")
                connection.end("abc", "s1")
            with contextlib.suppress(TimeoutError):
                got += client.recv(65536)
            return b'"started"' in got

        with socket.create_connection(("127.0.0.1", port), timeout=0.2) as client:
            client.sendall(harness.request("GET", "/v1/events?user=abc"))
            harness.wait_until(one_came, "an event comes")


@harness.needs("nginx")
class Nginx(Proxy):
    program = "nginx"
    batch_lines = 400  # 100 kB: it sends no more of a request once the answer begins

    def setUp(self):
        super().setUp()
        config = self.folder / "nginx.conf"
        config.write_text(f"""
daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;
events {{}}
http {{
  access_log off;
  client_max_body_size 8m;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{
    listen 127.0.0.1:{self.port};
    location / {{ proxy_pass http://unix:{self.daemon.socket}:; }}
  }}
  upstream concur {{
    server 127.0.0.1:{doors.tcp_port(self.daemon)};
    keepalive 4;
  }}
  server {{
    listen 127.0.0.1:{self.keyed_port};
    location / {{
      proxy_pass http://concur;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header x-api-key {self.keys.of["client"]};
    }}
  }}
}}
""")
        self.run_proxy("-e", str(self.folder / "nginx.err"), "-c", str(config), "-p", str(self.folder))

    def test_requests_events_and_batches_pass(self):
        self.passes_requests_events_and_batches()

    def connections(self):
        with self.daemon.connect() as connection:
            text = connection.get("/metrics").body.decode()
        return int(text.partition("\nconcurrencyd_connections ")[2].split()[0]) - 1

    def test_it_keeps_few_connections_and_finds_the_daemon_again(self):
        for number in range(100):
            self.assertEqual(self.start(f"u{number}", "s", self.keyed_port), 201)
        self.assertLessEqual(self.connections(), 4)
        for end in (self.daemon.stop, self.daemon.kill):
            self.assertEqual(self.start("u0", "s", self.keyed_port), 200)  # over a connection that will be gone
            end()
            for port in (self.port, self.keyed_port):
                self.assertEqual(self.start("u0", "s", port), 502)
            self.daemon.start()
            for port in (self.port, self.keyed_port):
                self.assertEqual(self.start("u0", "s", port), 200)

    def test_a_restart_between_two_requests_fails_neither(self):
        for end in (self.daemon.stop, self.daemon.kill):
            self.assertIn(self.start("u0", "s", self.keyed_port), (200, 201))
            end()
            self.daemon.start()
            self.assertEqual(self.start("u0", "s", self.keyed_port), 200)


@harness.needs("haproxy")
class HaProxy(Proxy):
    program = "haproxy"

    CHECKS = {
        "of_the_socket": "",
        "by_default": "option httpchk",
        "of_all": "option httpchk OPTIONS *",
        "by_head": "option httpchk HEAD /healthz",
        "by_get": "option httpchk GET /healthz",
        "as_of_today": "option httpchk\n  http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host concur",
    }
    OF_HEALTH = ("by_head", "by_get", "as_of_today", "with_key")

    def setUp(self):
        super().setUp()
        checked = "".join(f"""
backend {name}
  {check}
  server one unix@{self.daemon.socket} check inter 100ms fall 1 rise 1
""" for name, check in self.CHECKS.items())
        tcp = f"127.0.0.1:{doors.tcp_port(self.daemon)}"
        config = self.folder / "haproxy.cfg"
        config.write_text(f"""
global
  stats socket {self.folder}/stats
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{self.port}
  default_backend by_default
frontend keyed
  bind 127.0.0.1:{self.keyed_port}
  default_backend with_key
{checked}
backend with_key
  option httpchk
  http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host concur hdr x-api-key {self.keys.of["metrics"]}
  http-request set-header x-api-key {self.keys.of["client"]}
  server one {tcp} check inter 100ms fall 1 rise 1
""")
        self.run_proxy("-db", "-f", str(config))

    def seen(self):
        """What each check finds: whether it is up, and why. Nothing yet while HAProxy starts, which listens for clients first."""
        with socket.socket(socket.AF_UNIX) as stats:
            try:
                stats.connect(str(self.folder / "stats"))
            except (FileNotFoundError, ConnectionRefusedError):
                return {name: ("", "") for name in [*self.CHECKS, "with_key"]}
            stats.sendall(b"show stat\n")
            text = b"".join(iter(lambda: stats.recv(65536), b"")).decode()
        rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
        # "* L7OK" is the last result while the next check is under way; "INI" that there was none yet.
        return {row["pxname"]: (row["status"], row["check_status"].removeprefix("* ")) for row in rows if row["svname"] == "one"}

    def wait_until_seen(self, up, down=()):
        """Until each check has found those up and these down."""
        def all_are():
            seen = self.seen()
            return all(seen[name] == ("UP", "L4OK" if name == "of_the_socket" else "L7OK") for name in up) and \
                all(seen[name][0] == "DOWN" for name in down)

        try:
            harness.wait_until(all_are, f"{up} are up and {down} down")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.seen()}") from None

    def test_requests_events_and_batches_pass(self):
        self.wait_until_seen([*self.CHECKS, "with_key"])
        self.passes_requests_events_and_batches()

    def test_its_checks_see_it_go_and_come(self):
        every = [*self.CHECKS, "with_key"]
        self.wait_until_seen(every)
        for end in (self.daemon.stop, self.daemon.kill):
            end()
            self.wait_until_seen([], every)
            self.assertEqual(self.start("abc", "s1"), 503)
            self.daemon.start()
            self.wait_until_seen(every)
            self.assertIn(self.start("abc", "s1"), (200, 201))
        self.assertNotIn("refused", self.daemon.log_text())

    def test_its_checks_see_what_cannot_store(self):
        every = [*self.CHECKS, "with_key"]
        self.wait_until_seen(every)
        unlimited = resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
        self.assertEqual(self.start("abc", "s1"), 503)
        self.wait_until_seen([name for name in every if name not in self.OF_HEALTH], self.OF_HEALTH)
        self.assertEqual({self.seen()[name][1] for name in self.OF_HEALTH}, {"L7STS"})
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, unlimited)
        self.wait_until_seen(every)
        self.assertEqual(self.start("abc", "s1"), 201)


if __name__ == "__main__":
    unittest.main()
