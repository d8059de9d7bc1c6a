"""nginx and HAProxy in front of the daemon's Unix socket, with the configuration that anybody would write first."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import unittest

import harness


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Proxy(unittest.TestCase):
    """`program` in the foreground in a folder of its own, in front of a daemon that all may connect to."""

    program = None

    def setUp(self):
        if shutil.which(self.program) is None:
            self.skipTest(f"{self.program} is not installed")
        self.folder = harness.private_folder()
        os.chmod(self.folder, 0o755)
        self.daemon = self.enterContext(harness.Daemon("--socket-mode", "0666", folder=self.folder))
        self.port = free_port()

    def run_proxy(self, *words):
        with open(self.folder / "proxy.log", "ab") as log:
            process = subprocess.Popen([self.program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=harness._die_with_parent)

        def end():
            process.send_signal(signal.SIGTERM)
            process.wait(harness.seconds(20))

        self.addCleanup(end)
        harness.wait_until(lambda: accepts(self.port), f"{self.program} listens")

    def ask(self, data):
        with socket.create_connection(("127.0.0.1", self.port), timeout=harness.seconds(20)) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            got = b""
            while part := client.recv(65536):
                got += part
            return got

    def goes_on(self):
        """Events come as they happen, through a connection that stays open."""
        got = b""

        def one_came():
            nonlocal got
            with self.daemon.connect() as connection:
                connection.start("abc", "s1")
                connection.end("abc", "s1")
            with contextlib.suppress(TimeoutError):
                got += client.recv(65536)
            return b'"started"' in got

        with socket.create_connection(("127.0.0.1", self.port), timeout=0.2) as client:
            client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            harness.wait_until(one_came, "an event comes")


class Nginx(Proxy):
    program = "nginx"

    def setUp(self):
        super().setUp()
        config = self.folder / "nginx.conf"
        config.write_text(f"""
daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;
events {{}}
http {{
  access_log off;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{
    listen 127.0.0.1:{self.port};
    location / {{ proxy_pass http://unix:{self.daemon.socket}:; }}
  }}
}}
""")
        self.run_proxy("-c", str(config), "-p", str(self.folder))

    def test_requests_and_events_pass(self):
        self.assertTrue(self.ask(harness.start_request("abc", "s0")).startswith(b"HTTP/1.1 201 "))
        self.goes_on()


class HaProxy(Proxy):
    program = "haproxy"

    def setUp(self):
        super().setUp()
        config = self.folder / "haproxy.cfg"
        config.write_text(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{self.port}
  default_backend concur
backend concur
  option httpchk
  server one unix@{self.daemon.socket} check inter 200ms
""")
        self.run_proxy("-db", "-f", str(config))

    def test_its_health_check_and_requests_pass(self):
        harness.wait_until(lambda: self.ask(harness.request("GET", "/healthz")).startswith(b"HTTP/1.1 200 "), "it is healthy")
        self.assertTrue(self.ask(harness.start_request("abc", "s0")).startswith(b"HTTP/1.1 201 "))
        self.goes_on()


if __name__ == "__main__":
    unittest.main()
