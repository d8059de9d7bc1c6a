"""/openapi.json: that it is valid, that clients can be made of it, and that each answer is as it says. The tools are npm's, as
tests/openapi/package-lock.json has them; what the table of routes has and the document must name is a unit's."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

import answers
import doors
import harness
import streams

TOOLS = harness.REPOSITORY / "tests" / "openapi"
DOCUMENT = harness.REPOSITORY / "core" / "api" / "openapi.json"
MODULES = TOOLS / "node_modules"
WANTS_NODE = (20, 19)  # as @redocly/cli does


def node_version():
    if not shutil.which("node"):
        return None
    text = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=harness.seconds(20)).stdout
    return tuple(int(part) for part in text.strip().lstrip("v").split(".")[:2])


def needs_tools(lowest=(18, 0)):
    version = node_version()
    if version is None or not (MODULES / ".package-lock.json").exists():
        return unittest.skip("the tools of tests/openapi are not installed: packaging/install-build-needs --with-clients")
    wanted = ".".join(map(str, lowest))
    return unittest.skipIf(version < lowest, f"it takes Node.js {wanted}, and this is {'.'.join(map(str, version))}")


def run(*command, **more):
    environment = harness.clean_environment(REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true", NO_COLOR="1", CI="1")
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, env=environment,
                          timeout=harness.seconds(100), **more)


# What they were answered a proxy may have said by itself.
BEHIND_PROXIES = ("test_proxies", "test_proxy_examples")


class Document(unittest.TestCase):
    def test_it_is_served_to_the_byte_with_a_tag(self):
        with harness.Daemon() as daemon, daemon.connect() as connection:
            answer = connection.get("/openapi.json")
            self.assertEqual((answer.status, answer.body), (200, DOCUMENT.read_bytes()))
            tag = answer.header("ETag")
            self.assertRegex(tag, '^"[0-9a-f]{32}"$')
            again = connection.ask(harness.request("GET", "/openapi.json", headers=[f"If-None-Match: {tag}"]))
            self.assertEqual((again.status, again.body, again.header("ETag")), (304, b"", tag))
            other = connection.ask(harness.request("GET", "/openapi.json", headers=['If-None-Match: "x"']))
            self.assertEqual(other.status, 200)

    def test_it_takes_no_key(self):
        folder = harness.private_folder()
        keys = doors.Keys(folder)
        with harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(keys.path), folder=folder) as daemon:
            for headers in ({}, {"x-api-key": keys.of["metrics"]}, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}):
                connection = doors.http.client.HTTPConnection("127.0.0.1", doors.tcp_port(daemon), timeout=harness.seconds(20))
                self.assertEqual(doors.ask(connection, "GET", "/openapi.json", headers=headers)[0], 200)
                connection.close()

    @needs_tools(WANTS_NODE)
    def test_redocly_finds_nothing(self):
        done = run(MODULES / ".bin" / "redocly", "lint", "--config", TOOLS / "redocly.yaml", "--format", "json", DOCUMENT)
        found = json.loads(done.stdout[done.stdout.index("{"):done.stdout.rindex("}") + 1])
        self.assertEqual((done.returncode, found["problems"]), (0, []), done.stderr)

    @needs_tools()
    def test_a_client_in_typescript_compiles(self):
        folder = harness.private_folder()
        shutil.copy(TOOLS / "client.ts", folder)
        done = run(MODULES / ".bin" / "openapi-typescript", DOCUMENT, "--output", folder / "api.d.ts")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = run(MODULES / ".bin" / "tsc", "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext",
                   "--moduleResolution", "nodenext", folder / "client.ts")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


@needs_tools()
class Answers(unittest.TestCase):
    # What no daemon alone and no call in the usual method answers.
    UNSEEN = {"get /v1/hooks/{dialect} 204", "get /v1/hooks/{dialect} 503", "get /v1/hooks/{dialect} 401",
              "get /v1/hooks/{dialect} 403", "get /v1/fleet 200", "get /v1/fleet/check 200"}

    def validate(self, *files):
        done = run("node", TOOLS / "validate.mjs", DOCUMENT, *files)
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 0, "\n".join(lines[:60]) + done.stderr)
        return json.loads(lines[-1])

    def test_of_each_operation_are_as_it_says(self):
        folder = harness.private_folder()
        kept, answers.FOLDER = answers.FOLDER, str(folder)
        answers._file, file = None, answers._file
        self.addCleanup(setattr, answers, "FOLDER", kept)
        self.addCleanup(setattr, answers, "_file", file)
        self.addCleanup(lambda: answers._file.close())
        with harness.Daemon("--start-rate", "20") as daemon, daemon.connect() as connection:
            self.play(connection)
            with daemon.connect() as watcher:
                watcher.send(harness.request("GET", "/v1/events?since=0&renewed=true"))
                stream = streams.ChunkedAnswer(watcher)
                lines = stream.raw_lines(30)
        answers.keep(b"GET /v1/events HTTP/1.1\r\n", 200, lambda: "application/x-ndjson", b"\n".join(lines))
        seen = self.validate(*folder.glob("*.ndjson"))
        self.assertEqual(set(seen["unseen"]) - self.UNSEEN, set())

    def play(self, connection):
        """Each operation, and each answer that it has of its own."""
        def ask(method, target, body=None, headers=()):
            return connection.ask(harness.request(method, target, body, headers))

        details = {"device": "d1", "ip": "192.0.2.1", "content": "film", "meta": {"type": "tv", "n": 1, "b": True}}
        connection.start("abc", "s1", details)
        connection.start("abc", "s1")
        for session in ("s2", "s3", "s4"):
            connection.start("abc", session)
        connection.start("abc", "s4", {"wait": 0.01})
        connection.start("abc", "s5", {"onLimit": "evict-oldest", "device": "d5"})
        connection.start("abc", "s6", {"device": "d1", "onLimit": "evict-oldest"})
        connection.heartbeat("abc", "s2")
        for session in ("s1", "nobody"):
            connection.heartbeat("abc", session)
            connection.end("abc", session)
        connection.end("abc", "s2")
        ask("POST", harness.session_path("abc", "s3") + "/end", b"any")
        for target in ("/v1/users/abc/sessions?limit=1", "/v1/users/abc/sessions", "/v1/sessions", "/v1/sessions?limit=1",
                       "/v1/limits", "/v1/plans", "/v1/status", "/healthz", "/metrics", "/openapi.json", "/v1/report",
                       "/v1/report?whatIfLimit=2", "/v1/report?user=abc", "/v1/history", "/v1/settings", "/", "/page/main.js",
                       "/page/page.css"):
            ask("GET", target)
        for target in ("/", "/page/main.js"):
            ask("GET", target, headers=[f"If-None-Match: {ask('GET', target).header('ETag')}"])
        tag = ask("GET", "/openapi.json").header("ETag")
        ask("POST", "/v1/backup")
        ask("GET", "/openapi.json", headers=[f"If-None-Match: {tag}"])
        connection.plan("gold", {"limit": 1, "onLimit": "deny"})
        connection.limit("abc", {"plan": "gold"})
        connection.limit("abc", {"limit": 1, "onLimit": None})
        for target in ("/v1/users/abc/limit", "/v1/limits", "/v1/plans/gold", "/v1/plans", "/v1/plans/none"):
            ask("GET", target)
        ask("POST", "/v1/users/abc/explain", {"session": "s9", "device": "d1"})
        ask("PUT", "/v1/users/zed/block", {"for": "1h", "message": "Not today."})
        connection.start("zed", "z1")
        ask("GET", "/v1/users/zed/block")
        ask("GET", "/v1/blocks")
        ask("DELETE", "/v1/users/zed/block")
        ask("DELETE", "/v1/plans/gold?force=true")
        ask("DELETE", "/v1/users/abc/limit")
        lines = "\n".join(json.dumps({"command": command, "user": "abc", "session": session})
                          for command in ("start", "heartbeat", "end") for session in ("b1", "b2", "s1"))
        ask("POST", "/v1/batch", lines.encode())
        ask("POST", "/v1/purge", {"user": "abc", "dryRun": True})
        ask("POST", "/v1/purge", {"user": "abc"})
        ask("POST", "/v1/purge", {})
        for number in range(4):
            for target in ("/v1/authorize", "/v1/authorize/live/x.ts"):
                ask("GET", target, headers=["X-Concur-User: eve", f"X-Concur-Session: e{number}"])
        ask("GET", "/v1/authorize")
        ask("GET", "/v1/authorize/")
        ask("GET", "/v1/authorize", headers=["X-Concur-User: eve"])
        ask("OPTIONS", "/v1/authorize/x")
        for number in range(4):
            ask("POST", "/v1/hooks/srs", {"action": "on_play", "client_id": str(number), "param": "?user=tom"})
        ask("POST", "/v1/hooks/srs", {"action": "on_play", "client_id": "9"})
        ask("POST", "/v1/hooks/srs?user=x", {"action": "on_play", "client_id": "9"})
        ask("POST", "/v1/hooks/mediamtx?user=param:user", {"action": "read", "id": "1", "query": "user=ann"})
        ask("GET", "/v1/hooks/flussonic?user=field:token&name=a&request_type=new_session&session_id=1&token=ann")
        for what in ("start", "end"):
            for number in range(4):
                connection.ask(harness.first_service_request(f"{what}Session", "ida", f"f{number}"))
            connection.ask(harness.first_service_request(f"{what}Session", "ida", ""))
        for number in range(25):
            connection.start("busy", f"n{number}", {"limit": 0})

    @unittest.skipUnless(answers.FOLDER, "CONCUR_TEST_ANSWERS is not set")
    def test_of_all_tests_before_this_one_are_as_it_says(self):
        built = harness.DAEMON.stat().st_mtime  # what an older one answered says nothing
        files = sorted(path for path in pathlib.Path(answers.FOLDER).glob("*.ndjson")
                       if path.stat().st_mtime > built and path.stem not in BEHIND_PROXIES)
        seen = self.validate(*files)
        print(f"{seen['answers']} answers of {len(files)} tests")


if __name__ == "__main__":
    unittest.main()
