"""The clients of packaging/examples, in each language that is installed."""

import subprocess
import time
import unittest

import harness

CLIENTS = harness.REPOSITORY / "packaging" / "examples" / "clients"


class Client:
    """`command` is the example, and what runs it."""

    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon("--lease", "3s", "--limit", "1"))
        self.environment = harness.clean_environment(CONCUR_SOCKET=str(self.daemon.socket), LC_ALL="C.UTF-8")

    def play(self, session, seconds, user="a/b é"):
        return subprocess.Popen([*self.command, user, session, str(seconds)], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=harness._die_with_parent)

    def result(self, process):
        with process:
            out, err = process.communicate(timeout=harness.seconds(60))
        return process.returncode, out, err

    def active(self, user="a/b é"):
        with self.daemon.connect() as connection:
            return [each["session"] for each in connection.list(user).json()["sessions"]]

    def test_it_counts_past_its_lease_and_ends(self):
        playing = self.play("s 1", 7)
        harness.wait_until(self.active, "it plays")
        began = time.monotonic()
        with self.daemon.connect() as connection:
            while playing.poll() is None and time.monotonic() - began < 5:
                self.assertEqual(connection.start("a/b é", "s2", {"device": "other"}).status, 409)
                time.sleep(0.2)
        code, out, err = self.result(playing)
        self.assertEqual((code, out), (0, "playing: 1 of 1\n"), err)
        self.assertEqual(self.active(), [])

    def test_it_is_told_that_it_is_denied_or_ended_or_that_nobody_answers(self):
        with self.daemon.connect() as connection:
            connection.start("a/b é", "other", {"ttl": 600})
        code, out, err = self.result(self.play("s2", 5))
        self.assertEqual((code, out), (1, ""))
        self.assertIn("is trying to watch 2 streams at once", err)
        with self.daemon.connect() as connection:
            connection.end("a/b é", "other")
        playing = self.play("s1", 600)
        harness.wait_until(self.active, "it plays")
        with self.daemon.connect() as connection:
            connection.ask(harness.request("POST", "/v1/purge", {"user": "a/b é"}))
        code, out, err = self.result(playing)
        self.assertEqual(code, 5, err)
        self.assertIn("it is gone (purged)", err)
        self.daemon.kill()
        self.assertEqual(self.result(self.play("s1", 1))[0], 3)
        self.daemon.start()


def of(language, program, *command):
    case = type(language, (Client, unittest.TestCase), {"command": command, "__module__": __name__})
    globals()[language] = harness.needs(program)(case)


of("Python", "python3", "python3", str(CLIENTS / "client.py"))
of("Node", "node", "node", str(CLIENTS / "client.mjs"))
of("Php", "php", "php", str(CLIENTS / "client.php"))
of("Go", "go")
of("Shell", "jq", "sh", str(CLIENTS / "client.sh"))


def build_go(case):
    folder = harness.private_folder()
    subprocess.run(["go", "build", "-o", str(folder / "client"), str(CLIENTS / "client.go")], check=True,
                   env=harness.clean_environment(GOCACHE=str(folder / "cache")), timeout=harness.seconds(200))
    case.command = (str(folder / "client"),)


Go.setUpClass = classmethod(build_go)  # `go run` has an exit status of its own


if __name__ == "__main__":
    unittest.main()
