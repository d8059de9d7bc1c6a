"""The examples that follow media servers and stop streams there, against a stand-in that speaks their control interfaces; the
servers themselves are not run."""

import http.server
import json
import subprocess
import threading
import time
import unittest
import urllib.parse

import harness

EXAMPLES = harness.REPOSITORY / "packaging" / "examples"
MINUTE = 60 * harness.SECOND


class MediaServer(http.server.ThreadingHTTPServer):
    """`playing` has the ids that its lists show; `asked` what else it was asked."""

    daemon_threads = True

    def __init__(self):
        self.playing, self.asked, self.fails, self.gone = [], [], False, False
        super().__init__(("127.0.0.1", 0), Control)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Control(http.server.BaseHTTPRequestHandler):
    def answer(self):
        path, _, query = self.path.partition("?")
        server, body = self.server, None
        if server.fails:
            return self.send_error(500)
        if self.command == "GET" and path == "/api/v1/clients/":  # SRS, srs_app_http_api.cpp
            body = {"code": 0, "server": "vid-1", "clients": [
                {"id": each, "vhost": "vid-2", "stream": "vid-3", "ip": "192.0.2.1", "url": "/live/tv1", "type": "fmt-play"}
                for each in server.playing]}
        elif self.command == "GET" and path.endswith("/list"):  # MediaMTX, internal/api
            ids = [each for each in server.playing if path == "/v3/hlssessions/list"]
            body = {"itemCount": len(ids), "pageCount": 1, "items": [{"id": each, "path": "live/tv1"} for each in ids]}
        else:
            server.asked.append((self.command, path, dict(urllib.parse.parse_qsl(query))))
            if server.gone or path.startswith("/v3/") and not path.startswith("/v3/hlssessions/"):
                return self.send_error(404)
        data = json.dumps(body or {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        return self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *words):
        pass


@harness.needs("curl")
@harness.needs("jq")
class Followers(unittest.TestCase):
    def setUp(self):
        self.folder = harness.private_folder()
        self.clock = harness.TestClock(self.folder, wall=int(time.time() * 1000))
        self.daemon = self.enterContext(harness.Daemon("--limit", "0", clock=self.clock, folder=self.folder))
        self.connection = self.enterContext(self.daemon.connect())
        self.server = MediaServer()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.environment = harness.clean_environment(CONCUR_SOCKET=str(self.daemon.socket), FOLLOW_ONCE="1", LC_ALL="C.UTF-8")
        self.environment["PATH"] = f"{harness.BIN_DIR}:{self.environment['PATH']}"

    def follow(self, *words):
        done = subprocess.run([str(EXAMPLES / words[0]), self.server.url, *words[1:]], env=self.environment, capture_output=True,
                              text=True, check=False, timeout=harness.seconds(60))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def left(self):
        """How long each session still counts, in minutes."""
        with self.daemon.connect() as connection:
            return {each["session"]: (harness.milliseconds(each["expiresAt"]) - self.clock.wall) // MINUTE
                    for each in connection.get("/v1/sessions").json()["sessions"]}

    def plays(self, dialect, body, tag="e1"):
        answer = self.connection.ask(harness.request("POST", f"/v1/hooks/{dialect}?user=param:user&tag={tag}", body))
        self.assertIn(answer.status, (200, 204))

    def test_who_plays_on_srs_is_renewed_and_nobody_else(self):
        for client in ("c1", "c2"):
            self.plays("srs", {"action": "on_play", "client_id": client, "param": "?user=abc"})
        self.plays("srs", {"action": "on_play", "client_id": "c1", "param": "?user=abc"}, tag="other")
        self.clock.advance(9 * MINUTE)
        self.server.playing = ["c1", "stranger"]
        self.assertEqual(self.follow("follow-srs", "e1"), "")
        self.assertEqual(self.left(), {"e1-c1": 10, "e1-c2": 1, "other-c1": 1})
        self.clock.advance(2 * MINUTE)
        self.assertEqual(self.left(), {"e1-c1": 8})

    def test_a_server_that_does_not_answer_ends_nobody(self):
        self.plays("srs", {"action": "on_play", "client_id": "c1", "param": "?user=abc"})
        self.plays("mediamtx", {"action": "read", "id": "m1", "query": "user=abc"})
        self.clock.advance(2 * MINUTE)
        self.server.fails = True
        self.assertIn("follow-srs: cannot renew who plays", self.follow("follow-srs", "e1"))
        self.assertIn("follow-mediamtx: cannot renew who reads", self.follow("follow-mediamtx", "e1"))
        self.assertEqual(self.left(), {"e1-c1": 8, "e1-m1": 8})

    def test_who_reads_mediamtx_is_renewed_and_who_left_ends(self):
        for reader in ("m1", "m2"):
            self.plays("mediamtx", {"action": "read", "id": reader, "query": "user=abc"})
        self.plays("mediamtx", {"action": "read", "id": "m3", "query": "user=abc"}, tag="other")
        self.clock.advance(2 * MINUTE)
        self.plays("mediamtx", {"action": "read", "id": "m4", "query": "user=abc"})  # just now: not in its list yet
        self.clock.set(self.clock.boot, int(time.time() * 1000))
        self.server.playing = ["m1"]
        self.assertEqual(self.follow("follow-mediamtx", "e1"), "")
        left = self.left()
        self.assertEqual(left.pop("e1-m1"), 10)
        self.assertEqual(set(left), {"other-m3", "e1-m4"})

    def kicked(self, server, api, session, wanted):
        """What the media server is asked once that session is evicted."""
        command = f"concur watch | {EXAMPLES / 'kick-evicted'} {server} '{api}' e1"
        with open(self.folder / "kicks", "w") as log:
            kicking = subprocess.Popen(["bash", "-c", command], env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, preexec_fn=harness._die_with_parent)
        self.addCleanup(kicking.wait)
        self.addCleanup(kicking.kill)

        def is_asked():
            for name in (session, "other-x"):
                self.connection.start("abc", name)
            self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
            return wanted in self.server.asked

        harness.wait_until(is_asked, f"{server} is asked: {self.server.asked}", pause=0.2)
        self.daemon.stop()
        kicking.wait(harness.seconds(20))
        self.daemon.start()
        self.assertNotIn("x", [path.rpartition("/")[2] for _, path, _ in self.server.asked])

    def test_an_evicted_one_is_stopped_on_srs(self):
        self.kicked("srs", self.server.url, "e1-c1", ("DELETE", "/api/v1/clients/c1", {}))

    def test_an_evicted_one_is_stopped_on_mediamtx(self):
        self.kicked("mediamtx", self.server.url, "e1-m1", ("POST", "/v3/hlssessions/kick/m1", {}))

    def test_an_evicted_one_is_stopped_on_nginx_rtmp(self):
        self.kicked("nginx-rtmp", f"{self.server.url}/control?app=live", "e1-17-tv-1",
                    ("GET", "/control/drop/client", {"app": "live", "name": "tv-1", "clientid": "17"}))


if __name__ == "__main__":
    unittest.main()
