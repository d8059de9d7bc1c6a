"""A server of Redis or Valkey on loopback, in a folder and on a port of its own, which ends with the test."""

import atexit
import os
import shutil
import signal
import socket
import subprocess

import harness

# As the manual has it, of what a single server has.
WELL = {"appendonly": "yes", "save": "", "maxmemory": "100mb", "maxmemory-policy": "noeviction",
        "hash-max-listpack-entries": "512", "hash-max-listpack-value": "512"}


def program():
    path = os.environ.get("CONCUR_REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        raise harness.TestSetupError("no server of Redis or Valkey is here: packaging/install-build-needs --with-engine")
    return path


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class EngineServer:
    def __init__(self, **settings):
        self.folder = harness.private_folder()
        self.port = free_port()
        self.settings = {**WELL, **{name.replace("_", "-"): value for name, value in settings.items()}}
        self.process = None

    @property
    def url(self):
        return f"valkey://127.0.0.1:{self.port}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.kill()

    def start(self):
        command = [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
                   "--logfile", str(self.folder / "log")]
        for name, value in self.settings.items():
            command += [f"--{name}", str(value)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        atexit.register(self.kill)
        harness.wait_until(lambda: self.ask("PING") == "+PONG", "the server answers")
        return self

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def ask(self, *words):
        """Its answer: a text, or of all else the first line; none where there is no answer."""
        text = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=harness.seconds(5)) as connection:
                connection.sendall(f"*{len(words)}\r\n{text}".encode())
                with connection.makefile("rb") as answer:
                    line = answer.readline().decode().rstrip("\r\n")
                    return answer.read(int(line[1:])).decode() if line.startswith("$") else line
        except OSError:
            return None

    def must(self, *words):
        answer = self.ask(*words)
        assert answer is not None and not answer.startswith("-"), (words, answer)
