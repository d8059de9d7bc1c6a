"""A fleet as the manual sets it up, on loopback: three primaries, a replica of each, and boxes; and what asks the primaries
directly, as a service would that has no box."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from servers import HERE, LEASE_S, BenchError, Concurrencyd, end_with_parent, output_of

PRIMARIES = 3
SLOTS = 16384
NODE_TIMEOUT_MS = 3000
# As concurrencyd-fleet(7) has it.
SETTINGS = {"cluster-enabled": "yes", "cluster-node-timeout": NODE_TIMEOUT_MS, "cluster-require-full-coverage": "no",
            "appendonly": "yes", "save": "", "maxmemory": "2gb", "maxmemory-policy": "noeviction", "min-replicas-to-write": 0,
            "hash-max-listpack-entries": 512, "hash-max-listpack-value": 512}


def program():
    path = os.environ.get("CONCUR_REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        raise BenchError("cannot find redis-server: install it (Debian: redis-server)")
    return path


def free_ports(count):
    """Below those that the system gives to connections; a cluster's bus is 10,000 above its port."""
    found = []
    for port in range(17000, 22000):
        with contextlib.ExitStack() as stack:
            try:
                for each in (port, port + 10000):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", each))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise BenchError("cannot find free ports")


class Node:
    """A server of the cluster."""

    def __init__(self, directory, port, settings):
        self.port = port
        self.directory = directory / str(port)
        self.directory.mkdir()
        words = [str(word) for name, value in {**SETTINGS, **settings}.items() for word in (f"--{name}", value)]
        self.process = subprocess.Popen([program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.directory), *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=end_with_parent)

    def ask(self, *words):
        """A text, a number, or a list of them; a BenchError where it is an error."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client, client.makefile("rb") as answers:
            client.sendall(command(*words))
            return read_reply(answers)

    def info(self, field):
        for line in self.ask("INFO").splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1]
        raise BenchError(f"cannot read {field} of {self.port}")

    def end(self, how=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()


def command(*words):
    encoded = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


def read_reply(answers):
    line = answers.readline()
    kind, rest = line[:1], line[1:].strip()
    if kind == b"$":
        return None if int(rest) < 0 else answers.read(int(rest) + 2)[:-2].decode(errors="replace")
    if kind == b"*":
        return [read_reply(answers) for _ in range(int(rest))]
    if kind == b":":
        return int(rest)
    if kind == b"+":
        return rest.decode()
    raise BenchError(f"a server answers: {rest.decode() or 'nothing'}")


def wait_until(holds, what, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, BenchError):
            if holds():
                return
        if time.monotonic() > deadline:
            raise BenchError(f"in vain: {what}")
        time.sleep(0.02)


class Engine:
    """The cluster, as a context. `nodes` 0 to 2 are the primaries, the others their replicas in the same order. As a peer, it
    is asked by scripts."""

    name = "cluster"
    protocol = "cluster"
    socket = None

    def __init__(self, directory, **settings):
        self.directory = pathlib.Path(directory)
        self.settings = {name.replace("_", "-"): value for name, value in settings.items()}
        self.lease = LEASE_S
        self.nodes = []

    def __enter__(self):
        try:
            self.nodes = [Node(self.directory, port, self.settings) for port in free_ports(2 * PRIMARIES)]
            for node in self.nodes:
                wait_until(lambda node=node: node.ask("PING") == "PONG", f"the server at {node.port} answers")
            for number, node in enumerate(self.primaries):
                node.ask("CLUSTER", "ADDSLOTSRANGE", first_slot(number), first_slot(number + 1) - 1)
            for node in self.nodes[1:]:
                self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port)
            for number, node in enumerate(self.nodes[PRIMARIES:]):
                of = self.nodes[number].ask("CLUSTER", "MYID")
                wait_until(lambda node=node, of=of: node.ask("CLUSTER", "REPLICATE", of) == "OK", "a replica knows its primary")
            wait_until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in self.nodes), "the cluster is whole")
            for node in self.nodes[PRIMARIES:]:
                wait_until(lambda node=node: node.info("master_link_status") == "up", "a replica has what its primary has")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.end()

    @property
    def primaries(self):
        return self.nodes[:PRIMARIES]

    def memory(self):
        """Bytes that the data take in all primaries."""
        return sum(int(node.info("used_memory_dataset")) for node in self.primaries)

    def come_to_rest(self):
        for node in self.primaries:
            wait_until(lambda node=node: node.info("aof_rewrite_in_progress") == "0", "no file is being rewritten")

    def load_options(self):
        return ["--ports", ",".join(str(node.port) for node in self.primaries), "--scripts", str(HERE / "redis/cluster"),
                "--lease", str(self.lease)]

    def version(self):
        return output_of([program(), "--version"])


def first_slot(number):
    """Of that primary: a key's slot, times three, by all slots, is its number."""
    return -(-SLOTS * number // PRIMARIES)


class Box(Concurrencyd):
    """One of the fleet's daemons. It may start after others of its engine."""

    def __init__(self, directory, engine, name="box", *options):
        super().__init__(directory)
        self.engine = engine
        self.box = name
        self.options = options
        self.socket = str(self.directory / f"{name}.sock")

    def command(self):
        seeds = ",".join(f"127.0.0.1:{node.port}" for node in self.engine.nodes)
        command = super().command()
        command[command.index("--database") + 1] = str(self.directory / f"{self.box}.db")
        return [*command, "--fleet", f"valkey://{seeds}", "--fleet-name", "bench", "--box", self.box, *self.options]

    def start(self):
        super().start()
        wait_until(lambda: self.status()["fleet"]["state"] == "ok", f"{self.box} finds its engine")

    def metric(self, name):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.socket)
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: client.recv(1 << 20), b"")).decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"concurrencyd_fleet_{name}"))
