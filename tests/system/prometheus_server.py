"""A real Prometheus that scrapes a real daemon, over TCP or through a bridge from there to its Unix socket."""

import json
import select
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import harness

RULES = harness.REPOSITORY / "packaging" / "prometheus" / "concurrencyd.rules.yml"
JOB = "concurrencyd"
EACH_SECOND = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}

# Whatever proxy the environment names is none for 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Bridge:
    """Takes TCP connections on a loopback port and passes their bytes to a Unix socket and back."""

    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # shutdown() wakes the thread that waits in accept(); close() alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            try:
                server.connect(self.path)
                while True:
                    for source in select.select([client, server], [], [])[0]:
                        data = source.recv(1 << 16)
                        if not data:
                            return
                        (server if source is client else client).sendall(data)
            except OSError:
                pass  # one of them is gone, and so is the other then


class Prometheus:
    """`with Prometheus(bridge.address) as prometheus:` scrapes each second and knows the alerting rules. Or it has a config
    file that is there already."""

    def __init__(self, target=None, config=None):
        self.folder = harness.private_folder()
        self.log = self.folder / "log"
        self.config = config or self.folder / "prometheus.yml"
        if target:
            self.config.write_text(json.dumps({  # JSON is YAML
                "global": EACH_SECOND, "rule_files": [str(RULES)],
                "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [target]}]}]}))
        self.process = None

    def __enter__(self):
        for _ in range(5):  # another process may take the free port first
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.address = "127.0.0.1:%d" % free.getsockname()[1]
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    [shutil.which("prometheus"), f"--config.file={self.config}", "--log.level=warn",
                     f"--storage.tsdb.path={self.folder / 'data'}", f"--web.listen-address={self.address}"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                    preexec_fn=harness._die_with_parent)
            if self._becomes_ready():
                return self
        raise harness.TestSetupError(f"prometheus does not start:\n{self.log.read_text()[-2000:]}")

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(harness.seconds(20))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _becomes_ready(self):
        deadline = time.monotonic() + harness.seconds(60)
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with _opener.open(f"http://{self.address}/-/ready", timeout=5):
                    return True
            except OSError:
                time.sleep(0.1)
        self.__exit__()
        return False

    def get(self, path, **parameters):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with _opener.open(url, timeout=harness.seconds(20)) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.code} {error.read()[:500]!r}") from None

    def query(self, expression):
        """The samples as (labels, number)."""
        return [(sample["metric"], float(sample["value"][1]))
                for sample in self.get("query", query=expression)["result"]]

    def rules(self):
        """The alerting rules as they were read, by name."""
        groups = self.get("rules", type="alert")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}
