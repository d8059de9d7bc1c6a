"""packaging/player: the module for web pages in Chromium, by way of its back end in Node.js, against the daemon; and its types."""

import json
import subprocess
import unittest

import harness
import web_tools

PLAYER = harness.REPOSITORY / "packaging" / "player"
TSC = harness.REPOSITORY / "tests" / "openapi" / "node_modules" / ".bin" / "tsc"


class Player(unittest.TestCase):
    @web_tools.needs_tools(browser=True)
    def test_in_chromium(self):
        lease = int(harness.seconds(3))  # a browser on a busy machine is late
        with harness.Daemon("--lease", f"{lease}s") as daemon:
            done = web_tools.run("player.mjs", daemon.socket, lease)
        checks = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual((done.returncode, len(checks)), (0, 9), done.stdout + done.stderr)
        for check in checks:
            with self.subTest(check["name"]):
                self.assertIsNone(check["failure"])

    @unittest.skipUnless(TSC.exists(), f"the tools of tests/openapi are not installed: {web_tools.INSTALL}")
    def test_its_types_are_those_that_a_page_in_typescript_needs(self):
        folder = harness.private_folder()
        for name in ("concur-player.js", "concur-player.d.ts"):
            (folder / name).write_bytes((PLAYER / name).read_bytes())

        def compile(text):
            (folder / "page.ts").write_text("import {Playback, type PlaybackState} from './concur-player.js';\n" + text)
            return subprocess.run(
                [str(TSC), "--noEmit", "--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler",
                 "--lib", "es2022,dom", str(folder / "page.ts")], capture_output=True, text=True, check=False,
                timeout=harness.seconds(100))

        done = compile("""
const playback = new Playback({url: '/concur', details: {content: 'film'}});
playback.addEventListener('denied', (event) => console.log(event.detail.status, event.detail.sessions?.length));
playback.addEventListener('gone', (event) => console.log(event.detail.reason));
playback.addEventListener('lapsed', () => playback.stop());
const state: PlaybackState = await playback.start();
console.log(state === 'playing', playback.session?.length);
export {};
""")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotEqual(compile("new Playback({});").returncode, 0)


if __name__ == "__main__":
    unittest.main()
