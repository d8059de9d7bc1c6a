"""Clients as people have them, each by the means it has: one story over the Unix socket and over TCP with a key in either
field, and what each does in its own way. A client that is not installed is skipped and says so; `packaging/install-build-needs
--with-clients` installs them all.

Node's http over the Unix socket is test_node_client; Prometheus test_metrics; nginx and HAProxy test_proxies.
"""

import http.client
import json
import pathlib
import socket
import subprocess
import unittest
from typing import NamedTuple

import doors
import harness
from harness import needs

HERE = pathlib.Path(__file__).parent
USER = "zoë müller"
SESSIONS = f"/v1/users/{harness.segment(USER)}/sessions"
JSON = "application/json"


class Request(NamedTuple):
    method: str
    path: str
    body: str = None
    type: str = JSON


class Told(NamedTuple):
    """What an answer comes to: its status, and how many of the user's sessions are active, or the error."""
    status: int
    said: object = None


def of(session):
    return f"{SESSIONS}/{harness.segment(session)}"


STORY = [
    (Request("GET", "/healthz"), Told(200)),
    (Request("HEAD", "/healthz"), Told(200)),
    (Request("OPTIONS", "/v1/status"), Told(204)),
    (Request("PUT", of("s1")), Told(201, 1)),
    (Request("PUT", of("a/b?c")), Told(201, 2)),
    (Request("PUT", of("s3"), '{"device":null,"ip":"","meta":{"title":"Amélie"}}'), Told(201, 3)),
    (Request("PUT", of("s4"), "{}"), Told(409, "limit_reached")),
    (Request("PUT", of("s1"), "{}"), Told(200, 3)),
    (Request("POST", of("s1") + "/heartbeat"), Told(200, 3)),
    (Request("POST", of("a/b?c") + "/end", "bye", "text/plain;charset=UTF-8"), Told(200, 2)),
    (Request("POST", of("a/b?c") + "/heartbeat"), Told(410, "session_gone")),
    (Request("POST", of("never") + "/heartbeat"), Told(404, "not_found")),
    (Request("PUT", of("s4"), "{"), Told(400, "invalid_request")),
    (Request("GET", "/v1/status?no=such"), Told(400, "invalid_request")),
    (Request("GET", "/nowhere"), Told(404, "not_found")),
    (Request("DELETE", of("s1")), Told(200, 1)),
    (Request("GET", SESSIONS), Told(200, 1)),
    (Request("POST", of("s3") + "/end"), Told(200, 0)),
]


def told(answer):
    if answer["status"] == 204 or not answer["text"] or answer["type"] != JSON:
        return Told(answer["status"])
    body = json.loads(answer["text"])
    return Told(answer["status"], body.get("error", body.get("concurrentSessions")))


def run(*command, given=None, within=60):
    ended = subprocess.run([str(word) for word in command], input=given, stdin=None if given else subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=harness.seconds(within), env=harness.clean_environment())
    if ended.returncode != 0 or ended.stderr:
        raise AssertionError(f"{command[0]} ended with {ended.returncode}: {ended.stderr}{ended.stdout[:1000]}")
    return ended.stdout


class Door(NamedTuple):
    """A way to the daemon."""
    name: str
    base: str
    headers: dict
    socket: str = None
    port: int = None


class Clients(unittest.TestCase):
    def setUp(self):
        self.folder = harness.private_folder()
        keys = doors.Keys(self.folder)
        self.key = keys.of["client"]
        self.daemon = self.enterContext(harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(keys.path),
                                                       folder=self.folder))
        port = doors.tcp_port(self.daemon)
        self.unix = Door("unix", "http://concur", {}, str(self.daemon.socket))
        self.tcp = Door("tcp", f"http://127.0.0.1:{port}", {"x-api-key": self.key}, port=port)
        self.bearer = self.tcp._replace(name="bearer", headers={"Authorization": f"Bearer {self.key}"})

    def plays(self, client, *through):
        """The client has the story's answers, whichever way it comes; in the end nobody watches."""
        for door in through:
            with self.subTest(door=door.name):
                answers = client(door, [request for request, _ in STORY])
                self.assertEqual([told(answer) for answer in answers], [expected for _, expected in STORY])
                watching, = [answer for answer in answers if '"sessions":[{"session":"s3"' in answer["text"] and
                             answer["status"] == 200]
                shown, = json.loads(watching["text"])["sessions"]
                self.assertEqual(shown["meta"], {"title": "Amélie"})

    def run_script(self, command):
        def client(door, requests):
            given = {"base": door.base, "socket": door.socket, "headers": door.headers,
                     "requests": [request._asdict() for request in requests]}
            return json.loads(run(*command, given=json.dumps(given)))
        return client

    def batch_of(self, lines):
        """A file of so many starts, one of each user."""
        text = "".join(json.dumps({"command": "start", "user": f"u{number}", "session": "s", "content": "x" * 200}) + "\n"
                       for number in range(lines))
        path = self.folder / "batch"
        path.write_text(text)
        return path


class PythonHttpClient(Clients):
    def client(self, door, requests):
        connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=harness.seconds(20))
        if door.socket:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(harness.seconds(20))
            connection.sock.connect(door.socket)
        kept, answers = connection.sock, []
        for method, path, body, kind in requests:
            headers = door.headers | ({"Content-Type": kind} if body is not None else {})
            connection.request(method, path, body=body and body.encode(), headers=headers)
            answer = connection.getresponse()
            answers.append({"status": answer.status, "type": answer.headers["content-type"], "text": answer.read().decode()})
            kept = kept or connection.sock
            self.assertIs(connection.sock, kept, "one connection for all")
        connection.close()
        return answers

    def test_the_story_on_one_connection(self):
        self.plays(self.client, self.unix, self.tcp, self.bearer)

    def test_a_body_whose_length_it_does_not_know_comes_in_chunks(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.tcp.port, timeout=harness.seconds(20))
        with open(self.batch_of(3), "rb") as lines:
            connection.request("POST", "/v1/batch", body=iter(lines), headers=self.tcp.headers)
        answer = connection.getresponse()
        self.assertEqual([json.loads(line)["status"] for line in answer.read().splitlines()], [201] * 3)
        connection.close()


@needs("curl")
class Curl(Clients):
    def curl(self, door, *options):
        way = ["--unix-socket", door.socket] if door.socket else []
        headers = [word for name, value in door.headers.items() for word in ("-H", f"{name}: {value}")]
        return run("curl", "-sS", "--max-time", "20", *way, *headers, *options)

    def client(self, door, requests):
        transfers = []
        for number, (method, path, body, kind) in enumerate(requests):
            lines = [f'url = "{door.base}{path}"', f'output = "{self.folder}/{number}"', "silent", "show-error", "max-time = 20",
                     r'write-out = "%{http_code} %{num_connects} %{content_type}\n"']
            lines += ["head"] if method == "HEAD" else [f'request = "{method}"']
            lines += [f'header = "{name}: {value}"' for name, value in door.headers.items()]
            lines += [f'unix-socket = "{door.socket}"'] if door.socket else []
            if body is not None:
                (self.folder / f"{number}.body").write_text(body)
                lines += [f'header = "Content-Type: {kind}"', f'data-binary = "@{self.folder}/{number}.body"']
            transfers.append("\n".join(lines) + "\n")
        answers, opened = [], 0
        for number, line in enumerate(run("curl", "--config", "-", given="next\n".join(transfers)).splitlines()):
            status, connects, kind = (line + " ").split(" ", 2)
            opened += int(connects)
            text = "" if requests[number].method == "HEAD" else (self.folder / str(number)).read_text()
            answers.append({"status": int(status), "type": kind.strip() or None, "text": text})
        self.assertEqual(opened, 1, "one connection for all")
        return answers

    def test_the_story_on_one_connection(self):
        self.plays(self.client, self.unix, self.tcp, self.bearer)

    def test_what_only_looks_finds_the_headers_of_a_get(self):
        for door in (self.unix, self.tcp):
            for path in ("/healthz", "/v1/status", SESSIONS):
                got = self.curl(door, "-I", door.base + path).splitlines()
                self.assertEqual(got[0], "HTTP/1.1 200 OK", path)
                self.assertIn("content-length", {line.partition(":")[0].lower() for line in got})
        got = self.curl(self.unix, "-i", "-X", "OPTIONS", "http://concur" + of("s1"))
        self.assertIn("HTTP/1.1 204 ", got)
        self.assertRegex(got, r"(?m)^Allow: .*PUT.*DELETE|^Allow: .*DELETE.*PUT")
        self.assertIn("HTTP/1.1 204 ", self.curl(self.unix, "-i", "-X", "OPTIONS", "--request-target", "*", "http://concur/"))

    def test_other_versions_of_http(self):
        """One that offers HTTP/2 is answered in HTTP/1.1; HTTP/1.0 has its answer and the end of the connection."""
        for options, version in ((["--http2"], "1.1"), (["--http1.0"], "1.1"), (["--http1.1", "-H", "Connection: close"], "1.1")):
            got = self.curl(self.tcp, *options, "-i", self.tcp.base + "/healthz")
            self.assertRegex(got, rf"^HTTP/{version} 200 ", options)

    def test_large_bodies_that_ask_first_and_bodies_in_chunks(self):
        path = self.batch_of(6000)
        self.assertGreater(path.stat().st_size, 1 << 20, "curl asks (Expect: 100-continue) above a megabyte")
        head = self.folder / "head"
        for door, options in ((self.unix, ["--data-binary", f"@{path}"]), (self.tcp, ["--data-binary", f"@{path}"]),
                              (self.unix, ["-H", "Transfer-Encoding: chunked", "--data-binary", f"@{path}"]),
                              (self.tcp, ["-X", "POST", "-T", path, "-H", "Expect: 100-continue"])):
            with self.subTest(door=door.name, options=options[0]):
                answers = self.curl(door, "-D", head, *options, door.base + "/v1/batch").splitlines()
                statuses = [json.loads(line)["status"] for line in answers]
                self.assertEqual((len(statuses), set(statuses) - {200, 201}), (6000, set()))
                self.assertTrue(head.read_text().startswith("HTTP/1.1 100 Continue"), "it would wait a second for that")

    def test_events_until_it_has_enough(self):
        for door in (self.unix, self.tcp):
            process = subprocess.Popen(
                ["curl", "-sSN", *(["--unix-socket", door.socket] if door.socket else []),
                 *[word for name, value in door.headers.items() for word in ("-H", f"{name}: {value}")],
                 door.base + "/v1/events?user=abc&since=0"], stdout=subprocess.PIPE, env=harness.clean_environment())
            self.addCleanup(process.kill)
            with self.daemon.connect() as connection:
                connection.start("abc", "s1")
            self.assertEqual(json.loads(process.stdout.readline())["event"], "started")
            process.terminate()
            process.wait(harness.seconds(20))
            process.stdout.close()


@needs("node")
class NodeFetch(Clients):
    def test_the_story(self):
        self.plays(self.run_script(["node", HERE / "fetch_client.mjs"]), self.tcp, self.bearer)

    def test_a_batch_and_events_that_flow(self):
        self.assertEqual(run("node", HERE / "fetch_streams.mjs", self.tcp.base, self.key), "all answers right\n")


@needs("php")
class Php(Clients):
    def test_the_story_by_its_streams(self):
        self.plays(self.run_script(["php", HERE / "php_client.php", "streams"]), self.tcp, self.bearer)

    def test_the_story_by_its_curl_on_one_handle(self):
        if "curl" not in run("php", "-m").split():
            self.skipTest("php has no curl: packaging/install-build-needs --with-clients")
        self.plays(self.run_script(["php", HERE / "php_client.php", "curl"]), self.unix, self.tcp, self.bearer)


if __name__ == "__main__":
    unittest.main()
