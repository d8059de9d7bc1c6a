"""The examples of concur watch --exec: web hooks, whose signatures the package standardwebhooks checks, mail, the stopping of
streams, and the unit that runs one as a service."""

import base64
import json
import os
import re
import shutil
import subprocess
import unittest

import harness
import web_tools
from test_followers import MediaServer

EXAMPLES = harness.REPOSITORY / "packaging" / "examples"
UNIT = harness.REPOSITORY / "packaging" / "systemd" / "concur-watch@.service.in"


class Watching(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon("--limit", "1"))
        self.folder = self.daemon.folder
        self.connection = self.enterContext(self.daemon.connect())
        self.environment = harness.clean_environment(CONCUR_SOCKET=str(self.daemon.socket), LC_ALL="C.UTF-8", DIR=str(self.folder))
        self.environment["PATH"] = f"{EXAMPLES}:{EXAMPLES / 'watch'}:{harness.BIN_DIR}:{self.environment['PATH']}"

    def watch(self, command, *words):
        """concur watch --exec, once its state says that it is there."""
        state = self.folder / "state"
        with open(self.folder / "watch.log", "w") as log:
            process = subprocess.Popen([str(harness.CONCUR), "watch", "--exec", command, "--state", str(state), *words],
                                       env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       preexec_fn=harness._die_with_parent)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        harness.wait_until(state.exists, "it watches")

    def said(self):
        return (self.folder / "watch.log").read_text()

    def done(self):
        return json.loads((self.folder / "state").read_text())["seq"]

    def is_done_to(self, seq):
        harness.wait_until(lambda: self.done() == seq, f"event {seq} is done: {self.said()}")

    def denied(self, user="abc"):
        """Two events: a start and a denial."""
        self.connection.start(user, "s1")
        self.assertEqual(self.connection.start(user, "s2", {"device": "tv", "ip": "192.0.2.7"}).status, 409)


@harness.needs("curl")
@harness.needs("jq")
@harness.needs("openssl")
@web_tools.needs_tools()
class Webhook(Watching):
    def receiver(self, secret, *statuses):
        """The receiver's URL; what it got comes by `got`."""
        process = subprocess.Popen(["node", str(web_tools.TOOLS / "receiver.mjs"), secret, *statuses], stdout=subprocess.PIPE,
                                   text=True, env=harness.clean_environment(), stdin=subprocess.DEVNULL,
                                   preexec_fn=harness._die_with_parent)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.lines = process.stdout
        return f"http://127.0.0.1:{int(self.lines.readline())}/hook"

    def got(self):
        return json.loads(self.lines.readline())

    def send_to(self, url, secret, *words):
        (self.folder / "secret").write_text(secret + "\n")
        self.watch(f"webhook {url} {self.folder}/secret", *words)

    def test_what_is_sent_is_signed_and_sent_again_under_the_same_id_until_it_is_taken(self):
        # The least, one in between whose base64 has padding, the most.
        for length, refusals in ((24, ()), (33, ("500", "302")), (64, ())):
            with self.subTest(length=length):
                (self.folder / "state").unlink(missing_ok=True)
                secret = "whsec_" + base64.b64encode(os.urandom(length)).decode()
                self.send_to(self.receiver(secret, *refusals), secret, "--events", "denied")
                boot, seq = (self.connection.get("/v1/status").json()["events"][name] for name in ("boot", "seq"))
                user = f"ü\"'\\ {length}"
                self.denied(user)
                sent = [self.got() for _ in range(1 + len(refusals))]
                self.assertEqual({each["id"] for each in sent}, {f"msg_{boot}_{seq + 2}"})
                for each in sent:
                    self.assertEqual((each["type"], each["verified"].get("type")), ("application/json", "session.denied"), each)
                    data = each["verified"]["data"]
                    self.assertEqual((data["user"], data["session"], data["ip"]), (user, "s2", "192.0.2.7"))
                    self.assertEqual(each["verified"]["timestamp"], data["at"])
                self.is_done_to(seq + 2)
                for status in refusals:
                    self.assertIn(f"answered {status}", self.said())

    def test_a_receiver_that_is_gone_for_good_is_left_in_peace_and_a_secret_that_is_none_is_said(self):
        secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
        self.send_to(self.receiver(secret, "410"), secret, "--events", "denied")
        self.denied()
        self.assertEqual(self.got()["verified"]["type"], "session.denied")
        self.is_done_to(2)
        self.assertIn("takes nothing any more (410)", self.said())
        (self.folder / "secret").write_text("whsec_c2hvcnQ=\n")
        done = subprocess.run(["webhook", "http://127.0.0.1:1/", str(self.folder / "secret")], input=b"{}", env=self.environment,
                              capture_output=True, check=False, timeout=harness.seconds(20))
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"has no secret: whsec_", done.stderr)

    def test_the_secret_is_in_no_command_line(self):
        """strace is not needed: a stand-in for each program that it runs writes down how it was called."""
        key = bytes(range(100, 132))
        (self.folder / "secret").write_text("whsec_" + base64.b64encode(key).decode())
        tools = self.folder / "tools"
        tools.mkdir()
        for name in ("openssl", "curl", "jq", "od", "cat", "date"):
            (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >>"$DIR/called"\nexec {shutil.which(name)} "$@"\n')
            (tools / name).chmod(0o755)
        self.environment["PATH"] = f"{tools}:{self.environment['PATH']}"
        event = json.dumps({"boot": "b", "seq": 1, "at": "2026-11-23T16:00:00.000Z", "event": "denied"}).encode()
        subprocess.run(["webhook", "http://127.0.0.1:1/", str(self.folder / "secret")], input=event, env=self.environment,
                       capture_output=True, check=False, timeout=harness.seconds(20))
        called = (self.folder / "called").read_text()
        self.assertIn("curl ", called)
        for form in (base64.b64encode(key).decode(), key.hex(), " ".join(f"{byte:02x}" for byte in key)):
            self.assertNotIn(form, called)


@harness.needs("jq")
class Mail(Watching):
    def test_a_denial_is_mailed_once_a_day_for_each_user(self):
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "mail").write_text('#!/bin/sh\n{ printf "%s|" "$@"; cat; } >>"$DIR/mailed"\n')
        (tools / "mail").chmod(0o755)
        self.environment["PATH"] = f"{tools}:{self.environment['PATH']}"
        self.watch("mail-denied support@example.com", "--events", "denied", "--at-most", "1/1d")
        self.denied("abc")
        self.denied("abc")
        self.denied("-x")
        self.is_done_to(self.connection.get("/v1/status").json()["events"]["seq"])
        mailed = (self.folder / "mailed").read_text()
        self.assertEqual(re.findall(r"-s\|(\S+) was refused on .*?\|--\|support@example.com\|", mailed), ["abc", "-x"])
        self.assertIn("Session s2, device tv, address 192.0.2.7, content unknown.", mailed)


@harness.needs("curl")
@harness.needs("jq")
class Kick(Watching):
    def test_an_evicted_stream_is_stopped_once_the_media_server_can_be_asked_and_one_that_is_gone_holds_nobody_up(self):
        server = MediaServer()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.watch(f"kick-evicted srs {server.url} e1", "--events", "evicted,purged")
        server.fails = True
        self.connection.start("abc", "e1-c1")
        self.connection.start("abc", "e1-c2", {"onLimit": "evict-oldest"})
        harness.wait_until(lambda: "trying again" in self.said(), "it fails")
        self.assertIn("kick-evicted: cannot stop c1", self.said())
        self.assertEqual(server.asked, [])
        server.fails = False
        harness.wait_until(lambda: server.asked == [("DELETE", "/api/v1/clients/c1", {})], "it is stopped")
        server.gone = True
        self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        self.is_done_to(self.connection.get("/v1/status").json()["events"]["seq"])


class Unit(unittest.TestCase):
    @harness.needs("systemd-analyze")
    def test_is_as_systemd_wants_it(self):
        folder = harness.private_folder()
        text = UNIT.read_text().replace("@CMAKE_INSTALL_FULL_BINDIR@/concur", str(harness.CONCUR)).replace(
            "@CMAKE_INSTALL_FULL_SYSCONFDIR@", "/etc")
        self.assertNotIn("@C", text)
        path = folder / "concur-watch@hook.service"
        path.write_text(text)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False,
                              timeout=harness.seconds(60))
        about = [line for line in done.stderr.splitlines() if "concur-watch" in line]
        self.assertEqual((done.returncode, about), (0, []), done.stderr)

    def test_the_command_is_one_word_and_the_options_are_several(self):
        line = re.search("^ExecStart=(.*)$", UNIT.read_text(), re.M)[1]
        self.assertRegex(line, r"--exec \$\{COMMAND\} --state \S+ \$OPTIONS$")


if __name__ == "__main__":
    unittest.main()
