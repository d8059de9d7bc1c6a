"""As much of a service manager as the daemon sees of one: it holds the listening socket over the daemon's lives
(sd_listen_fds(3)) and hears how the daemon is (sd_notify(3))."""

import os
import pathlib
import select
import socket
import sys
import time

import harness

# Becomes the program of its other arguments, with the descriptors of the first as numbers 3, 4 and so on.
ACTIVATE = """
import fcntl, os, sys
passed = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in sys.argv[1].split(",")]
for wanted, number in enumerate(passed, 3):
    os.dup2(number, wanted)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class ServiceManager:
    """`watchdog` in seconds; with `listens` the socket is made here and passed on."""

    def __init__(self, folder, listens=True, watchdog=None):
        self.folder = pathlib.Path(folder)
        self._notify_path = self.folder / "notify"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(os.fspath(self._notify_path))
        self.listener = None
        if listens:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(os.fspath(self.folder / "s.sock"))
            self.listener.listen(4096)
        self._watchdog = watchdog

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._notify.close()
        if self.listener:
            self.listener.close()

    def manage(self, daemon, *more):
        """The daemon will be started as this manager's, which passes further listening sockets too."""
        daemon.environment = {"NOTIFY_SOCKET": os.fspath(self._notify_path)}
        if self._watchdog:
            daemon.environment["WATCHDOG_USEC"] = str(round(self._watchdog * 1_000_000))
        if self.listener:
            self.pass_on(daemon, self.listener, *more)
        return daemon

    @staticmethod
    def pass_on(daemon, *sockets):
        daemon.environment["LISTEN_FDS"] = str(len(sockets))
        daemon.pass_fds = tuple(each.fileno() for each in sockets)
        daemon.launcher = [sys.executable, "-c", ACTIVATE, ",".join(map(str, daemon.pass_fds))]

    def next(self, within=20):
        """The next message, its lines as a list; None where none came in time."""
        ready, _, _ = select.select([self._notify], [], [], within)
        return self._notify.recv(4096).decode().split("\n") if ready else None

    def expect(self, line, within=20):
        """Hears messages until one has the line; what was heard before it."""
        heard, deadline = [], time.monotonic() + harness.seconds(within)
        while True:
            message = self.next(max(0, deadline - time.monotonic()))
            if message is None:
                raise AssertionError(f"never heard {line}, but {heard}")
            if line in message:
                return heard
            heard.append(message)
