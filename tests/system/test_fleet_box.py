"""One box of a fleet as who runs it sees it: settings, status, checks, metrics, events, files that are read again."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import certificates
import engine_server
import harness
from engine_server import EngineServer

MANUAL = harness.REPOSITORY / "man" / "concurrencyd-fleet.7"


def concur(daemon, *words):
    return subprocess.run([str(harness.CONCUR), "--socket", str(daemon.socket), *words], capture_output=True, text=True,
                          check=False, timeout=harness.seconds(30), env=harness.clean_environment())


def box(engine, *options, **more):
    return harness.Daemon("--fleet", engine.url, "--box", "edge-1", *options, **more)


def wait_for_state(daemon, state):
    def it_is():
        with daemon.connect() as connection:
            return connection.get("/v1/fleet").json()["state"] == state
    harness.wait_until(it_is, f"the fleet is {state}")


class Box(unittest.TestCase):
    def setUp(self):
        self.engine = self.enterContext(EngineServer())
        self.daemon = self.enterContext(box(self.engine))
        wait_for_state(self.daemon, "ok")
        self.connection = self.enterContext(self.daemon.connect())

    def test_status_tells_of_the_fleet(self):
        fleet = self.connection.get("/v1/status").json()["fleet"]
        self.assertEqual((fleet["state"], fleet["box"], fleet["name"], fleet["ack"], fleet["unavailable"]),
                         ("ok", "edge-1", "concur", "replica", "local"))
        primary, = fleet["primaries"]
        self.assertEqual((primary["address"], primary["up"]), (f"127.0.0.1:{self.engine.port}", True))
        self.assertEqual(self.connection.get("/v1/fleet").json().keys(), fleet.keys())
        shown = concur(self.daemon, "fleet", "status", "--output", "table")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn("ok, 1 of 1 primaries up", shown.stdout)
        self.assertIn("fleet        ok, 1 of 1", concur(self.daemon, "status", "--output", "table").stdout)

    def test_a_check_finds_what_is_to_be_mended_and_exits_2(self):
        done = concur(self.daemon, "fleet", "check")
        self.assertEqual((done.returncode, done.stderr), (2, ""))
        found = json.loads(done.stdout)
        self.assertEqual(found["result"], "mend")
        self.assertEqual([finding["what"] for finding in found["findings"] if finding["severity"] == "problem"],
                         ["no replica follows it"])
        shown = concur(self.daemon, "fleet", "check", "--output", "table")
        self.assertEqual(shown.returncode, 2)
        self.assertRegex(shown.stdout, r"problem: no replica follows it\n  at    127.0.0.1:\d+\n  why   .*\n  mend  ")

    def test_a_check_that_finds_nothing_serious_exits_0(self):
        with EngineServer(replicaof=f"127.0.0.1 {self.engine.port}") as replica:
            harness.wait_until(lambda: "state=online" in self.engine.ask("INFO", "replication"), "the replica follows")
            options = ["--fleet", f"{self.engine.url},127.0.0.1:{replica.port}"]
            with harness.Daemon(*options) as daemon:
                wait_for_state(daemon, "ok")
                done = concur(daemon, "fleet", "check")
                self.assertEqual((done.returncode, json.loads(done.stdout)["result"]), (0, "ok"), done.stdout)

    def test_the_manual_names_each_metric_and_no_other(self):
        text = self.connection.get("/metrics").body.decode()
        have = set(re.findall(r"^# TYPE concurrencyd_fleet_(\w+)", text, re.M))
        section = MANUAL.read_text().partition(".Sh WHAT TO WATCH")[2].partition("\n.Sh ")[0]
        named = {name for line in re.findall(r"^\.It Ql (.*)$", section, re.M) for name in line.split(" , ")}
        self.assertEqual(named, have)

    def test_lists_and_events_name_the_box(self):
        watch = subprocess.Popen([str(harness.CONCUR), "--socket", str(self.daemon.socket), "watch", "--since", "0"],
                                 stdout=subprocess.PIPE, text=True, env=harness.clean_environment())
        self.addCleanup(watch.wait)
        self.addCleanup(watch.kill)
        self.addCleanup(watch.stdout.close)
        self.assertEqual(self.connection.start("abc", "s1").status, 201)
        event = json.loads(watch.stdout.readline())
        self.assertEqual((event["event"], event["box"]), ("started", "edge-1"))
        session, = self.connection.list("abc").json()["sessions"]
        self.assertEqual(session["box"], "edge-1")
        self.assertIn("edge-1", concur(self.daemon, "list", "--output", "table").stdout)
        shown = self.connection.get("/v1/sessions").json()["sessions"]
        self.assertEqual([entry["box"] for entry in shown], ["edge-1"])

    def test_while_the_engine_is_away_answers_say_so_and_health_is_well(self):
        self.assertEqual(self.connection.start("abc", "s1").status, 201)
        self.engine.kill()
        wait_for_state(self.daemon, "down")
        answer = self.connection.start("abc", "s2")
        self.assertEqual((answer.status, answer.json()["degraded"]), (201, True))
        self.assertTrue(self.connection.heartbeat("abc", "s1").json()["degraded"])
        self.connection.start("abc", "s3")
        denied = self.connection.start("abc", "s4")
        self.assertEqual((denied.status, denied.json()["degraded"]), (409, True))
        self.assertEqual(self.connection.get("/healthz").status, 200)
        self.assertIn("concurrencyd_fleet_degraded 1\n", self.connection.get("/metrics").body.decode())
        done = concur(self.daemon, "fleet", "check")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nobody listens there", done.stdout)
        self.engine.start()
        wait_for_state(self.daemon, "ok")
        harness.wait_until(lambda: "degraded" not in self.connection.heartbeat("abc", "s1").json(), "the engine is asked")


class Alone(unittest.TestCase):
    def test_a_daemon_without_a_fleet_says_so_and_opens_no_socket(self):
        with harness.Daemon() as daemon, daemon.connect() as connection:
            for path in ("/v1/fleet", "/v1/fleet/check"):
                answer = connection.get(path)
                self.assertEqual((answer.status, answer.json()["error"]), (501, "unsupported"))
            self.assertNotIn("fleet", connection.get("/v1/status").json())
            self.assertNotIn(b"fleet", connection.get("/metrics").body)
            for words in (("fleet", "check"), ("fleet", "status")):
                self.assertEqual(concur(daemon, *words).returncode, 2)
            names = {os.readlink(link) for link in pathlib.Path(f"/proc/{daemon.pid}/fd").iterdir()}
            table = pathlib.Path(f"/proc/{daemon.pid}/net/tcp").read_text() + \
                pathlib.Path(f"/proc/{daemon.pid}/net/tcp6").read_text()
            inodes = {f"socket:[{line.split()[9]}]" for line in table.splitlines() if not line.startswith("  sl")}
            self.assertEqual(names & inodes, set())
            maps = pathlib.Path(f"/proc/{daemon.pid}/maps").read_text()
            for library in ("libssl", "libcrypto", "libhiredis"):
                self.assertNotIn(library, maps, "what only a fleet needs is not loaded")


class Files(unittest.TestCase):
    def setUp(self):
        self.engine = self.enterContext(EngineServer())
        self.folder = harness.private_folder()
        self.password = self.folder / "password"
        self.settings = {"fleet": self.engine.url, "fleet-user": "edge", "fleet-password-file": str(self.password)}

    def write(self, password):
        self.password.write_text(password + "\n")
        self.password.chmod(0o600)

    def grant(self, password):
        self.engine.must("ACL", "SETUSER", "edge", "reset", "on", f">{password}", "~concur:*", "+@all")

    def test_a_password_that_cannot_be_read_is_exit_2(self):
        daemon = harness.Daemon(settings=self.settings)
        with self.assertRaises(harness.TestSetupError):
            daemon.start()
        self.assertEqual(daemon.process.returncode, 2)
        self.assertIn(f"cannot read the fleet's password from {self.password}", daemon.log_text())

    def test_a_password_is_read_again_on_sighup(self):
        self.grant("first")
        self.write("first")
        with harness.Daemon(settings=self.settings) as daemon:
            wait_for_state(daemon, "ok")
            self.grant("second")
            self.engine.must("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            wait_for_state(daemon, "down")
            self.assertIn("the user or the password is wrong", concur(daemon, "fleet", "check").stdout)
            self.write("second")
            daemon.reload(self.settings)
            wait_for_state(daemon, "ok")

    def test_what_stays_until_the_next_start_is_said(self):
        self.grant("first")
        self.write("first")
        with harness.Daemon(settings=self.settings) as daemon:
            daemon.reload({**self.settings, "fleet-ack": "primary"})
            self.assertIn("fleet-ack stays replica until the next start, which will set it to primary", daemon.log_text())


class Certificates(unittest.TestCase):
    """A box whose engine stands behind TLS; what it believes is rotated while it runs."""

    def setUp(self):
        self.authority = certificates.Authority()
        self.trusted = harness.private_folder() / "trusted.pem"
        shutil.copy(self.authority.certificate, self.trusted)
        port = engine_server.free_port()
        certificate, key = self.authority.sign("first")
        self.engine = self.enterContext(EngineServer(tls_port=port, tls_cert_file=certificate, tls_key_file=key,
                                                     tls_ca_cert_file=self.authority.certificate, tls_auth_clients="no"))
        self.settings = {"fleet": f"valkeys://127.0.0.1:{port}", "fleet-ca-file": str(self.trusted), "fleet-timeout": "1s"}
        self.daemon = self.enterContext(harness.Daemon(settings=self.settings))
        wait_for_state(self.daemon, "ok")
        self.connection = self.enterContext(self.daemon.connect())

    def serve_as(self, certificate, key):
        """From its next connections on, which are made at once."""
        self.engine.must("CONFIG", "SET", "tls-cert-file", str(certificate), "tls-key-file", str(key))
        self.engine.must("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def start(self, session):
        answer = self.connection.start("viewer", session)
        self.assertEqual(answer.status, 201, answer)
        return answer.json().get("degraded", False)

    def trouble(self):
        return self.connection.get("/v1/fleet").json()["primaries"][0].get("trouble", "")

    def test_one_that_has_run_out_is_as_an_engine_that_is_away_until_it_is_renewed(self):
        self.assertFalse(self.start("s0"))
        self.serve_as(*self.authority.sign("expired", days=-1))
        wait_for_state(self.daemon, "down")
        self.assertTrue(self.start("s1"))
        beat = self.connection.heartbeat("viewer", "s0")
        self.assertEqual((beat.status, beat.json()["degraded"]), (200, True))
        self.assertIn("certificate has expired", self.trouble())
        self.serve_as(*self.authority.sign("renewed"))
        wait_for_state(self.daemon, "ok")
        self.assertFalse(self.start("s2"))
        harness.wait_until(lambda: len(self.connection.list("viewer").json()["sessions"]) == 3, "nobody was lost")

    def test_of_another_authority_once_it_is_trusted(self):
        self.assertFalse(self.start("s0"))
        other = certificates.Authority()
        self.serve_as(*other.sign("other"))
        wait_for_state(self.daemon, "down")
        self.assertTrue(self.start("s1"))
        self.assertIn("its certificate is not accepted", self.trouble())
        shutil.copy(other.certificate, self.trusted)
        self.daemon.reload(self.settings)
        wait_for_state(self.daemon, "ok")
        self.assertFalse(self.start("s2"))

    def test_a_file_that_is_none_leaves_what_was(self):
        self.trusted.write_text("no certificate\n")
        self.daemon.reload(self.settings)
        harness.wait_until(lambda: "the old certificates stay" in self.daemon.log_text(), "the log says so")
        self.engine.must("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_for_state(self.daemon, "ok")
        self.assertFalse(self.start("s0"))


if __name__ == "__main__":
    unittest.main()
