"""What the tests of a fleet share: real servers of Valkey or Redis on loopback, as a cluster or by themselves, the faults
that befall them, boxes (daemons) that count their users in them together, and a relay that cuts between request and answer.

Only the standard library is used. Servers have folders and ports of their own and are ended by their own ids; they die with
the test.

Environment, beside that of tests/system/harness.py:
  CONCUR_REDIS_SERVER  the program that serves (default: valkey-server or redis-server, whichever is there)
"""

import atexit
import contextlib
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import harness  # noqa: E402 - found by the line above

SERVER = next(filter(None, map(shutil.which, (os.environ.get("CONCUR_REDIS_SERVER") or "valkey-server", "redis-server"))), None)
NODE_TIMEOUT = 1.0  # seconds, of all clusters here
SLOTS = 16384


def require_server():
    """For setUpModule: skips where there is no server to ask."""
    if not SERVER:
        raise unittest.SkipTest("neither valkey-server nor redis-server is installed")


# ---- ports -------------------------------------------------------------------------------------------------------

# Below those that the system gives to connections: a server that was killed finds its port free when it comes back.
PORTS = range(11000, 32000)
_chance = random.Random()
_given = set()


def free_port():
    for _ in range(1000):
        port = _chance.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
    raise harness.TestSetupError("cannot find a free port")


# ---- servers -----------------------------------------------------------------------------------------------------


class ServerError(Exception):
    """What a server answered that begins with a minus."""


class Client:
    """A connection that speaks RESP2. Texts come back as bytes."""

    def __init__(self, port, password=None, timeout=5):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=harness.seconds(timeout))
        self._file = self._socket.makefile("rb")
        if password:
            self.ask("AUTH", password)

    def close(self):
        self._file.close()
        self._socket.close()

    def send(self, *words):
        words = [each if isinstance(each, bytes) else str(each).encode() for each in words]
        self._socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))

    def receive(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ServerError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self.receive() for _ in range(int(rest))]
        raise ConnectionError(f"not RESP2: {line!r}")

    def ask(self, *words):
        self.send(*words)
        answer = self.receive()
        if isinstance(answer, ServerError):
            raise answer
        return answer


class Server:
    """One process. `options` are its settings, by name, beside those that keep it small and quick."""

    def __init__(self, options=None, folder=None):
        self.folder = pathlib.Path(folder) if folder else harness.private_folder()
        self.port = free_port()
        self.options = dict(options or {})
        self.password = self.options.get("requirepass")
        self.environment = {}  # beside the clean one
        self.process = None
        self.stopped = False
        self.log = self.folder / f"{self.port}.log"

    def start(self):
        settings = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": "", "appendonly": "no",
                    "dbfilename": f"{self.port}.rdb", "daemonize": "no", "logfile": self.log, "repl-diskless-sync-delay": 0,
                    "enable-debug-command": "local", **self.options}
        words = [word for name, value in settings.items() for word in (f"--{name}", *self._words(value))]
        self.process = subprocess.Popen([SERVER, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, cwd=self.folder,
                                        env=harness.clean_environment(**self.environment),
                                        preexec_fn=harness._die_with_parent)
        self.stopped = False
        atexit.register(self.kill)
        harness.wait_until(self._answers, f"the server at {self.port} answers")
        return self

    @staticmethod
    def _words(value):
        return [str(value)] if not isinstance(value, (tuple, list)) else [str(each) for each in value]

    def _answers(self):
        if self.process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise harness.TestSetupError(f"{SERVER} ended with {self.process.returncode}:\n{tail}")
        try:
            self.ask("PING")
        except (OSError, ServerError):
            return False
        return True

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def running(self):
        return self.process is not None and self.process.poll() is None

    def connect(self, timeout=5):
        return Client(self.port, self.password, timeout)

    def ask(self, *words, timeout=5):
        client = self.connect(timeout)
        try:
            return client.ask(*words)
        finally:
            client.close()

    def set(self, name, value):
        self.ask("CONFIG", "SET", name, value)

    def info(self, section):
        lines = self.ask("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    # --- what befalls it ---

    def kill(self):
        """kill -9; harmless where it has ended already."""
        if self.running():
            self.process.kill()
            self.process.wait(harness.seconds(20))
        self.stopped = False
        atexit.unregister(self.kill)

    def pause(self):
        """SIGSTOP: connections stay, and are accepted by the kernel; nothing is answered."""
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        self.stopped = True

    def go_on(self):
        if self.stopped and self.running():
            os.kill(self.process.pid, signal.SIGCONT)
        self.stopped = False

    @contextlib.contextmanager
    def paused(self):
        self.pause()
        try:
            yield self
        finally:
            self.go_on()

    def sleep(self, seconds):
        """It is busy for so long, from now on; returns at once."""
        client = self.connect()
        client.send("DEBUG", "SLEEP", seconds)
        return client

    def wait_for_its_master(self, within=20):
        harness.wait_until(lambda: self.info("replication").get("master_link_status") == "up",
                           f"the replica at {self.port} is up to date", within)


class Node(Server):
    """A server of a cluster."""

    def __init__(self, folder, options):
        super().__init__(options, folder)
        self.bus = free_port()
        self.id = f"{_chance.getrandbits(160):040x}"
        self.options |= {"cluster-enabled": "yes", "cluster-port": self.bus, "cluster-config-file": f"{self.port}.conf",
                         "cluster-node-timeout": int(NODE_TIMEOUT * 1000), "cluster-require-full-coverage": "no"}

    def is_primary(self):
        return self.info("replication")["role"] == "master"

    def forget_all_data(self):
        """As if its disk had been taken; only for one that does not run. What it knows of the cluster stays."""
        for path in self.folder.glob(f"{self.port}*"):
            if path.suffix not in (".conf", ".log"):
                path.unlink() if path.is_file() else shutil.rmtree(path)


class Cluster:
    """Three primaries and a replica of each: `nodes` 0 to 2, then 3 to 5 in the same order. Who is what changes later."""

    PRIMARIES = 3

    def __init__(self, replicas=1, **options):
        self.folder = harness.private_folder()
        options = {name.replace("_", "-"): value for name, value in options.items()}
        self.nodes = [Node(self.folder, options) for _ in range(self.PRIMARIES * (1 + replicas))]

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.end()

    def start(self):
        """They know each other from files that the test writes, which is a second quicker than CLUSTER MEET."""
        for node in self.nodes:
            (self.folder / f"{node.port}.conf").write_text(self._as_known_by(node))
        for node in self.nodes:
            node.start()
        self.wait_until_whole()
        return self

    def end(self):
        for node in self.nodes:
            node.go_on()
            node.kill()

    def _as_known_by(self, own):
        lines = []
        for number, node in enumerate(self.nodes):
            myself = "myself," if node is own else ""
            at = f"{node.id} 127.0.0.1:{node.port}@{node.bus} {myself}"
            group = number % self.PRIMARIES
            if number < self.PRIMARIES:
                first, last = SLOTS * group // self.PRIMARIES, SLOTS * (group + 1) // self.PRIMARIES - 1
                lines.append(f"{at}master - 0 0 {group + 1} connected {first}-{last}\n")
            else:
                lines.append(f"{at}slave {self.nodes[group].id} 0 0 {group + 1} connected\n")
        return "".join(lines) + f"vars currentEpoch {self.PRIMARIES} lastVoteEpoch 0\n"

    def running(self):
        return [node for node in self.nodes if node.running() and not node.stopped]

    def wait_until_whole(self, within=30):
        """All that run know an owner of each slot, and each replica has what its primary has."""

        def whole():
            try:
                for node in self.running():
                    info = node.ask("CLUSTER", "INFO").decode()
                    if "cluster_state:ok" not in info or "cluster_slots_ok:16384" not in info:
                        return False
                    if "cluster_slots_pfail:0" not in info:
                        return False
                    said = node.info("replication")
                    if said["role"] == "slave" and said["master_link_status"] != "up":
                        return False
            except (OSError, ServerError):
                return False
            return len(self.primaries()) == self.PRIMARIES

        harness.wait_until(whole, "the cluster is whole", within, pause=0.05)

    def primaries(self):
        """Those that run and own slots, as most of the others see it."""
        owners = self.owners()
        return [node for node in self.running() if node in owners]

    def owners(self, asked=None):
        """Who owns slots, as one that runs sees it: node -> its ranges."""
        asked = asked or self.running()[-1]
        found = {}
        for first, last, (_, port, *_), *_ in asked.ask("CLUSTER", "SLOTS"):
            node = next(each for each in self.nodes if each.port == port)
            found.setdefault(node, []).append((first, last))
        return found

    def replicas_of(self, node):
        lines = self.running()[-1].ask("CLUSTER", "NODES").decode().splitlines()
        ids = [fields[0] for fields in map(str.split, lines) if fields[3] == node.id and "fail" not in fields[2]]
        return [each for each in self.running() if each.id in ids]

    def owner_of(self, key):
        slot = slot_of(key)
        for node, ranges in self.owners().items():
            if any(first <= slot <= last for first, last in ranges):
                return node
        raise AssertionError(f"nobody owns slot {slot}")

    # --- what befalls it ---

    def wait_for_takeover(self, of, within=20):
        """Another owns what this one did; returns who."""
        replicas = {each.id: each for each in self.nodes if each is not of}

        def owners():
            try:
                return self.owners()
            except (OSError, ServerError):
                return {}

        harness.wait_until(lambda: of not in owners() and len(owners()) == self.PRIMARIES,
                           f"another takes over from {of.port}", within, pause=0.02)
        return [each for each in owners() if each.id in replicas]

    def fail_over(self, primary, how=None):
        """Its replica takes over: planned, or by FORCE or TAKEOVER. Returns the new primary."""
        replica = self.replicas_of(primary)[0]
        replica.ask("CLUSTER", "FAILOVER", *([how] if how else []))
        harness.wait_until(replica.is_primary, "a replica takes over", pause=0.01)
        return replica

    def move_slot(self, slot, source, target, keys_at_once=10):
        """As a resharding does it, keys and all."""
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, keys_at_once):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *(each for each in self.primaries() if each not in (target, source))):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def on_all_primaries(self, *words):
        for node in self.primaries():
            node.ask(*words)


def _crc16_table():
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return table


_CRC16 = _crc16_table()


def slot_of(key):
    """The slot of a key of a fleet, in which no braces stand."""
    crc = 0
    for byte in key.encode():
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ byte]
    return crc % SLOTS


def user_key(fleet, user):
    for plain, encoded in (("%", "%25"), ("{", "%7B"), ("}", "%7D")):
        user = user.replace(plain, encoded)
    return f"{fleet}:u:{user}"


class BlackHole:
    """A port where connections are never answered, not even refused: what a firewall makes of a host that is gone."""

    def __init__(self):
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port = self._listener.getsockname()[1]
        self._filling = []
        for _ in range(3):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", self.port))
            self._filling.append(each)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for each in (*self._filling, self._listener):
            each.close()


class Pair:
    """A primary without cluster mode, and its replicas: `primary`, `replicas`."""

    def __init__(self, replicas=1, **options):
        options = {name.replace("_", "-"): value for name, value in options.items()}
        self.primary = Server(options)
        self.replicas = [Server({**options, "replicaof": ("127.0.0.1", self.primary.port)}) for _ in range(replicas)]

    def promote(self, replica):
        """As an operator does it after the primary is lost, which is the other's replica when it comes back."""
        replica.ask("REPLICAOF", "NO", "ONE")
        self.replicas.remove(replica)
        self.replicas.append(self.primary)
        self.primary.options["replicaof"] = ("127.0.0.1", replica.port)
        self.primary = replica
        replica.options.pop("replicaof")

    def __enter__(self):
        self.primary.start()
        for each in self.replicas:
            each.start()
        for each in self.replicas:
            each.wait_for_its_master()
        return self

    def __exit__(self, *unused):
        for each in (self.primary, *self.replicas):
            each.go_on()
            each.kill()


# ---- boxes -------------------------------------------------------------------------------------------------------

# A patience that no busy machine uses up: what a test of the limit sees is then the engine's word.
PATIENT = ("--fleet-timeout", "20s")


# Users, one in each third of the slots of any fleet here.
_OF_EACH_THIRD = [f"probe{number}" for number in range(12)]


class Box(harness.Daemon):
    """A daemon of a fleet. `servers` are those that it knows of from the beginning: servers, relays, or ports."""

    def __init__(self, name, servers, *options, fleet="test", folder=None, **more):
        self.name = name
        self.fleet = fleet
        super().__init__(*options, folder=folder, **more)
        self.join(servers)

    def join(self, servers):
        """For one that does not run: of which fleet it is from its next start on. No servers: of none."""
        self.servers = servers

    def command(self):
        if not self.servers:
            return super().command()
        ports = [each if isinstance(each, int) else each.port for each in self.servers]
        url = "valkey://" + ",".join(f"127.0.0.1:{port}" for port in ports)
        return [*super().command(), "--fleet", url, "--fleet-name", self.fleet, "--box", self.name]

    def start(self):
        super().start()
        if self.servers:
            self.wait_for_the_fleet()
        return self

    def wait_for_the_fleet(self, within=30):
        """Each third of the users can be asked about."""
        with self.connect() as connection:
            harness.wait_until(lambda: all(connection.limit(user).status == 200 for user in _OF_EACH_THIRD),
                               f"box {self.name} finds all of the fleet", within, pause=0.02)

    def metrics(self):
        """The fleet's: name with labels, as they stand there -> number."""
        with self.connect() as connection:
            text = connection.get("/metrics").body.decode()
        lines = [line for line in text.splitlines() if line.startswith("concurrencyd_fleet_")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


class Crowd(harness.Fleet):
    """As many connections to each of some daemons, driven together: dealt out in turn."""

    def __init__(self, boxes, each, timeout=30):
        super().__init__(None, 0, timeout)
        for number in range(each * len(boxes)):
            connection = harness.Connection(boxes[number % len(boxes)].socket, self.timeout)
            connection.socket.setblocking(False)
            self.connections.append(connection)


# ---- what stands between -----------------------------------------------------------------------------------------


class Relay:
    """Passes on what a box and a server say to each other, at a port of its own, and cuts where it is told to.

    Modes: "pass"; "refuse" closes what is there and takes nothing; "silent" takes all and passes nothing on.
    """

    def __init__(self, server):
        self.server = server
        self.port = free_port()
        self.mode = "pass"
        self.cuts = 0  # how many were made
        self._cut_next = 0
        self._lock = threading.Lock()
        self._ends = False
        self._pairs = {}  # a socket -> the one at the other side
        self._clients = set()  # sockets of boxes
        self._doomed = {}  # sockets of servers whose words are lost, after so many pieces of them
        self._pieces = 0
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.setblocking(False)
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._ends = True
        self._wake.send(b".")
        self._thread.join()
        for each in list(self._pairs):
            each.close()
        self._listener.close()
        self._wake.close()
        self._woken.close()

    def set_mode(self, mode):
        self.mode = mode
        self._wake.send(b".")

    def cut_answers(self, times, after=0):
        """The next so many changes reach the server; the connection ends as their answers come, or after the first so many
        pieces of them."""
        with self._lock:
            self._cut_next += times
            self._pieces = after

    def _run(self):
        while not self._ends:
            listening = [self._listener, self._woken, *self._pairs]
            ready, _, _ = select.select(listening, [], [], 1)
            for each in ready:
                if each is self._woken:
                    self._woken.recv(64)
                elif each is self._listener:
                    self._accept()
                elif each in self._pairs and self.mode != "silent":
                    self._pass_on(each)
            if self.mode == "refuse":
                for each in list(self._pairs):
                    self._close(each)
            if self.mode == "silent":
                time.sleep(0.01)

    def _accept(self):
        client, _ = self._listener.accept()
        if self.mode == "refuse":
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.server.port), timeout=2)
        except OSError:
            client.close()
            return
        for each in (client, server):
            each.settimeout(5)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs[client], self._pairs[server] = server, client
        self._clients.add(client)

    def _pass_on(self, source):
        target = self._pairs[source]
        try:
            data = source.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            return self._close(source)
        if source in self._doomed:
            if self._doomed[source] == 0:
                self.cuts += 1
                return self._close(source)
            self._doomed[source] -= 1
        if source in self._clients and b"EVALSHA" in data:
            with self._lock:
                if self._cut_next > 0:
                    self._cut_next -= 1
                    self._doomed[target] = self._pieces
        try:
            target.sendall(data)
        except OSError:
            self._close(source)

    def _close(self, one):
        other = self._pairs.pop(one, None)
        for each in (one, other):
            if each is None:
                continue
            self._pairs.pop(each, None)
            self._doomed.pop(each, None)
            self._clients.discard(each)
            each.close()
