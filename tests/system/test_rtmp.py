"""nginx with its RTMP module: ffmpeg publishes and plays, and the limiter is asked by the hook nginx-rtmp."""

import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import harness
from test_proxies import accepts, free_port

MODULES = [pathlib.Path(folder) / "ngx_rtmp_module.so" for folder in ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")]
EXAMPLES = harness.REPOSITORY / "packaging" / "examples"


def module():
    return next((path for path in MODULES if path.exists()), None)


class Rtmp(unittest.TestCase):
    UPDATE = "500ms"

    def setUp(self):
        self.folder = harness.private_folder()
        os.chmod(self.folder, 0o755)
        hooks, self.port, self.control = free_port(), free_port(), free_port()
        self.daemon = self.enterContext(harness.Daemon("--listen", f"127.0.0.1:{hooks}", folder=self.folder))
        self.connection = self.enterContext(self.daemon.connect())
        url = f"http://127.0.0.1:{hooks}/v1/hooks/nginx-rtmp?user=param:user&tag=e1"
        (self.folder / "nginx.conf").write_text(f"""
load_module {module()};
daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log notice;
events {{}}
rtmp {{
  server {{
    listen 127.0.0.1:{self.port};
    notify_update_timeout {self.UPDATE};
    application live {{
      live on;
      on_play {url};
      on_update {url};
      on_play_done {url};
    }}
  }}
}}
http {{
  access_log off;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{ listen 127.0.0.1:{self.control}; location /control {{ rtmp_control all; }} }}
}}
""")
        self.run_program(["nginx", "-e", str(self.folder / "nginx.log"), "-c", str(self.folder / "nginx.conf"), "-p",
                          str(self.folder)])
        harness.wait_until(lambda: accepts(self.port), "nginx listens")
        self.run_program(["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10", "-c:v", "flv",
                          "-g", "5", "-f", "flv", self.stream("")])

    def stream(self, arguments):
        return f"rtmp://127.0.0.1:{self.port}/live/tv{arguments}"

    def run_program(self, words):
        with open(self.folder / "programs.log", "ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=harness.clean_environment(),
                                       preexec_fn=harness._die_with_parent)

        def end():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(harness.seconds(20))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self.addCleanup(end)
        return process

    def play(self, user="abc"):
        return self.run_program(["ffmpeg", "-v", "error", "-i", self.stream(f"?user={user}"), "-f", "null", "-"])

    def sessions(self, user="abc"):
        return [each["session"] for each in self.connection.list(user).json()["sessions"]]

    def count(self, wanted, user="abc"):
        harness.wait_until(lambda: len(self.sessions(user)) == wanted, f"{wanted} play: {self.log()}", within=30)

    def log(self):
        return (self.folder / "nginx.log").read_text()[-1500:]

    def three(self):
        """Their processes, in the order of their sessions."""
        players = []
        for number in (1, 2, 3):
            players.append(self.play())
            self.count(number)
        return players

    def seen(self):
        return [each["lastSeenAt"] for each in self.connection.list("abc").json()["sessions"]]


needs_programs = unittest.skipUnless(
    module() and shutil.which("nginx") and shutil.which("ffmpeg"),
    "nginx with its RTMP module, or ffmpeg, is not installed: packaging/install-build-needs --with-clients")


@needs_programs
class Hooks(Rtmp):
    def test_three_play_a_fourth_does_not_and_who_ends_makes_room(self):
        players = self.three()
        self.assertRegex(self.sessions()[0], r"^e1-\d+-tv$")
        fourth = self.play()
        fourth.wait(harness.seconds(30))
        self.assertEqual(len(self.sessions()), 3)
        players[1].send_signal(signal.SIGTERM)
        self.count(2)
        players.append(self.play())
        self.count(3)
        # They are renewed while they play: each update is a sign of life.
        seen = self.seen()
        harness.wait_until(lambda: all(after > before for before, after in zip(seen, self.seen())), "they are renewed")
        self.assertEqual([player.poll() for player in (players[0], players[2], players[3])], [None] * 3)
        self.assertEqual(self.connection.get("/v1/status").json()["sessions"], 3, "who publishes is not counted")

    def test_an_evicted_one_and_a_purged_one_are_cut_at_their_next_update(self):
        players = self.three()
        evicted = self.connection.start("abc", "other", {"onLimit": "evict-oldest"}).json()["evicted"]
        self.assertEqual(len(evicted), 1)
        harness.wait_until(lambda: players[0].poll() is not None, f"the evicted one is cut: {self.log()}")
        self.assertEqual([player.poll() for player in players[1:]], [None, None])
        self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        for player in players[1:]:
            harness.wait_until(lambda player=player: player.poll() is not None, "the purged ones are cut")
        self.count(0)


@needs_programs
@harness.needs("curl")
@harness.needs("jq")
class Kicks(Rtmp):
    UPDATE = "1h"  # which would cut it too

    def test_kick_evicted_cuts_at_once(self):
        environment = harness.clean_environment(CONCUR_SOCKET=str(self.daemon.socket))
        control = f"http://127.0.0.1:{self.control}/control?app=live"
        with open(self.folder / "kick.log", "wb") as log:
            watching = subprocess.Popen(
                [str(harness.CONCUR), "watch", "--events", "purged", "--state", str(self.folder / "state"), "--exec",
                 f"tee -a {self.folder}/kicked | {EXAMPLES}/kick-evicted nginx-rtmp '{control}' e1"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=environment, preexec_fn=harness._die_with_parent)
        self.addCleanup(watching.wait)
        self.addCleanup(watching.terminate)
        harness.wait_until((self.folder / "state").exists, "it watches")
        player = self.play()
        self.count(1)
        self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        player.wait(harness.seconds(20))
        harness.wait_until(lambda: b'"purged"' in (self.folder / "kicked").read_bytes(), "it was told to the command")
        self.assertEqual((self.folder / "kick.log").read_bytes(), b"")


if __name__ == "__main__":
    unittest.main()
