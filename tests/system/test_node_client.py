"""A Node.js client, as the first service's users have one, plays both stories over the socket (see node_client.js)."""

import pathlib
import subprocess
import unittest

import harness

LEASE = 90 * harness.SECOND


class NodeClient(unittest.TestCase):
    def test_both_stories_to_the_byte_on_one_kept_connection(self):
        node = harness.require_program("node", "nodejs")
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        with harness.Daemon(clock=clock, folder=folder) as daemon:
            script = pathlib.Path(__file__).with_name("node_client.js")
            ended = subprocess.run([node, str(script), str(daemon.socket), str(clock.wall), str(LEASE)],
                                   stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                   timeout=harness.seconds(60), env=harness.clean_environment())
        self.assertEqual((ended.returncode, ended.stdout), (0, "all answers right\n"), ended.stderr)


if __name__ == "__main__":
    unittest.main()
