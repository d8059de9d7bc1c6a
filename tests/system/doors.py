"""Who knocks at the daemon's doors: somebody on the Unix socket, or a client with a key, or none, over TCP."""

import base64
import contextlib
import http.client
import os
import re
import secrets
import socket

import answers
import harness

NOBODY = 65534
STRANGERS_GROUP = 54321


class UnixHttp(http.client.HTTPConnection):
    """HTTP on the daemon's socket as any user and groups; the kernel notes them as it connects."""

    def __init__(self, path, uid=0, gid=0, groups=()):
        super().__init__("localhost", timeout=harness.seconds(20))
        self.path, self.uid, self.gid, self.groups = path, uid, gid, groups

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with somebody(self.uid, self.gid, self.groups):
            self.sock.connect(str(self.path))


@contextlib.contextmanager
def somebody(uid, gid, groups):
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


class Keys:
    """A file of keys, one for each role."""

    def __init__(self, folder):
        self.path = folder / "keys"
        self.of = {role: secrets.token_hex(16) for role in ("metrics", "client", "operator")}
        self.write()

    def write(self, mode=0o600):
        lines = [f"{role}s-name {role} {key}\n" for role, key in self.of.items()]
        self.path.write_text("# name role key\n" + "".join(lines))
        self.path.chmod(mode)


def tcp_port(daemon):
    """Where it says that it listens."""
    return int(re.findall(r"listening on \S+:(\d+) too", daemon.log_text())[-1])


def ask(connection, method, path, body=None, headers=None):
    """Status and body, of a stream none of it."""
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    streams = answer.status == 200 and path.startswith("/v1/events")
    got = b"" if streams else answer.read()
    if not streams:
        answers.keep(f"{method} {path} HTTP/1.1\r\n".encode(), answer.status, lambda: answer.headers["Content-Type"], got)
    return answer.status, got
