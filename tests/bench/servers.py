"""The servers that the benchmarks compare: each started on a private directory, and ended by its pid."""

import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BIN_DIR = pathlib.Path(os.environ.get("CONCUR_BIN_DIR", REPOSITORY / "build/bin"))
BENCH_DIR = pathlib.Path(os.environ.get("CONCUR_BENCH_DIR", REPOSITORY / "build/bench"))

LEASE_S = 24 * 3600  # No session expires during a run, however slow the machine.
LIMIT = 3
READY_S = 120
STOP_S = 60
ECHO_S = 600
REST_S = 900

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class BenchError(Exception):
    """What ends a benchmark; `main` prints it."""


def end_with_parent():
    """Lets no server outlive this script, however the script ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def program(directory, name, variable):
    path = directory / name
    if not os.access(path, os.X_OK):
        raise BenchError(f"cannot run {path}: build it first, or set {variable}")
    return str(path)


class Server:
    """One running server. Use as a context: leaving it ends the process and keeps the directory."""

    name = ""
    protocol = ""
    socket_name = "server.sock"
    account = {}  # as whom the process runs, as subprocess.Popen takes it
    probe = b""
    ready_answer = b""

    def __init__(self, directory, durability="full"):
        self.directory = pathlib.Path(directory)
        self.durability = durability
        self.lease = LEASE_S
        self.log_level = "warning"
        self.socket = str(self.directory / self.socket_name)
        self.process = None
        self.start_seconds = 0.0

    def command(self):
        raise NotImplementedError

    def load_options(self):
        return []

    def files(self):
        """The files that hold the sessions."""
        return []

    def __enter__(self):
        # Pages that an earlier server left to be written would slow this one down.
        os.sync()
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        log = self.directory / f"{self.name}.log"
        begin = time.monotonic()
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=end_with_parent, **self.account)
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - begin > READY_S:
                self.stop()
                raise BenchError(f"{self.name} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.002)
        self.start_seconds = time.monotonic() - begin

    def stop(self):
        """Ends the process and returns how long that took."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise BenchError(f"{self.name} did not end within {STOP_S} s of SIGTERM") from None
        return time.monotonic() - begin

    def ask(self, request, timeout=5):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout)
            client.connect(self.socket)
            client.sendall(request)
            return client.recv(65536)

    def is_ready(self):
        try:
            return self.ask(self.probe, READY_S).startswith(self.ready_answer)
        except OSError:
            return False

    def come_to_rest(self):
        """Waits until nothing is left to be done in quiet moments."""

    def rss_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise BenchError(f"cannot read the memory of {self.name}")

    def disk_bytes(self):
        return sum(path.stat().st_size for path in self.files() if path.is_file())


class Concurrencyd(Server):
    name = "concurrencyd"
    protocol = "http"
    probe = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    ready_answer = b"HTTP/1.1 200"

    def command(self):
        options = ["--socket", self.socket, "--database", str(self.directory / "sessions.db"),
                   "--lease", f"{self.lease}s", "--limit", str(LIMIT), "--log-level", self.log_level,
                   "--start-rate", "1000000", "--max-sessions", "0"]  # looked at, and never reached: no peer has such a rule
        if self.durability != "full":
            options += ["--durability", self.durability]
        return [program(BIN_DIR, "concurrencyd", "CONCUR_BIN_DIR"), *options]

    def files(self):
        return self.directory.glob("sessions.db*")

    def get(self, target, timeout=60):
        """The body of an answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout)
            client.connect(self.socket)
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            head, body = b"".join(iter(lambda: client.recv(1 << 20), b"")).split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 200"):
            raise BenchError(f"{target} was answered: {head.decode()[:100]}")
        return json.loads(body)

    def come_to_rest(self):
        deadline = time.monotonic() + REST_S
        while self.parts_to_add_up() > 0:
            if time.monotonic() > deadline:
                raise BenchError(f"the record of who shares was not added up within {REST_S} s")
            time.sleep(1)

    def parts_to_add_up(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.directory}/sessions.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM history_parts").fetchone()[0]

    def status(self):
        return self.get("/v1/status")

    def version(self):
        return output_of([program(BIN_DIR, "concurrencyd", "CONCUR_BIN_DIR"), "--version"])


class Redis(Server):
    name = "redis"
    protocol = "resp"
    probe = b"PING\r\n"
    ready_answer = b"+PONG"

    def command(self):
        path = shutil.which("redis-server")
        if path is None:
            raise BenchError("cannot find redis-server: install it (Debian: redis-server)")
        fsync = "always" if self.durability == "full" else "everysec"
        return [path, str(HERE / "redis/redis.conf"), "--dir", str(self.directory),
                "--unixsocket", self.socket, "--appendfsync", fsync]

    def load_options(self):
        return ["--scripts", str(HERE / "redis"), "--lease", str(self.lease)]

    def files(self):
        return self.directory.glob("appendonlydir/*")

    def info(self, field):
        for line in self.ask(b"INFO\r\n").decode().splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1]
        raise BenchError(f"cannot read {field} of redis")

    def version(self):
        return output_of([self.command()[0], "--version"])


class Postgres(Server):
    """Started on a new cluster, or on the one that its directory holds."""

    name = "postgres"
    protocol = "postgres"
    socket_name = ".s.PGSQL.5432"
    user = "bench"
    programs = ("/usr/lib/postgresql/15/bin", "/usr/bin", "/usr/local/bin")

    def __init__(self, directory, durability="full"):
        super().__init__(directory, durability)
        if os.geteuid() == 0:
            # It refuses to run as root.
            account = pwd.getpwnam("postgres")
            self.account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def find(self, name):
        for folder in self.programs:
            if os.access(os.path.join(folder, name), os.X_OK):
                return os.path.join(folder, name)
        raise BenchError(f"cannot find {name}: install PostgreSQL 15 (Debian: postgresql-15)")

    @property
    def cluster(self):
        return self.directory / "cluster"

    def command(self):
        command = [self.find("postgres"), "-D", str(self.cluster),
                   "-c", f"unix_socket_directories={self.directory}"]
        if self.durability != "full":
            command += ["-c", "synchronous_commit=off"]
        return command

    def start(self):
        is_new = not self.cluster.exists()
        if self.account:
            # The way there is open to its user, and what was copied there belongs to it.
            self.directory.parent.chmod(0o711)
            self.directory.chmod(0o711)
            subprocess.run(["chown", "-R", f"{self.account['user']}:{self.account['group']}",
                            str(self.directory)], check=True)
        if is_new:
            self.run(self.find("initdb"), "-D", str(self.cluster), "-U", self.user, "-A", "trust",
                     "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
            with open(self.cluster / "postgresql.conf", "a", encoding="utf-8") as settings:
                settings.write((HERE / "postgres/postgresql.conf").read_text())
        super().start()
        if is_new:
            self.run(self.find("psql"), "-h", str(self.directory), "-U", self.user, "-d", "postgres",
                     "-q", "-v", "ON_ERROR_STOP=1", standard_input=HERE / "postgres/functions.sql")

    def run(self, *command, standard_input=os.devnull):
        with open(standard_input, "rb") as given:
            done = subprocess.run(command, stdin=given, capture_output=True, timeout=READY_S, cwd="/",
                                  check=False, **self.account)
        if done.returncode != 0:
            raise BenchError(f"cannot set up postgres: {done.stderr.decode()[-1000:]}")

    def stop(self):
        # The quick way for it: to SIGTERM it would wait for clients first.
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S / 2)
        return super().stop()

    def is_ready(self):
        return subprocess.run([self.find("pg_isready"), "-q", "-h", str(self.directory), "-U", self.user],
                              timeout=READY_S, check=False).returncode == 0

    def load_options(self):
        return ["--lease", str(self.lease)]

    def version(self):
        return output_of([self.find("postgres"), "--version"])


class Sqlite(Server):
    name = "sqlite"
    protocol = "http"
    probe = b"GET / HTTP/1.1\r\n\r\n"
    ready_answer = b"HTTP/1.1 200"

    def command(self):
        return [program(BENCH_DIR, "sqlite", "CONCUR_BENCH_DIR"), self.socket,
                str(self.directory / "sessions.db"), self.durability, str(LIMIT), str(self.lease), str(ECHO_S)]

    def files(self):
        return self.directory.glob("sessions.db*")

    def version(self):
        return f"SQLite {sqlite3.sqlite_version}, a transaction a request"


class Echo(Server):
    name = "echo"
    protocol = "echo"
    probe = b"GET / HTTP/1.1\r\n\r\n"
    ready_answer = b"HTTP/1.1 200"

    def command(self):
        return [program(BENCH_DIR, "echo", "CONCUR_BENCH_DIR"), "--socket", self.socket,
                "--seconds", str(ECHO_S)]

    def version(self):
        return "a bare echo, the ceiling"


SERVERS = {server.name: server for server in (Concurrencyd, Redis, Echo, Postgres, Sqlite)}


def processor_us(pid):
    """What a process has used of the processor so far, by all of its threads."""
    return sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000


def output_of(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=10,
                          check=False).stdout.strip()


def load(server, work, options, timeout):
    """Runs the load program against the server and returns its report."""
    where = ["--socket", server.socket] if server.socket else []
    command = [program(BENCH_DIR, "load", "CONCUR_BENCH_DIR"), *where,
               "--protocol", server.protocol, "--work", work, "--limit", str(LIMIT),
               *server.load_options(), *[str(option) for option in options]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                              preexec_fn=end_with_parent, check=False)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{work} against {server.name} took over {timeout} s") from None
    if not done.stdout:
        raise BenchError(f"{work} against {server.name}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    if report["errors"]:
        raise BenchError(f"{work} against {server.name}: {report['errors']} wrong answers, the "
                         f"first: {report['first_error']}")
    return report


def file_system(path):
    """The type of the file system that holds the path; none where the system does not say, as below another root."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    resolved = pathlib.Path(path).resolve()
    holding = [m for m in mounts if resolved.is_relative_to(m[1])]
    return max(holding, key=lambda m: len(m[1]))[2] if holding else None


@contextlib.contextmanager
def private_directory(base):
    """A new directory on a disk; it goes with the context."""
    if file_system(base) in ("tmpfs", "ramfs"):
        raise BenchError(f"cannot measure in {base}: it is memory, not a disk (see --directory)")
    with tempfile.TemporaryDirectory(prefix="concur-bench-", dir=base) as path:
        yield pathlib.Path(path)


def sync_microseconds(base):
    """The median time to append 4 KiB and sync it: what a durable answer costs at least."""
    times = []
    with tempfile.TemporaryFile(dir=base) as file:
        for _ in range(200):
            begin = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begin) * 1e6)
    return sorted(times)[len(times) // 2]


def machine(base):
    cpu = [line.split(":", 1)[1].strip()
           for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]
    return {"cpu": cpu[0] if cpu else "unknown", "cores": len(os.sched_getaffinity(0)),
            "kernel": os.uname().release, "file_system": file_system(base),
            "load_average": round(os.getloadavg()[0], 2),
            "sync_4k_us": round(sync_microseconds(base))}


def run_main(main):
    """Runs `main` so that every way out ends the servers, and maps failures to exit codes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except BenchError as error:
        print(f"{pathlib.Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
