"""What the operators' page shows of a fleet, in Chromium: its primaries and its boxes, and which of them it misses.

Environment:
  CONCUR_TEST_SHOTS     a folder for pictures
"""

import json
import os
import unittest

import cluster
import harness
import web_tools


def setUpModule():
    cluster.require_server()


class Fleet(unittest.TestCase):
    @web_tools.needs_tools(browser=True)
    def test_primaries_and_boxes(self):
        engine = self.enterContext(cluster.Cluster(replicas=0))
        options = ("--fleet-ack", "primary", "--fleet-timeout", "5s")
        north = self.enterContext(cluster.Box("north", engine.nodes, *options))
        self.enterContext(cluster.Box("south", engine.nodes, *options, settings={"limit": "7"}))
        addresses = sorted(node.address for node in engine.nodes)
        with north.connect() as connection:
            harness.wait_until(lambda: connection.get("/v1/fleet").json()["others"], "north has seen south", within=60)
            shown = self.shown_by(north, "ok")
            self.assertEqual(shown["health"], "✓ all is well")
            self.assertEqual((shown["facts"]["Name"], shown["facts"]["This box"]), ("test", "north"))
            self.assertEqual(sorted(row[:2] for row in shown["primaries"]), [[each, "up"] for each in addresses])
            [box] = shown["boxes"]
            self.assertEqual(box[0], "south")
            self.assertIn("differs", box[2])

            engine.nodes[0].kill()
            harness.wait_until(lambda: connection.get("/v1/fleet").json()["state"] == "degraded", "north misses it", within=60)
            shown = self.shown_by(north, "degraded")
            self.assertEqual(shown["health"], "✕ the fleet is degraded")
            states = {row[0]: row[1] for row in shown["primaries"]}
            self.assertEqual(states.get(engine.nodes[0].address), "✕ down", shown)
            self.assertEqual([states.get(node.address) for node in engine.nodes[1:]], ["up", "up"], shown)

    def shown_by(self, box, state):
        folder = os.environ.get("CONCUR_TEST_SHOTS")
        done = web_tools.run("fleet_page.mjs", json.dumps({
            "socket": str(box.socket), "state": state, "slowness": harness.seconds(1),
            "shot": folder and os.path.join(folder, f"fleet-{state}.png")}), within=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


if __name__ == "__main__":
    unittest.main()
