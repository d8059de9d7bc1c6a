"""HLS that ffmpeg made, through nginx with our examples: who plays over many leases, who does not, and what hls.js in Chromium
makes of it."""

import contextlib
import functools
import http.client
import json
import os
import signal
import subprocess
import unittest

import harness
import web_tools
from test_proxies import accepts, free_port

EXAMPLES = harness.REPOSITORY / "packaging" / "examples" / "nginx"
SOCKET = "/run/concurrencyd/concurrencyd.sock"
LEASE = 90 * harness.SECOND
SEGMENT = 2 * harness.SECOND  # as the clock goes; the stream itself is shorter


@functools.cache
def stream():
    """A folder with a film of 20 segments, of half a second each, and their names."""
    folder = harness.private_folder() / "hls"
    os.chmod(folder.parent, 0o755)
    folder.mkdir()
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10", "-t", "10", "-c:v", "libx264", "-preset",
         "ultrafast", "-pix_fmt", "yuv420p", "-g", "5", "-f", "hls", "-hls_time", "0.5", "-hls_list_size", "0",
         "-hls_playlist_type", "vod", "film.m3u8"],
        cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=harness.seconds(60))
    assert done.returncode == 0, done.stderr
    return folder, [line for line in (folder / "film.m3u8").read_text().splitlines() if line.endswith(".ts")]


class Viewer:
    """Fetches the playlist, and then segment after segment, around and around."""

    def __init__(self, port, playback, account="abc"):
        self.port, self.playback, self.segments, self.next = port, playback, [], 0
        self.cookies = f"account={account}; playback={playback}"
        self.headers = None

    def fetch(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.seconds(20))
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Cookie": self.cookies})
            answer = connection.getresponse()
            self.headers = answer.headers
            return answer.status, answer.read()

    def play(self):
        """The status of what it needs next."""
        if not self.segments:
            status, body = self.fetch("/hls/film.m3u8")
            if status != 200:
                return status
            self.segments = [line for line in body.decode().splitlines() if line.endswith(".ts")]
        status, body = self.fetch(f"/hls/{self.segments[self.next % len(self.segments)]}")
        if status == 200:
            assert body[:1] == b"G", "no MPEG-TS"
            self.next += 1
        return status


class Site(unittest.TestCase):
    """nginx with an example, and an origin that serves the stream."""

    FAILS = "closed"
    CLOCK = True

    def setUp(self):
        self.folder = harness.private_folder()
        os.chmod(self.folder, 0o755)
        films, self.segments = stream()
        self.clock = harness.TestClock(self.folder) if self.CLOCK else None
        self.daemon = self.enterContext(harness.Daemon("--socket-mode", "0666", clock=self.clock, folder=self.folder))
        self.port, origin = free_port(), free_port()
        text = (EXAMPLES / f"{self.FAILS}.conf").read_text()
        for shown, here in ((SOCKET, str(self.daemon.socket)), ("127.0.0.1:9000", f"127.0.0.1:{origin}"),
                            ("listen 8080", f"listen 127.0.0.1:{self.port}")):
            self.assertIn(shown, text)
            text = text.replace(shown, here)
        (self.folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;
events {{}}
http {{
  types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  access_log off;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{ listen 127.0.0.1:{origin}; root {films.parent}; }}
  {text}
}}
""")
        with open(self.folder / "nginx.log", "ab") as log:
            nginx = subprocess.Popen(
                ["nginx", "-e", str(self.folder / "nginx.log"), "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=harness._die_with_parent)
        self.addCleanup(nginx.wait)
        self.addCleanup(nginx.send_signal, signal.SIGTERM)
        harness.wait_until(lambda: accepts(self.port), "nginx listens")


class Playing:
    def viewers(self):
        """Three that play and one that does not."""
        viewers = [Viewer(self.port, f"p{number}") for number in range(1, 5)]
        self.assertEqual([viewer.play() for viewer in viewers], [200, 200, 200, 403])
        self.assertEqual(viewers[3].headers["Access-Control-Allow-Origin"], "*")
        return viewers

    def playing(self, viewers, time):
        """They fetch a segment each, time and again, for so long."""
        for _ in range(time // SEGMENT):
            self.clock.advance(SEGMENT)
            self.assertEqual({viewer.play() for viewer in viewers}, {200})

    def test_three_play_for_long_and_the_fourth_once_one_has_been_away_for_a_lease(self):
        *three, fourth = self.viewers()
        self.playing(three, LEASE + 10 * SEGMENT)
        self.assertEqual(fourth.play(), 403)
        self.assertGreater(three[0].next, len(self.segments), "the film has been around")
        self.playing(three[:2], LEASE - SEGMENT)  # the third stopped
        self.assertEqual(fourth.play(), 403)
        self.playing(three[:2], SEGMENT)
        self.assertEqual(fourth.play(), 200)
        self.assertEqual(three[2].play(), 403, "who comes back is the fourth now")
        self.playing([*three[:2], fourth], LEASE)

    def test_who_was_evicted_or_purged_stays_out(self):
        first, second, *_ = self.viewers()
        with self.daemon.connect() as connection:
            self.assertEqual(connection.start("abc", "other", {"onLimit": "evict-oldest"}).json()["evicted"], ["p1"])
        for _ in range(3):
            self.assertEqual((first.play(), second.play()), (403, 200))
        with self.daemon.connect() as connection:
            connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        for _ in range(4):
            self.assertEqual((first.play(), second.play()), (403, 403))
            self.clock.advance(LEASE)
        self.assertEqual(Viewer(self.port, "p9").play(), 200)

    def test_a_daemon_that_is_killed(self):
        *three, fourth = self.viewers()
        self.daemon.kill()
        for viewer in (*three, fourth):
            self.assertEqual(viewer.play(), 200 if self.FAILS == "open" else 500)
        self.daemon.start()
        harness.wait_until(lambda: three[0].play() == 200 and fourth.play() == 403, "nginx finds the daemon again")
        self.assertEqual([viewer.play() for viewer in three], [200, 200, 200])


@harness.needs("nginx")
@harness.needs("ffmpeg")
class Closed(Playing, Site):
    pass


@harness.needs("nginx")
@harness.needs("ffmpeg")
class Open(Playing, Site):
    FAILS = "open"


@harness.needs("nginx")
@harness.needs("ffmpeg")
@web_tools.needs_tools(browser=True)
class HlsJs(Site):
    CLOCK = False

    def test_in_chromium(self):
        done = web_tools.run("hls.mjs", f"http://127.0.0.1:{self.port}", self.daemon.socket)
        checks = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(checks), 5)
        for check in checks:
            with self.subTest(check["name"]):
                self.assertIsNone(check["failure"])


if __name__ == "__main__":
    unittest.main()
