"""Answers that come in chunks, read line by line as they arrive, and batches to be answered so."""

import collections
import json
import select
import socket
import time

import harness


class ChunkedAnswer:
    """The next answer on a connection, which comes in chunks (RFC 9112, section 7.1)."""

    def __init__(self, connection, timeout=30, already=b""):
        self.socket = connection.socket
        self.deadline = time.monotonic() + harness.seconds(timeout)
        self.ended = False
        self._bytes = bytearray(already)
        self._at = 0  # what stands before it is dealt with
        self._lines = collections.deque()
        self._part = b""  # of a line
        while (end := self._bytes.find(b"\r\n\r\n")) < 0:
            self._receive()
        self.head = bytes(self._bytes[:end])
        self._at = end + 4
        self.status = int(self.head[9:12])
        if b"\r\nTransfer-Encoding: chunked" not in self.head:
            raise AssertionError(f"the answer does not come in chunks: {self.head!r} {self.rest!r}")

    @property
    def rest(self):
        """What arrived behind the answer, or of it and is not read yet."""
        return bytes(self._bytes[self._at:])

    def _receive(self):
        self.socket.settimeout(max(0.01, self.deadline - time.monotonic()))
        data = self.socket.recv(1 << 18)
        if not data:
            raise harness.ConnectionLost(f"closed after {self.rest[-300:]!r}")
        del self._bytes[:self._at]
        self._at = 0
        self._bytes += data

    def _take_chunk(self):
        """Moves one chunk to the lines; False where it is not whole yet."""
        found = self._bytes.find(b"\r\n", self._at)
        if found < 0:
            return False
        length = int(self._bytes[self._at:found], 16)
        end = found + 2 + length
        if len(self._bytes) < end + 2:
            return False
        if self._bytes[end:end + 2] != b"\r\n":
            raise AssertionError(f"a chunk does not end where it should: {bytes(self._bytes[end:end + 20])!r}")
        *lines, self._part = (self._part + self._bytes[found + 2:end]).split(b"\n")
        self._lines += lines
        self._at = end + 2
        self.ended = length == 0
        if self.ended and self._part:
            raise AssertionError(f"the last line is not whole: {self._part!r}")
        return True

    def raw_lines(self, count=None):
        """That many lines, or all up to the end."""
        while not self.ended and (count is None or len(self._lines) < count):
            if not self._take_chunk():
                self._receive()
        if count is not None and len(self._lines) < count:
            raise AssertionError(f"the answer ended after {len(self._lines)} of {count} lines")
        return [bytes(self._lines.popleft()) for _ in range(len(self._lines) if count is None else count)]

    def line(self):
        return json.loads(self.raw_lines(1)[0])

    def lines(self, count=None):
        return [json.loads(line) for line in self.raw_lines(count)]

    def nothing_comes(self, within):
        """True where no line arrives in that many seconds."""
        readable, _, _ = select.select([self.socket], [], [], within)
        return not self._lines and not self.rest and not readable

    def is_closed_behind(self):
        """True where the daemon closes the connection."""
        self.socket.settimeout(max(0.01, self.deadline - time.monotonic()))
        try:
            return self.rest == b"" and self.socket.recv(100) == b""
        except ConnectionResetError:
            return True


def command(what, user, session="s1", **more):
    return json.dumps({"command": what, "user": user, "session": session, **more}).encode() + b"\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def batch_head(length=None, *more):
    """The head of a batch with that length, or in chunks."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return "\r\n".join(["POST /v1/batch HTTP/1.1", "Host: localhost", framing, *more]).encode() + b"\r\n\r\n"


def ask_batch(connection, body, timeout=30):
    """The answers to a batch that is sent while its answers are read."""
    data = memoryview(batch_head(len(body)) + body)
    connection.socket.setblocking(False)
    received = b""
    while data:
        readable, writable, _ = select.select([connection.socket], [connection.socket], [], harness.seconds(timeout))
        if readable:
            part = connection.socket.recv(1 << 18)
            if not part:
                raise harness.ConnectionLost(f"closed after {received[-300:]!r}")
            received += part
        if writable:
            data = data[connection.socket.send(data):]
    return ChunkedAnswer(connection, timeout, received)


def watch(connection, query="", timeout=30):
    connection.send(harness.request("GET", f"/v1/events{query}"))
    return ChunkedAnswer(connection, timeout)


def shut_writing(connection):
    connection.socket.shutdown(socket.SHUT_WR)
