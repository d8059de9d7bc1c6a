"""What the black-box tests share: the real daemon on a private folder, a fast HTTP client over its Unix socket,
a clock that the test sets, and `concur` as a process.

Only the standard library is used. Every wait has a deadline, every process is ended by its own id, and every daemon
has a folder of its own, so that any number of tests run beside each other.

Environment:
  CONCUR_BIN_DIR       the folder with `concurrencyd` and `concur` (default: build/bin of this repository)
  CONCUR_TEST_LIB_DIR  the folder with `libtestclock.so` (default: `lib` beside the folder of the binaries)
  CONCUR_TEST_SLOWNESS multiplies every deadline, for instrumented builds and busy machines (default 1)
  CONCUR_TEST_ROUNDS   overrides the number of rounds of the repeating tests
"""

import atexit
import calendar
import ctypes
import json
import mmap
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

import answers

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("CONCUR_BIN_DIR") or REPOSITORY / "build" / "bin").resolve()
LIB_DIR = pathlib.Path(os.environ.get("CONCUR_TEST_LIB_DIR") or BIN_DIR.parent / "lib").resolve()
DAEMON = BIN_DIR / "concurrencyd"
CONCUR = BIN_DIR / "concur"
TEST_CLOCK_LIBRARY = LIB_DIR / "libtestclock.so"
SLOWNESS = float(os.environ.get("CONCUR_TEST_SLOWNESS") or 1)
SANITIZED = bool(os.environ.get("CONCUR_TEST_SANITIZED"))

SECOND = 1000  # all instants and durations of the tests are whole milliseconds

# sun_path holds 108 bytes; the rest is room for the names of lock files beside the socket.
LONGEST_SOCKET_PATH = 99


class TestSetupError(Exception):
    """The test could not do its part: something it needs is absent, slow or ended early."""


def seconds(allowed):
    """A deadline's length, stretched for slow builds."""
    return allowed * SLOWNESS


def memory(allowed):
    """How much memory a daemon may take, where that means anything: a sanitizer keeps what is freed."""
    return float("inf") if SANITIZED else allowed


def rounds(default):
    return int(os.environ.get("CONCUR_TEST_ROUNDS") or default)


def wait_until(holds, what, within=20, pause=0.01):
    """Returns as soon as `holds()` is true; fails where it is not within that many seconds (stretched for slow builds)."""
    deadline = time.monotonic() + seconds(within)
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(pause)


def resident_bytes(pid):
    """How much memory the process takes."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def processor_seconds(pid):
    """How much processor time the process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_it_rests(pid, within=20):
    """Returns as soon as the process uses next to no processor time for half a second; one that spins never does."""
    used = float("-inf")

    def it_rests():
        nonlocal used
        before, used = used, processor_seconds(pid)
        return used - before < 0.05

    wait_until(it_rests, f"process {pid} rests", within, pause=0.5)


def require_program(name, package):
    path = shutil.which(name)
    if path is None:
        raise AssertionError(f"cannot find the program {name}: this test needs it (Debian package {package})")
    return path


def needs(program):
    """For a test with a client, or a proxy, of somebody else's."""
    return unittest.skipUnless(shutil.which(program),
                               f"{program} is not installed: packaging/install-build-needs --with-clients")


def clean_environment(**more):
    """The caller's environment without what would steer the daemon or concur."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CONCURRENCYD_", "CONCUR_"))
        and name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "JOURNAL_STREAM",
                         "LD_PRELOAD", "TEST_CLOCK_FILE", "TEST_BOOT_ID_FILE")
    }
    kept.update(more)
    return kept


# ---- folders -----------------------------------------------------------------------------------------------------


def private_folder():
    """A new folder with a path short enough for a socket in it. It goes when the test process ends."""
    for parent in (None, "/tmp"):
        path = pathlib.Path(tempfile.mkdtemp(prefix="cc-", dir=parent))
        atexit.register(shutil.rmtree, path, ignore_errors=True)
        if len(os.fsencode(path / "s.sock")) <= LONGEST_SOCKET_PATH:
            return path
    raise TestSetupError(f"cannot find a folder with a short path: {path}")


# ---- time --------------------------------------------------------------------------------------------------------


def preload(library, **more):
    """The environment of a daemon behind a library. One built with AddressSanitizer refuses that without the option."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": (options + ":" if options else "") + "verify_asan_link_order=0"} | more


class TestClock:
    """The daemon's clocks, held by the test (see tests/support/test_clock.c).

    Frozen from the beginning: `boot` (steady) and `wall`, both in milliseconds, stand still until they are moved.
    Move them only while no request is on its way: the daemon reads the two clocks one after the other.
    """

    __test__ = False  # not a test case, whatever a test collector may think of the name

    MODE, FROZEN_BOOT, FROZEN_WALL, BOOT_OFFSET, WALL_OFFSET, ASLEEP, FIELDS = range(7)
    MILLISECOND = 1_000_000

    def __init__(self, folder, boot=5_000_000 * SECOND, wall=1_795_449_600 * SECOND):
        if not TEST_CLOCK_LIBRARY.exists():
            raise TestSetupError(f"cannot find {TEST_CLOCK_LIBRARY}: build it or set CONCUR_TEST_LIB_DIR")
        self.path = pathlib.Path(folder) / "clock"
        self.boot_id = pathlib.Path(folder) / "boot_id"
        self.path.write_bytes(bytes(8 * self.FIELDS))
        with open(self.path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * self.FIELDS)
        # A cast memoryview stores eight bytes at once; struct.pack_into would write them one by one,
        # and the daemon could see half of an instant.
        self._fields = memoryview(self._map).cast("q")
        self.boots = 0
        self.reboot(boot, wall)
        self._fields[self.MODE] = 1

    def set(self, boot, wall):
        self.boot, self.wall = boot, wall
        self._fields[self.FROZEN_BOOT] = boot * self.MILLISECOND
        self._fields[self.FROZEN_WALL] = wall * self.MILLISECOND

    def advance(self, milliseconds):
        """Time passes: both clocks move."""
        self.set(self.boot + milliseconds, self.wall + milliseconds)

    def suspend(self, daemon, milliseconds):
        """The machine sleeps: time passes, and the daemon, which is stopped meanwhile, sees it all at once."""
        os.kill(daemon.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.pid, os.WSTOPPED)
        self._fields[self.ASLEEP] += milliseconds * self.MILLISECOND
        self.advance(milliseconds)
        os.kill(daemon.pid, signal.SIGCONT)

    def jump_wall(self, milliseconds):
        """Somebody sets the wall clock; no time passes."""
        self.set(self.boot, self.wall + milliseconds)

    def reboot(self, boot, wall):
        """Another boot of the machine, in which so much time has passed, and its wall clock, right or wrong. The daemon
        that is to find itself in it has been stopped or killed before."""
        self.boots += 1
        self.boot_id.write_text(f"00000000-0000-4000-8000-{self.boots:012d}\n")
        self._fields[self.ASLEEP] = 0
        self.set(boot, wall)

    def run_with_offsets(self, boot_offset, wall_offset):
        """Lets time run at its own pace, each clock off by an offset."""
        self._fields[self.BOOT_OFFSET] = boot_offset * self.MILLISECOND
        self._fields[self.WALL_OFFSET] = wall_offset * self.MILLISECOND
        self._fields[self.MODE] = 0

    def environment(self):
        return preload(TEST_CLOCK_LIBRARY, TEST_CLOCK_FILE=str(self.path), TEST_BOOT_ID_FILE=str(self.boot_id))


_second_prefixes = {}


def rfc3339(wall_milliseconds):
    """RFC 3339 in UTC with milliseconds, as the daemon shows instants."""
    second, rest = divmod(wall_milliseconds, 1000)
    prefix = _second_prefixes.get(second)
    if prefix is None:
        prefix = _second_prefixes[second] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{prefix}.{rest:03d}Z"


def milliseconds(shown):
    """The instant that was shown so."""
    second, rest = shown[:-1].split(".")
    return calendar.timegm(time.strptime(second, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(rest)


# ---- the daemon --------------------------------------------------------------------------------------------------

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    # A test ended by its runner's own deadline (SIGKILL) must not leave its daemon behind.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Daemon:
    """A real concurrencyd. `with Daemon("--lease", "600s") as daemon:` starts it and stops it cleanly.

    `settings` are lines of its config file, which `reload` changes while it runs.
    """

    def __init__(self, *options, clock=None, folder=None, settings=None):
        self.folder = pathlib.Path(folder) if folder else private_folder()
        self.options = list(options)
        self.launcher = []  # a program, with its arguments, that becomes the daemon
        self.pass_fds = ()
        self.environment = {}  # beside the clean one
        self.clock = clock
        self.socket = self.folder / "s.sock"
        self.database = self.folder / "sessions.db"
        self.log = self.folder / "log"
        # A file of its own, if an empty one, keeps a configuration installed on the machine out of the test.
        self.config = self.folder / "daemon.conf"
        self.settings = dict(settings or {})
        self._write_config()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            self.kill()
            sys.stderr.write(f"--- the end of the daemon's log ---\n{self.log_tail()}\n---\n")

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def command(self):
        # How fast a test is must not matter: the throttle is for those that name it.
        throttle = [] if "--start-rate" in self.options or "start-rate" in self.settings else ["--start-rate", "0"]
        return [*self.launcher, str(DAEMON), "--socket", str(self.socket), "--database", str(self.database),
                "--config", str(self.config), *throttle, *self.options]

    def start(self):
        if not DAEMON.exists():
            raise TestSetupError(f"cannot find {DAEMON}: build it or set CONCUR_BIN_DIR")
        environment = clean_environment(**self.environment, **(self.clock.environment() if self.clock else {}))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment, cwd=self.folder, pass_fds=self.pass_fds,
                                            preexec_fn=_die_with_parent)
        atexit.register(self.kill)
        self._wait_until_it_answers(time.monotonic() + seconds(20))
        return self

    def _wait_until_it_answers(self, deadline):
        pause = 0.001
        while True:
            if self.process.poll() is not None:
                raise TestSetupError(f"concurrencyd ended with {self.process.returncode}:\n{self.log_tail()}")
            try:
                with Connection(self.socket, timeout=max(0.1, deadline - time.monotonic())) as connection:
                    answer = connection.get("/healthz")
                if answer.status == 200:
                    return
            except (OSError, ConnectionLost):
                pass  # not there yet, or a stale socket of a killed predecessor
            if time.monotonic() > deadline:
                self.kill()
                raise TestSetupError(f"concurrencyd does not answer /healthz:\n{self.log_tail()}")
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

    def stop(self, within=20):
        """SIGTERM, and nothing but a clean end will do."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds(within))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"concurrencyd did not end after SIGTERM:\n{self.log_tail()}") from None
        if code != 0:
            raise AssertionError(f"concurrencyd ended with {code} after SIGTERM, not 0:\n{self.log_tail()}")

    def kill(self):
        """SIGKILL: as good as a power cut for the process. Harmless when it has ended already."""
        if self.running():
            self.process.kill()
            self.process.wait(seconds(20))
        atexit.unregister(self.kill)

    def restart(self, *options):
        """Clean stop and new start, with other options if any are given."""
        self.stop()
        if options:
            self.options = list(options)
        return self.start()

    def reload(self, settings, within=20):
        """Other lines in the config file (None takes one out), SIGHUP; returns when they are in force."""
        self.settings.update(settings)
        self._write_config()
        before = self._reloads()
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self._reloads() > before, "the config file is reloaded", within, pause=0.001)

    def _write_config(self):
        lines = [f"{name} = {value}\n" for name, value in self.settings.items() if value is not None]
        self.config.write_text("".join(lines))

    def _reloads(self):
        return self.log.read_bytes().count(b"reloaded")

    def connect(self, timeout=30):
        return Connection(self.socket, timeout=seconds(timeout))

    def _log_is_written(self):
        """Whether the thread that writes the log waits for more. One that was woken for a line runs until that is written."""
        for task in pathlib.Path(f"/proc/{self.pid}/task").glob("*"):
            try:
                if (task / "comm").read_text() == "log\n":
                    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "S"
            except OSError:
                pass
        return True  # there is none any more: it ended, and wrote all before

    def log_text(self):
        """What was logged so far, all of it."""
        if self.running():
            wait_until(self._log_is_written, "the log is written", pause=0.001)
        return self.log.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, size=4000):
        try:
            return self.log_text()[-size:]
        except OSError as error:
            return f"(no log: {error})"


# ---- HTTP --------------------------------------------------------------------------------------------------------


class ConnectionLost(Exception):
    """The daemon closed the connection, or went away, before the answer was whole."""


class Response:
    __slots__ = ("status", "head", "body")

    def __init__(self, status, head, body):
        self.status = status
        self.head = head  # status line and header fields, without the empty line
        self.body = body

    def header(self, name):
        """The field's value, or None. Names compare without case."""
        wanted = name.lower().encode()
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == wanted:
                return value.strip().decode("latin-1")
        return None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class ResponseParser:
    """Cuts a stream of bytes into answers, as many as are whole."""

    def __init__(self):
        self._bytes = bytearray()

    def feed(self, data):
        buffer = self._bytes
        buffer += data
        answers = []
        position = 0
        while True:
            end = buffer.find(b"\r\n\r\n", position)
            if end < 0:
                break
            head = bytes(buffer[position:end])
            if b"\r\nTransfer-Encoding: chunked" in head:
                body, next_position = self._chunks(end + 4)
                if body is None:
                    break
            else:
                next_position = end + 4 + self._content_length(head)
                if len(buffer) < next_position:
                    break
                body = bytes(buffer[end + 4:next_position])
            answers.append(Response(int(head[9:12]), head, body))
            position = next_position
        del buffer[:position]
        return answers

    def _chunks(self, position):
        """The body that comes in chunks from there, and where it ends; (None, None) while it is not whole."""
        buffer, body = self._bytes, []
        while True:
            line = buffer.find(b"\r\n", position)
            if line < 0:
                return None, None
            size = int(buffer[position:line], 16)
            position = line + 2 + size + 2
            if len(buffer) < position:
                return None, None
            if size == 0:
                return b"".join(body), position
            body.append(bytes(buffer[line + 2:position - 2]))

    @staticmethod
    def _content_length(head):
        if not head.startswith(b"HTTP/1."):
            raise AssertionError(f"not an HTTP/1 answer: {head[:200]!r}")
        lowered = head.lower()
        at = lowered.find(b"\r\ncontent-length:")
        if at >= 0:
            end = lowered.find(b"\r\n", at + 17)
            return int(lowered[at + 17:end if end >= 0 else None])
        if head[9:12] in (b"204", b"304"):
            return 0
        raise AssertionError(f"an answer without Content-Length: {head!r}")

    @property
    def rest(self):
        return bytes(self._bytes)


def request(method, target, body=None, headers=()):
    """One request as bytes, ready to be sent or joined with others."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def segment(identifier):
    """An id as one segment of a path."""
    return urllib.parse.quote(identifier, safe="")


def session_path(user, session):
    return f"/v1/users/{segment(user)}/sessions/{segment(session)}"


def start_request(user, session, body=None):
    return request("PUT", session_path(user, session), body)


def heartbeat_request(user, session):
    return request("POST", session_path(user, session) + "/heartbeat")


def end_request(user, session):
    return request("DELETE", session_path(user, session))


def list_request(user):
    return request("GET", f"/v1/users/{segment(user)}/sessions")


def limit_path(user):
    return f"/v1/users/{segment(user)}/limit"


def plan_path(plan):
    return f"/v1/plans/{segment(plan)}"


def first_service_request(what, user, session):
    """`what` is startSession or endSession."""
    return request("GET", f"/{what}/userId/{segment(user)}/sessionId/{segment(session)}")


class Connection:
    """One keep-alive connection. Requests may be sent ahead; answers come back in their order."""

    def __init__(self, path, timeout):
        self.timeout = timeout
        self._parser = ResponseParser()
        self._answers = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next answer."""
        deadline = time.monotonic() + self.timeout
        while not self._answers:
            if time.monotonic() > deadline:
                raise TimeoutError("no answer in time")
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionLost(f"closed after {self._parser.rest!r}")
            self._answers += self._parser.feed(data)
        return self._answers.pop(0)

    def ask(self, data):
        self.send(data)
        answer = self.receive()
        answers.keep(data, answer.status, lambda: answer.header("Content-Type"), answer.body)
        return answer

    def get(self, target):
        return self.ask(request("GET", target))

    def start(self, user, session, body=None):
        return self.ask(start_request(user, session, body))

    def heartbeat(self, user, session):
        return self.ask(heartbeat_request(user, session))

    def end(self, user, session):
        return self.ask(end_request(user, session))

    def list(self, user):
        return self.ask(list_request(user))

    def limit(self, user, body=None):
        """What holds for the user; with a body, after that was set."""
        return self.ask(request("GET" if body is None else "PUT", limit_path(user), body))

    def plan(self, name, body=None):
        return self.ask(request("GET" if body is None else "PUT", plan_path(name), body))


class Fleet:
    """Many connections driven from one thread: each is sent a pipeline of requests, all are read as answers come."""

    def __init__(self, path, count, timeout=30):
        self.timeout = seconds(timeout)
        self.connections = [Connection(path, self.timeout) for _ in range(count)]
        for connection in self.connections:
            connection.socket.setblocking(False)

    def __len__(self):
        return len(self.connections)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        for connection in self.connections:
            connection.close()

    def exchange(self, batches, last_byte_together=False):
        """Sends batches[i], a list of requests, down connection i; returns the answers, list by list.

        With last_byte_together every request but its last byte goes out first, on all connections, and then the last
        bytes follow as fast as one thread can write: the daemon gets them all in the same moment.
        """
        unsent, got, wanted, poll, by_descriptor = {}, [], {}, select.poll(), {}
        for index, batch in enumerate(batches):
            got.append([])
            if batch:
                unsent[index] = memoryview(b"".join(batch))
                wanted[index] = len(batch)
                by_descriptor[self.connections[index].socket.fileno()] = index
        if last_byte_together:
            for index in list(unsent):
                self.connections[index].socket.sendall(unsent[index][:-1])
            for index in list(unsent):
                self.connections[index].socket.sendall(unsent[index][-1:])
            unsent.clear()
        else:
            for index in list(unsent):
                self._write(index, unsent)
        for index in wanted:
            poll.register(self.connections[index].socket, select.POLLIN | (select.POLLOUT if index in unsent else 0))

        deadline = time.monotonic() + self.timeout
        while wanted:
            events = poll.poll(max(0, (deadline - time.monotonic()) * 1000))
            if not events:
                raise TimeoutError(f"{len(wanted)} connections without an answer after {self.timeout:g} s")
            for descriptor, event in events:
                index = by_descriptor[descriptor]
                connection = self.connections[index]
                if event & select.POLLOUT and index in unsent:
                    self._write(index, unsent)
                    if index not in unsent:
                        poll.modify(descriptor, select.POLLIN)
                if event & ~select.POLLOUT:
                    data = connection.socket.recv(1 << 18)
                    if not data:
                        raise ConnectionLost(f"connection {index}: closed after {connection._parser.rest!r}")
                    got[index] += connection._parser.feed(data)
                    if len(got[index]) >= wanted.get(index, 0) and index not in unsent:
                        if len(got[index]) > wanted[index]:
                            raise AssertionError(f"more answers than requests: {got[index][-1]}")
                        poll.unregister(descriptor)
                        del wanted[index]
        if answers.FOLDER:
            for batch, of_batch in zip(batches, got):
                for request, answer in zip(batch, of_batch):
                    answers.keep(request, answer.status, lambda answer=answer: answer.header("Content-Type"), answer.body)
        return got

    def ask_each(self, requests):
        """Any number of requests, dealt out over the connections; the answers in the order of the requests."""
        count = len(self.connections)
        got = self.exchange([requests[index::count] for index in range(count)])
        merged = [None] * len(requests)
        for index in range(count):
            merged[index::count] = got[index]
        return merged

    def _write(self, index, unsent):
        data = unsent[index]
        try:
            sent = self.connections[index].socket.send(data)
        except BlockingIOError:
            return
        if sent == len(data):
            del unsent[index]
        else:
            unsent[index] = data[sent:]


# ---- concur ------------------------------------------------------------------------------------------------------


def concur(*arguments, socket=None, timeout=20, environment=None):
    """Runs `concur`; returns the CompletedProcess with stdout and stderr as bytes."""
    if not CONCUR.exists():
        raise TestSetupError(f"cannot find {CONCUR}: build it or set CONCUR_BIN_DIR")
    command = [str(CONCUR), *map(str, arguments)]
    if socket is not None:
        command += ["--socket", str(socket)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds(timeout),
                          env=environment or clean_environment())


class ProcessSwarm:
    """Starts many `concur` processes as fast as one thread can; their answers go, a line each, to one file."""

    def __init__(self, folder):
        self.answers = pathlib.Path(folder) / "answers"
        self.errors = pathlib.Path(folder) / "errors"
        self._environment = clean_environment()
        self._pids = []

    def launch(self, commands):
        for path in (self.answers, self.errors):
            path.write_bytes(b"")
        append = os.O_WRONLY | os.O_APPEND  # an answer is one write, and appending writes do not mix
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, str(self.answers), append, 0),
                   (os.POSIX_SPAWN_OPEN, 2, str(self.errors), append, 0)]
        for arguments in commands:
            self._pids.append(os.posix_spawn(str(CONCUR), [str(CONCUR), *arguments], self._environment,
                                             file_actions=actions))

    def wait(self, timeout):
        """The exit codes, in the order of the commands."""
        deadline = time.monotonic() + seconds(timeout)
        try:
            return [self._wait_for(pid, deadline) for pid in list(self._pids)]
        finally:
            for pid in self._pids:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            self._pids.clear()

    def _wait_for(self, pid, deadline):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            handle = os.pidfd_open(pid)
            try:
                ready, _, _ = select.select([handle], [], [], max(0, deadline - time.monotonic()))
            finally:
                os.close(handle)
            if not ready:
                raise AssertionError(f"a concur process did not end in time: {self.errors.read_bytes()[:500]!r}")
            _, status = os.waitpid(pid, 0)
        self._pids.remove(pid)
        return os.waitstatus_to_exitcode(status)
