"""Rules over two boxes: judged over all sessions of a user, whoever started them; numbers of plans and users are the fleet's;
boxes whose rules differ are named. (What rules say: tests/system/test_rules.py. The boxes share one server.)
"""

import json
import subprocess
import threading
import unittest

import cluster
import harness
from engine_server import EngineServer
from harness import request

RULES = {"limit": "4", "rule tvs": "max 1 sessions where type=tv", "rule homes": "max 1 distinct network",
         "rule live": "max 1 sessions where kind=live on-limit evict-oldest"}
WITHIN = 2  # seconds, after which each box has what was set at another

engine = None
_fleets = 0


def setUpModule():
    global engine
    cluster.require_server()
    engine = unittest.enterModuleContext(EngineServer())


def meta(**said):
    return {"meta": said}


class Rules(unittest.TestCase):
    def setUp(self):
        global _fleets
        _fleets += 1
        self.boxes = [self.new_box(name) for name in ("north", "south")]
        self.north, self.south = (self.enterContext(box.connect()) for box in self.boxes)

    def new_box(self, name, **settings):
        box = cluster.Box(name, [engine], *cluster.PATIENT, "--fleet-ack", "primary", "--lease", "600s",
                          fleet=f"rules-{_fleets}", settings={**RULES, **settings})
        return self.enterContext(box)

    def start(self, at, session, body, status=201):
        answer = at.start("viewer", session, body)
        self.assertEqual(answer.status, status, answer)
        self.assertNotIn("degraded", answer.json())
        return answer.json()

    def explain(self, at, body):
        answer = at.ask(request("POST", "/v1/users/viewer/explain", body))
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def number_at(self, at):
        return self.explain(at, meta(type="tv"))["rules"][1]["max"]

    def test_are_judged_over_all_sessions_of_a_user(self):
        self.start(self.north, "living", {"ip": "192.0.2.1", **meta(type="tv")})
        said = self.explain(self.south, meta(type="tv"))
        self.assertEqual((said["would"], said["rules"][1]["sessions"]), ("deny", ["living"]))
        body = self.start(self.south, "bed", meta(type="tv"), 409)
        self.assertEqual((body["rule"], body["limit"], [each["session"] for each in body["sessions"]]), ("tvs", 1, ["living"]))
        body = self.start(self.south, "phone", {"ip": "192.0.2.2"}, 409)
        self.assertEqual(body["violations"], [{"rule": "homes", "max": 1, "count": 1, "by": {}}])
        self.start(self.south, "phone", {"ip": "192.0.2.1"})
        self.start(self.north, "phone", {"ip": "192.0.2.1", **meta(type="tv")}, 409)
        self.assertEqual(self.south.end("viewer", "living").status, 200)
        self.start(self.south, "bed", meta(type="tv"))

    def test_an_eviction_is_told_at_the_other_box(self):
        self.start(self.north, "one", meta(kind="live"))
        self.assertEqual(self.start(self.south, "two", meta(kind="live"))["evicted"], ["one"])
        gone = self.north.heartbeat("viewer", "one")
        self.assertEqual((gone.status, gone.json()["reason"], gone.json()["evictedBy"]["session"]), (410, "evicted", "two"))

    def test_of_many_that_race_at_both_one_gets_in(self):
        said = []

        def race(box, number):
            with box.connect() as connection:
                said.append(connection.start("viewer", f"{box.name} {number}", meta(type="tv")).status)

        racers = [threading.Thread(target=race, args=(box, number)) for number in range(10) for box in self.boxes]
        for each in racers:
            each.start()
        for each in racers:
            each.join()
        self.assertEqual(sorted(said), [201] + [409] * 19)

    def test_numbers_that_are_set_at_one_hold_at_the_other(self):
        self.assertEqual(self.north.plan("family", {"limit": 9, "rules": {"tvs": 3}}).status, 200)
        harness.wait_until(lambda: self.south.plan("family").json().get("rules") == {"tvs": 3}, "the plan is known", WITHIN)
        self.assertEqual(self.south.limit("viewer", {"plan": "family"}).status, 200)
        harness.wait_until(lambda: self.number_at(self.north) == 3, "the plan holds", WITHIN)
        for number in range(3):
            self.start((self.north, self.south)[number % 2], f"s{number}", meta(type="tv"))
        self.assertEqual(self.start(self.north, "more", meta(type="tv"), 409)["limit"], 3)
        self.assertEqual(self.north.limit("viewer", {"rules": {"tvs": 4}}).json()["rules"], {"tvs": 4})
        harness.wait_until(lambda: self.number_at(self.south) == 4, "the user's number holds", WITHIN)
        self.start(self.south, "more", meta(type="tv"))
        self.assertEqual(self.south.limit("viewer", {"rules": {"tvs": None}}).status, 200)
        harness.wait_until(lambda: self.number_at(self.north) == 3, "the plan's holds again", WITHIN)
        self.assertEqual(self.north.limit("viewer", {"rules": {"cars": 1}}).status, 400)
        self.assertEqual(self.north.plan("family", {"rules": {"tvs": None}}).status, 200)
        harness.wait_until(lambda: self.number_at(self.south) == 1, "the rule's own holds", WITHIN)

    def test_boxes_whose_rules_differ_are_named(self):
        def others():
            return {each["box"]: each["differs"] for each in self.north.get("/v1/fleet").json()["others"]}

        harness.wait_until(lambda: others() == {"south": False}, "the boxes know each other", 20)
        self.boxes[1].reload({"rule tvs": "max 2 sessions where type=tv"})
        harness.wait_until(lambda: others() == {"south": True}, "the other rules are seen", 20)
        done = subprocess.run([str(harness.CONCUR), "--socket", str(self.boxes[0].socket), "fleet", "check"],
                              capture_output=True, text=True, check=False, timeout=harness.seconds(30),
                              env=harness.clean_environment())
        found = [each for each in json.loads(done.stdout)["findings"] if each.get("where") == ["south"]]
        self.assertEqual([each["what"] for each in found], ["its policy differs from this box's"])
        self.boxes[1].reload({"rule tvs": RULES["rule tvs"]})
        harness.wait_until(lambda: others() == {"south": False}, "the same rules are seen", 20)


if __name__ == "__main__":
    unittest.main()
