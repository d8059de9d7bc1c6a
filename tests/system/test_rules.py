"""Rules beside the limit, as clients see them. The first ten tests are the manual's story (concurrencyd-rules(7), TEN RULES), by
the very lines that stand there.

(The nine points of a decision, a million times against a second implementation: the units of admit(). A fleet: tests/fleet.)
"""

import json
import random
import re
import sqlite3
import subprocess
import unittest

import harness
from harness import SECOND, request, rounds
from streams import ask_batch

PAGE = (harness.REPOSITORY / "man" / "concurrencyd-rules.7").read_text()


def lines_of_the_story():
    """What the ten examples of the manual put into the config file."""
    story = PAGE.partition("\n.Sh TEN RULES\n")[2].partition("\n.Sh ")[0]
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", story, re.M | re.S)
    return dict(line.split(" = ", 1) for line in "".join(blocks).splitlines())


def meta(**said):
    return {"meta": said}


class Ruled(unittest.TestCase):
    """A daemon with rules, and what is asked of it."""

    options = ()
    settings = {}

    def setUp(self):
        folder = harness.private_folder()
        self.clock = harness.TestClock(folder)
        self.daemon = harness.Daemon(*self.options, clock=self.clock, folder=folder, settings=self.settings)
        self.daemon.start()
        self.addCleanup(self.daemon.kill)

    def ask(self, method, path, body=None):
        with self.daemon.connect() as connection:
            return connection.ask(request(method, path, body))

    def answer(self, status, method, path, body=None):
        answer = self.ask(method, path, body)
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def start(self, session, body=None, user="abc", status=201):
        return self.answer(status, "PUT", harness.session_path(user, session), body)

    def deny(self, rule, session, body=None, user="abc"):
        """Denied, first by that rule."""
        body = self.start(session, body, user, 409)
        self.assertEqual((body["error"], body.get("rule"), (body.get("violations") or [{"rule": None}])[0]["rule"]),
                         ("limit_reached", rule, rule), body)
        return body

    def explain(self, body=None, user="abc"):
        return self.answer(200, "POST", f"/v1/users/{harness.segment(user)}/explain", body)

    def listed(self, user="abc"):
        return {each["session"]: each for each in self.answer(200, "GET", f"/v1/users/{user}/sessions")["sessions"]}

    def limit(self, body=None, user="abc", status=200):
        return self.answer(status, "GET" if body is None else "PUT", harness.limit_path(user), body)

    def events(self, count):
        with self.daemon.connect() as connection:
            connection.send(request("GET", "/v1/events?since=0"))
            text = b""
            while text.count(b"}\n") < count:
                text += connection.socket.recv(65536)
        return [json.loads(line) for line in text.splitlines() if line.startswith(b"{")]

    def metric(self, name):
        text = self.ask("GET", "/metrics").body.decode()
        return [int(value) for value in re.findall(rf"^{re.escape(name)} (\d+)$", text, re.M)]


def names(sessions):
    return [each["session"] for each in sessions]


class TenRules(Ruled):
    """All ten hold at once: what a start does not say never denies it."""

    settings = lines_of_the_story()

    def test_0_each_is_tried_in_the_order_of_the_manual(self):
        tried = sorted(name for name in dir(self) if re.match(r"test_\d+_", name))[1:]
        self.assertEqual([name.partition("_")[2].partition("_")[2].replace("_", "-") for name in
                          sorted(tried, key=lambda name: int(name.split("_")[1]))],
                         [line.removeprefix("rule ") for line in lines_of_the_story()])

    def test_1_limit(self):
        for session in ("ann", "ben", "cleo"):
            self.start(session)
        body = self.deny(None, "one more")
        self.assertEqual((body["limit"], names(body["sessions"]), "violations" in body), (3, ["ann", "ben", "cleo"], False))

    def test_2_tvs(self):
        self.start("living room", meta(type="tv"))
        self.clock.advance(10 * SECOND)
        body = self.deny("tvs", "bedroom", meta(type="tv"))
        self.assertEqual((body["limit"], body["concurrentSessions"], names(body["sessions"]), body["retryAfter"]),
                         (1, 1, ["living room"], 80))
        self.assertEqual(body["violations"], [{"rule": "tvs", "max": 1, "count": 1, "by": {}}])
        self.deny("tvs", "game", meta(type="console"))
        self.start("phone", meta(type="phone"))
        self.start("who knows")
        self.clock.advance(80 * SECOND)
        self.start("bedroom", meta(type="tv"))

    def test_3_live(self):
        self.start("ann", meta(kind="live"))
        self.start("ben", meta(kind="live"))
        self.assertEqual(names(self.deny("live", "cleo", meta(kind="live"))["sessions"]), ["ann", "ben"])
        self.start("cleo", meta(kind="vod"))

    def test_4_title(self):
        self.start("friend 1", {"content": "series/1"})
        self.assertEqual(self.deny("title", "friend 2", {"content": "series/1"})["violations"],
                         [{"rule": "title", "max": 1, "count": 1, "by": {"content": "series/1"}}])
        self.start("friend 2", {"content": "series/2"})
        self.start("friend 3")

    def test_5_each_type(self):
        self.start("phone 1", meta(type="phone"))
        self.start("phone 2", meta(type="phone"))
        self.assertEqual(self.deny("each-type", "phone 3", meta(type="phone"))["violations"],
                         [{"rule": "each-type", "max": 2, "count": 2, "by": {"type": "phone"}}])
        self.start("tablet", meta(type="tablet"))

    def test_6_homes(self):
        self.start("home", {"ip": "2001:db8:1:2::1"})
        self.start("train", {"ip": "198.51.100.1"})
        body = self.deny("homes", "elsewhere", {"ip": "2001:db8:1:3::1"})
        self.assertEqual((body["limit"], names(body["sessions"])), (2, ["home", "train"]))
        self.start("home 2", {"ip": "2001:db8:1:2::2"})

    def test_7_devices(self):
        self.limit({"limit": 10})
        for device, kind in (("d1", "phone"), ("d2", "phone"), ("d3", "tablet")):
            self.start(device, {"device": device, **meta(type=kind)})
        self.deny("devices", "d4", {"device": "d4", **meta(type="tablet")})
        body = self.start("second picture", {"device": "d1", **meta(type="web")})
        self.assertEqual((body["concurrentSessions"], "evicted" in body), (4, False))
        self.start("stick", {"device": "d5", **meta(type="cast")})

    def test_8_away(self):
        self.start("at home", meta(home=True))
        self.start("on the road", meta(home=False))
        self.deny("away", "at school", meta(home="false"))
        self.start("at home, too", meta(home=True))

    def test_9_uhd(self):
        self.start("best", meta(quality="uhd"))
        self.deny("uhd", "as good", meta(quality="uhd"))
        self.start("good", meta(quality="hd"))

    def test_10_no_old_app(self):
        body = self.deny("no-old-app", "s1", meta(app="legacy-2019"), "never seen")
        self.assertEqual((body["limit"], body["concurrentSessions"], body["sessions"], "retryAfter" in body), (3, 0, [], False))
        self.assertEqual(body["violations"], [{"rule": "no-old-app", "max": 0, "count": 0, "by": {}}])
        self.start("s1", meta(app="new"), "never seen")


class Decisions(Ruled):
    settings = {"limit": "0", "rule tvs": "max 2 sessions where type=tv", "rule homes": "max 1 distinct network"}

    def test_of_many_that_race_none_gets_in_beside_a_rule(self):
        for round_number in range(rounds(10)):
            user = f"user {round_number}"
            with harness.Fleet(self.daemon.socket, 20) as fleet:
                said = fleet.exchange([[harness.start_request(user, f"s{number}", meta(type="tv"))] for number in range(20)],
                                      last_byte_together=True)
            self.assertEqual(sorted(each[0].status for each in said), [201] * 2 + [409] * 18)

    def test_all_that_have_no_room_are_named_in_their_order(self):
        self.start("a", {"ip": "192.0.2.1", **meta(type="tv")})
        self.clock.advance(30 * SECOND)
        self.start("b", {"ip": "192.0.2.1", **meta(type="tv")})
        body = self.deny("tvs", "c", {"ip": "198.51.100.1", **meta(type="tv")})
        self.assertEqual(body["violations"], [{"rule": "tvs", "max": 2, "count": 2, "by": {}},
                                              {"rule": "homes", "max": 1, "count": 1, "by": {}}])
        self.assertEqual((body["limit"], names(body["sessions"])), (2, ["a", "b"]))
        self.assertEqual(body["retryAfter"], 90, "the home is free with the last of its leases, the television with the first")

    def test_what_a_start_does_not_say_never_denies_it_nor_counts(self):
        for session in range(5):
            self.start(f"s{session}", meta(kind="live"))
        self.start("a", {"ip": "192.0.2.1"})
        self.start("b", {"ip": "no address"})
        self.deny("homes", "c", {"ip": "192.0.2.2"})

    def test_a_proxy_is_told_the_rule(self):
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=a&ip=192.0.2.1").status, 204)
        refused = self.ask("GET", "/v1/authorize?user=abc&session=b&ip=192.0.2.2")
        self.assertEqual((refused.status, refused.header("X-Concur-Reason"), refused.header("X-Concur-Rule"),
                          refused.header("Retry-After"), sorted(refused.json())),
                         (403, "limit_reached", "homes", "90", ["error", "message"]))
        for session, status in (("t1", 204), ("t2", 204), ("t3", 403)):
            said = self.ask("GET", f"/v1/authorize?user=sets&session={session}&type=tv")
            self.assertEqual((said.status, said.header("X-Concur-Rule")), (status, "tvs" if status == 403 else None))
        self.answer(200, "PUT", harness.limit_path("few"), {"limit": 1})
        self.assertEqual(self.ask("GET", "/v1/authorize?user=few&session=a").status, 204)
        self.assertIsNone(self.ask("GET", "/v1/authorize?user=few&session=b").header("X-Concur-Rule"))

    def test_a_batch_is_told_it_line_by_line(self):
        with self.daemon.connect() as connection:
            lines = [{"command": "start", "user": "abc", "session": f"s{number}", **meta(type="tv")} for number in range(3)]
            lines += [{"command": "limit", "user": "abc", "rules": {"tvs": 3}}, dict(lines[-1]),
                      {"command": "limit", "user": "abc", "rules": {"cars": 3}}]
            said = list(ask_batch(connection, b"".join(json.dumps(line).encode() + b"\n" for line in lines)).lines())
        self.assertEqual([(each["status"], each.get("rule")) for each in said],
                         [(201, None), (201, None), (409, "tvs"), (200, None), (201, None), (400, None)])

    def test_events_metrics_and_report_name_it(self):
        for session, body in (("a", meta(type="tv")), ("b", meta(type="tv")), ("c", meta(type="tv"))):
            self.start(session, body, status=409 if session == "c" else 201)
        self.answer(200, "PUT", harness.limit_path("few"), {"limit": 1})
        self.start("a", user="few")
        self.deny(None, "b", user="few")
        said = [(each["event"], each.get("session"), each.get("rule"), each.get("limit")) for each in self.events(6)]
        self.assertIn(("denied", "c", "tvs", 2), said)
        self.assertIn(("denied", "b", None, 1), said)
        self.assertEqual([self.metric(f'concurrencyd_denials_total{{rule="{rule}"}}') for rule in ("limit", "tvs")], [[1], [1]])

        def reported():
            report = self.answer(200, "GET", "/v1/report")
            return report["denialsByRule"], {each["user"]: each.get("denialsByRule") for each in report["users"]}

        for stop in (lambda: None, self.daemon.stop):
            stop()
            if not self.daemon.running():
                self.daemon.start()
            self.assertEqual(reported(), ({"tvs": 1}, {"abc": {"tvs": 1}, "few": None}))
        self.deny("tvs", "c", meta(type="tv"))
        self.assertEqual(reported()[0], {"tvs": 2})


class Counting(Ruled):
    settings = {"limit": "2 distinct device"}

    def test_a_limit_of_devices(self):
        for session, device in (("a", "d1"), ("b", "d1"), ("c", "d1"), ("d", "d2")):
            body = self.start(session, {"device": device})
        self.assertEqual((body["concurrentSessions"], body["limit"], body["counts"], "evicted" in body), (4, 2, "device", False))
        body = self.start("e", {"device": "d3"}, status=409)
        self.assertEqual((body["limit"], body["counts"], body["concurrentSessions"]), (2, "device", 4))
        self.start("f", status=409)  # one without a device is one of its own
        self.start("e", {"device": "d2"})
        self.assertEqual((self.limit()["counts"], self.limit()["limit"]), ("device", 2))
        self.assertEqual(self.explain({"device": "d3"})["counts"], "device")
        self.assertEqual(self.limit({"limit": 3})["counts"], "device")
        self.start("f", {"device": "d3"})


class Evictions(Ruled):
    options = ("--hold-off", "0")
    settings = {"limit": "4", "rule tvs": "max 1 sessions where type=tv on-limit evict-oldest",
                "rule uhd": "max 1 sessions where quality=uhd on-limit evict-newest",
                "rule homes": "max 2 distinct network on-limit evict-oldest",
                "rule title": "max 1 sessions per content on-limit deny"}

    def test_the_oldest_goes_and_is_told_by_whom(self):
        self.start("a", meta(type="tv"))
        self.start("phone", meta(type="phone"))
        self.assertEqual(self.start("b", meta(type="tv"))["evicted"], ["a"])
        gone = self.answer(410, "POST", harness.session_path("abc", "a") + "/heartbeat")
        self.assertEqual((gone["reason"], gone["evictedBy"]["session"]), ("evicted", "b"))
        self.assertEqual(set(self.listed()), {"phone", "b"})

    def test_the_newest_goes_where_the_rule_says_so(self):
        self.limit({"rules": {"uhd": 2}})
        for session in ("a", "b"):
            self.start(session, meta(quality="uhd"))
        self.assertEqual(self.start("c", meta(quality="uhd"))["evicted"], ["b"])

    def test_of_values_all_sessions_of_one_go(self):
        for session, ip in (("a", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "192.0.2.1")):
            self.start(session, {"ip": ip})
            self.clock.advance(SECOND)
        self.assertEqual(self.start("d", {"ip": "192.0.2.3"})["evicted"], ["b"], "the home whose latest session is the oldest")
        self.assertEqual(self.start("e", {"ip": "192.0.2.4"})["evicted"], ["a", "c"])

    def test_one_may_make_room_in_several(self):
        self.start("a", {"ip": "192.0.2.1", **meta(type="tv")})
        self.start("b", {"ip": "192.0.2.2"})
        self.assertEqual(self.start("c", {"ip": "192.0.2.3", **meta(type="tv")})["evicted"], ["a"])

    def test_all_or_nobody_where_one_denies(self):
        self.start("a", {"content": "film", **meta(type="tv")})
        body = self.deny("tvs", "b", {"content": "film", **meta(type="tv")})
        self.assertEqual([each["rule"] for each in body["violations"]], ["tvs", "title"])
        self.assertEqual(set(self.listed()), {"a"})

    def test_all_or_nobody_where_the_limit_denies(self):
        self.start("a", meta(type="tv"))
        for session in "bcd":
            self.start(session)
        body = self.deny("limit", "e", meta(type="tv"))
        self.assertEqual([each["rule"] for each in body["violations"]], ["limit", "tvs"])
        self.assertEqual(set(self.listed()), set("abcd"))
        self.assertEqual(self.start("e", {"onLimit": "evict-oldest", **meta(type="tv")})["evicted"], ["a"])

    def test_nobody_where_one_is_protected(self):
        self.daemon.restart("--hold-off", "3m")
        self.start("a", {"device": "d1", **meta(type="tv")})
        self.assertEqual(self.start("b", {"device": "d2", **meta(type="tv")})["evicted"], ["a"])
        body = self.deny("tvs", "c", {"device": "d3", **meta(type="tv")})
        self.assertEqual(body["holdOff"], 180)
        self.assertEqual(set(self.listed()), {"b"})

    def test_a_reconnect_takes_the_place_it_had(self):
        self.daemon.reload({"rule tvs": "max 1 sessions where type=tv", "rule uhd": "max 1 sessions where quality=uhd"})
        self.start("a", {"device": "d1", **meta(type="tv")})
        self.assertEqual(self.start("b", {"device": "d1", **meta(type="tv")})["evicted"], ["a"])
        self.start("best", {"device": "d2", **meta(quality="uhd")})
        self.deny("uhd", "c", {"device": "d1", **meta(type="tv", quality="uhd")})
        self.assertEqual(set(self.listed()), {"b", "best"}, "who is denied takes nobody's place")

    def test_where_devices_are_counted_none_reconnects(self):
        self.daemon.reload({"rule devices": "max 2 distinct device"})
        self.start("a", {"device": "d1"})
        self.assertNotIn("evicted", self.start("b", {"device": "d1"}))
        self.start("c", {"device": "d2"})
        self.deny("devices", "d", {"device": "d3"})

    def test_what_is_replaced_is_not_counted(self):
        self.daemon.reload({"rule tvs": "max 1 sessions where type=tv"})
        self.start("a", meta(type="tv"))
        self.deny("tvs", "b", meta(type="tv"))
        self.assertEqual(self.start("b", {"replace": "a", **meta(type="tv")})["evicted"], ["a"])
        self.assertEqual(self.start("c", {"replaceAll": True, **meta(type="tv")})["evicted"], ["b"])


class Renewals(Ruled):
    settings = {"rule title": "max 1 sessions per content on-limit evict-oldest", "rule tvs": "max 1 sessions where type=tv",
                "rule homes": "max 1 distinct network", "limit": "3"}

    def test_other_content_is_judged_and_the_session_goes_on_as_it_was(self):
        self.start("a", {"content": "one", "ip": "192.0.2.1"})
        self.start("b", {"content": "two"})
        self.clock.advance(30 * SECOND)
        body = self.deny("title", "b", {"content": "one"})
        self.assertEqual((body["retryAfter"], names(body["sessions"])), (60, ["a"]))
        shown = self.listed()
        self.assertEqual((set(shown), shown["b"]["content"]), ({"a", "b"}, "two"), "a renewal evicts nobody")
        self.assertEqual(harness.milliseconds(shown["b"]["expiresAt"]), self.clock.wall + 90 * SECOND, "its lease is renewed")
        self.start("b", {"content": "three"}, status=200)
        self.start("b", {"content": "two"}, status=200)
        self.start("a", {"content": "one"}, status=200)
        self.start("b", status=200)

    def test_other_meta_is_judged_by_what_newly_applies(self):
        self.start("a", meta(type="tv"))
        self.start("b", meta(type="phone"))
        self.deny("tvs", "b", meta(type="tv"))
        self.assertEqual(self.listed()["b"]["meta"], {"type": "phone"})
        self.start("a", meta(type="tv", kind="live"), status=200)
        self.limit({"rules": {"tvs": 2}})
        self.start("b", meta(type="tv"), status=200)
        self.limit({"rules": {"tvs": None}})
        self.start("b", meta(type="tv", kind="live"), status=200)  # it applied before
        self.limit({"limit": 1})
        self.start("b", {"content": "one"}, status=200)  # nor does the limit look at it

    def test_another_address_never_denies_and_counts_from_then_on(self):
        self.start("a", {"ip": "192.0.2.1"})
        self.start("b", {"ip": "192.0.2.1"})
        self.start("b", {"ip": "192.0.2.2"}, status=200)
        self.assertEqual(self.listed()["b"]["ip"], "192.0.2.2")
        self.start("c", {"ip": "192.0.2.2"})
        self.answer(200, "DELETE", harness.session_path("abc", "a"))
        self.deny("homes", "d", {"ip": "192.0.2.1"})

    def test_a_heartbeat_is_never_judged(self):
        self.start("a", meta(type="tv"))
        self.daemon.reload({"rule tvs": "forbid where type=tv"})
        self.answer(200, "POST", harness.session_path("abc", "a") + "/heartbeat")
        self.start("a", meta(type="tv"), status=200)

    def test_in_a_batch_and_from_a_proxy(self):
        self.start("a", {"content": "one"})
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=b&content=two").status, 204)
        refused = self.ask("GET", "/v1/authorize?user=abc&session=b&content=one")
        self.assertEqual((refused.status, refused.header("X-Concur-Rule")), (403, "title"))
        with self.daemon.connect() as connection:
            line = {"command": "start", "user": "abc", "session": "b", "content": "one"}
            said = list(ask_batch(connection, json.dumps(line).encode() + b"\n").lines())
        self.assertEqual((said[0]["status"], said[0]["rule"]), (409, "title"))


class Numbers(Ruled):
    settings = {"limit": "0", "rule tvs": "max 1 sessions where type=tv", "rule homes": "max 1 distinct network"}

    def number(self, user="abc"):
        """What holds for the user's televisions."""
        return self.explain(meta(type="tv"), user)["rules"][1]["max"]

    def plan(self, body, status=200):
        return self.answer(status, "PUT", harness.plan_path("family"), body)

    def test_the_users_else_the_plans_else_the_configs(self):
        self.assertEqual(self.number(), 1)
        self.assertEqual(self.plan({"limit": 5, "rules": {"tvs": 3}})["rules"], {"tvs": 3})
        self.limit({"plan": "family"})
        self.assertEqual(self.number(), 3)
        self.assertEqual(self.limit({"rules": {"tvs": 2, "homes": 0}})["rules"], {"homes": 0, "tvs": 2})
        self.assertEqual(self.number(), 2)
        self.start("a", {"ip": "192.0.2.1", **meta(type="tv")})
        self.start("b", {"ip": "192.0.2.2", **meta(type="tv")})
        self.assertEqual(self.deny("tvs", "c", meta(type="tv"))["limit"], 2)
        self.limit({"rules": {"tvs": 0}})
        self.start("c", meta(type="tv"))
        self.limit({"rules": {"tvs": None}})
        self.assertEqual((self.number(), self.limit()["rules"]), (3, {"homes": 0}))
        self.plan({"rules": {"tvs": None}})
        self.assertEqual(self.number(), 1)
        self.answer(200, "DELETE", harness.limit_path("abc"))
        self.assertNotIn("rules", self.limit())

    def test_a_requests_limit_is_for_the_plain_limit_alone(self):
        self.start("a", meta(type="tv"))
        self.deny("tvs", "b", {"limit": 9, **meta(type="tv")})

    def test_bad_ones_are_refused(self):
        for said in ({"cars": 2}, {"tvs": -1}, {"tvs": "2"}, {"limit": 2}, {"TVS": 2}, {}, None, [], 2):
            self.limit({"rules": said}, status=400)
            self.plan({"limit": 1, "rules": said}, status=400)
        self.assertNotIn("rules", self.limit())

    def test_they_outlive_kill_9(self):
        self.plan({"limit": 5, "rules": {"tvs": 3}})
        self.limit({"plan": "family"})
        self.limit({"rules": {"tvs": 2}}, user="xyz")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual((self.number(), self.number("xyz")), (3, 2))
        self.assertEqual(self.answer(200, "GET", "/v1/limits")["limits"][1]["rules"], {"tvs": 2})
        self.assertEqual(self.answer(200, "GET", "/v1/plans")["plans"][0]["rules"], {"tvs": 3})

    def test_a_reload_ends_no_session(self):
        self.daemon.reload({"rule tvs": "max 2 sessions where type=tv"})
        self.start("a", meta(type="tv"))
        self.start("b", meta(type="tv"))
        self.daemon.reload({"rule tvs": "max 1 sessions where type=tv", "rule phones": "forbid where type=phone"})
        self.assertEqual(set(self.listed()), {"a", "b"})
        self.assertEqual(self.deny("tvs", "c", meta(type="tv"))["violations"][0]["count"], 2)
        self.deny("phones", "c", meta(type="phone"))
        self.assertIn("rule tvs is max 1 sessions where type=tv now, it was max 2 sessions where type=tv",
                      self.daemon.log_text())
        self.answer(200, "DELETE", harness.session_path("abc", "a"))
        self.deny("tvs", "c", meta(type="tv"))
        self.answer(200, "DELETE", harness.session_path("abc", "b"))
        self.start("c", meta(type="tv"))

    def test_a_bad_reload_changes_nothing(self):
        self.daemon.settings["rule tvs"] = "max 0 sessions"
        self.daemon._write_config()
        self.daemon.process.send_signal(harness.signal.SIGHUP)
        harness.wait_until(lambda: "write 'forbid'" in self.daemon.log_text(), "the bad rule is logged")
        self.assertEqual(self.number(), 1)

    def test_one_of_a_rule_that_is_gone_is_kept_ignored_and_shown(self):
        self.limit({"rules": {"tvs": 2}})
        self.daemon.reload({"rule tvs": None})
        for session in range(4):
            self.start(f"s{session}", meta(type="tv"))
        for stop in (lambda: None, self.daemon.kill):
            stop()
            if not self.daemon.running():
                self.daemon.start()
            self.assertEqual(self.limit()["rules"], {"tvs": 2})
        self.limit({"rules": {"tvs": 3}}, status=400)
        self.daemon.reload({"rule tvs": "max 1 sessions where type=tv"})
        self.assertEqual(self.deny("tvs", "more", meta(type="tv"))["limit"], 2)
        self.daemon.reload({"rule tvs": None})
        self.assertNotIn("rules", self.limit({"rules": {"tvs": None}}))


class Observing(Ruled):
    options = ("--mode", "observe")
    settings = {"limit": "3", "rule tvs": "max 1 sessions where type=tv", "rule old": "forbid where app=old",
                "rule uhd": "max 1 sessions where quality=uhd on-limit evict-oldest"}

    def test_all_is_admitted_and_said(self):
        self.start("a", meta(type="tv"))
        body = self.start("b", meta(type="tv"))
        self.assertEqual((body["wouldDeny"], body["rule"], body["violations"]),
                         (True, "tvs", [{"rule": "tvs", "max": 1, "count": 1, "by": {}}]))
        body = self.start("first", meta(app="old"), user="never seen")
        self.assertEqual((body["wouldDeny"], body["rule"]), (True, "old"))
        self.assertIn(("denied", "b", "tvs", True),
                      [(each["event"], each.get("session"), each.get("rule"), each.get("wouldDeny")) for each in self.events(5)])
        self.assertEqual(self.metric('concurrencyd_denials_total{rule="tvs"}'), [1])
        self.assertEqual(self.answer(200, "GET", "/v1/report")["denialsByRule"], {"old": 1, "tvs": 1})

    def test_nobody_is_evicted(self):
        self.start("a", meta(quality="uhd"))
        body = self.start("b", meta(quality="uhd"))
        self.assertEqual((body["wouldEvict"], body["concurrentSessions"], "wouldDeny" in body), (["a"], 2, False))

    def test_a_renewal_too(self):
        self.start("a", meta(type="tv"))
        self.start("b", meta(type="phone"))
        body = self.start("b", meta(type="tv"), status=200)
        self.assertEqual((body["wouldDeny"], body["rule"]), (True, "tvs"))
        self.assertEqual(self.listed()["b"]["meta"], {"type": "tv"})


class Explained(Ruled):
    """What is explained is what happens next."""

    settings = {"limit": "4", "rule tvs": "max 1 sessions where type=tv",
                "rule live": "max 2 sessions where kind=live on-limit evict-oldest",
                "rule title": "max 1 sessions per content on-limit evict-newest", "rule homes": "max 2 distinct network",
                "rule devices": "max 2 distinct device where type!=cast on-limit evict-oldest",
                "rule old": "forbid where app=old"}

    @staticmethod
    def any_start(dice):
        body = {}
        if dice.random() < 0.5:
            body["device"] = f"d{dice.randrange(4)}"
        if dice.random() < 0.5:
            body["ip"] = f"192.0.2.{dice.randrange(3)}"
        if dice.random() < 0.4:
            body["content"] = f"c{dice.randrange(4)}"
        said = {key: dice.choice(values) for key, values in
                (("type", ("tv", "phone", "cast")), ("kind", ("live", "vod")), ("app", ("old", "new", "new", "new", "new")))
                if dice.random() < 0.4}
        if said:
            body["meta"] = said
        if dice.random() < 0.3:
            body["onLimit"] = dice.choice(("deny", "evict-oldest", "evict-newest"))
        if dice.random() < 0.1:
            body.update(dice.choice(({"replace": f"s{dice.randrange(8)}"}, {"replaceAll": True})))
        return body

    def check(self, connection, user, session, body):
        path = f"/v1/users/{user}/explain"
        said = connection.ask(request("POST", path, {"session": session, **body}))
        self.assertEqual(said.status, 200, said)
        said = said.json()
        self.assertEqual(connection.ask(request("POST", path, {"session": session, **body})).json(), said, "it does nothing")
        answer = connection.start(user, session, body)
        then = answer.json()
        context = (said, then)
        status = {"start": 201, "start_observed": 201, "renew": 200, "deny": 409, "blocked": 409}[said["would"]]
        if said["would"] != "renew" or not then.get("wouldDeny"):
            self.assertEqual(then.get("wouldDeny", False), said["would"] == "start_observed", context)
        self.assertEqual(answer.status, status, context)
        self.assertEqual(then["error"] if status == 409 else None,
                         {"deny": "limit_reached", "blocked": "blocked"}.get(said["would"]), context)
        self.assertEqual(then.get("holdOff"), said.get("holdOff"), context)
        leaving = ([said["reconnects"]] if "reconnects" in said else []) + said.get("evicts", [])
        if status == 201:
            self.assertEqual(then.get("evicted", []) + then.get("wouldEvict", []), leaving, context)
        if said["would"] in ("deny", "start_observed") and not body.keys() & {"replace", "replaceAll"}:
            violated = [each for each in said["rules"] if each.get("violated")]
            self.assertEqual(then.get("rule", "limit"), violated[0]["rule"], context)
            self.assertEqual(then.get("violations", [{"rule": "limit"}])[0]["rule"], violated[0]["rule"], context)
            if "violations" in then:
                self.assertEqual([(each["rule"], each["max"], each["count"], each["by"]) for each in then["violations"]],
                                 [(each["rule"], each["max"], each["count"], each["by"]) for each in violated], context)
            if status == 409:
                self.assertEqual(names(then["sessions"]), violated[0]["sessions"], context)
        return said["would"]

    def play(self, seed, count):
        dice = random.Random(seed)
        seen = {}
        with self.daemon.connect() as connection:
            for _ in range(count):
                user, session = f"u{dice.randrange(6)}", f"s{dice.randrange(8)}"
                would = self.check(connection, user, session, self.any_start(dice))
                seen[would] = seen.get(would, 0) + 1
                if dice.random() < 0.2:
                    connection.end(user, f"s{dice.randrange(8)}")
                if dice.random() < 0.3:
                    self.clock.advance(dice.randrange(60 * SECOND))
                if dice.random() < 0.02:
                    connection.limit(user, {"limit": dice.choice((None, 0, 2)), "rules": {"tvs": dice.choice((None, 0, 2))}})
                if dice.random() < 0.02:
                    connection.ask(request("PUT", f"/v1/users/{user}/block", {"for": 60}))
        return seen

    def test_is_what_happens(self):
        seen = self.play(22, 400)
        self.assertEqual(set(seen), {"start", "renew", "deny", "blocked"}, seen)

    def test_in_observe_mode_too(self):
        self.daemon.restart("--mode", "observe")
        self.assertIn("start_observed", self.play(23, rounds(150)))

    def test_says_so_in_a_sentence_and_in_full(self):
        self.start("living room", meta(type="tv"))
        said = self.explain(meta(type="tv"))
        self.assertEqual((said["session"], said["would"], said["message"], said["concurrentSessions"]),
                         ("one more", "deny", "session one more of user abc would be denied: rule tvs has 1 of 1.", 1))
        self.assertEqual([each["rule"] for each in said["rules"]], ["limit", "tvs", "live", "title", "homes", "devices", "old"])
        self.assertEqual(said["rules"][1], {
            "rule": "tvs", "text": "max 1 sessions where type=tv", "applies": True, "max": 1, "onLimit": "deny", "count": 1,
            "violated": True, "by": {}, "sessions": ["living room"]})
        self.assertEqual(said["rules"][2], {"rule": "live", "text": "max 2 sessions where kind=live on-limit evict-oldest",
                                            "applies": False, "max": 2, "onLimit": "evict-oldest"})
        self.assertEqual(self.explain(meta(app="old"))["message"],
                         "session one more of user abc would be denied: rule old forbids it.")
        self.assertEqual(set(self.listed()), {"living room"})

    def test_one_more_is_no_session_that_there_is(self):
        """Whatever the user's sessions are called."""
        for session in ("one more", "s1", "s2", "s3"):
            self.start(session)
        for body in (None, {}, [], {"session": None}):
            said = self.explain(body)
            self.assertEqual((said["session"], said["would"], said["rules"][0]["count"]), ("one more", "deny", 4), body)
        self.assertEqual(self.explain({"session": "one more"})["would"], "renew")

    def test_what_is_refused(self):
        path = "/v1/users/abc/explain"
        for body in ({"until": 1}, {"session": ""}, {"ttl": -1}, [1], {"replace": "s1", "replaceAll": True}):
            self.answer(400, "POST", path, body)
        self.assertEqual(self.ask("GET", path).status, 405)


class Checked(unittest.TestCase):
    """What --check-config says of rules."""

    def check(self, text):
        folder = harness.private_folder()
        (folder / "conf").write_text(text)
        done = subprocess.run([harness.DAEMON, "--config", folder / "conf", "--socket", "s", "--database", "d",
                               "--check-config"], capture_output=True, text=True, check=False, env=harness.clean_environment(),
                              timeout=harness.seconds(20))
        return done.returncode, done.stdout, done.stderr.replace(str(folder), "")

    def test_a_sentence_for_each(self):
        lines = [f"{name} = {text}" for name, text in lines_of_the_story().items()]
        code, out, err = self.check("\n".join(lines) + "\n")
        self.assertEqual((code, err), (0, ""))
        for line in lines:
            self.assertIn(f"\n{line}  # ", "\n" + out)
        for sentence in (
                "at most 1 session where type is 'tv' or 'console' at once; a start beyond that is treated as one above the "
                "plain limit.",
                "at most 1 session for each content at once;",
                "at most 2 different values of network at once;",
                "no session may start where app is something that begins with 'legacy'."):
            self.assertIn(f"\n#   {sentence}", out)

    def test_what_is_surely_a_mistake(self):
        for rule, doubt in (("max 1 sessions where type=tv and type=phone", "never applies"),
                            ("max 3 sessions", "refuses nobody"), ("max 1 distinct devise", "was device meant?"),
                            ("max 1 distinct device per device", "never refuses")):
            code, out, err = self.check(f"limit = 3\nrule doubtful = {rule}\n")
            self.assertEqual(code, 0, err)
            self.assertRegex(out, rf"\n# rule doubtful .*{re.escape(doubt)}")
        _, out, _ = self.check("limit = 3\nrule a = max 1 sessions\nrule b = max 1 sessions\n")
        self.assertIn("\n# rule b says the same as rule a\n", out)
        _, out, _ = self.check("limit = 3\nrule tvs = max 1 sessions where type=tv\n")
        self.assertNotIn("\n# rule", out)

    def test_a_bad_line_is_named(self):
        for line in ("rule tvs = max 0 sessions", "rule tvs = max 1", "rule tvs = max 1 sessions where type",
                     "rule limit = max 1 sessions", "rule TVs = max 1 sessions", "rule = max 1 sessions",
                     "rule tvs = forbid per device", "rule tvs =", "rule tvs = max 1 sessions where type=\"tv",
                     "rule a = forbid\nrule a = forbid", "limit = 3 distinct ip", "limit = 3 distinct type"):
            code, out, err = self.check("lease = 60s\n" + line + "\n")
            self.assertEqual((code, out), (2, ""), (line, err))
            self.assertRegex(err, rf"/conf(:| line ){2 + line.count(chr(10))}\b", line)
        code, _, err = self.check("".join(f"rule r{number} = forbid where app=a{number}\n" for number in range(33)))
        self.assertEqual(code, 2)
        self.assertIn("32", err)


class Upgraded(unittest.TestCase):
    def test_a_database_of_schema_9(self):
        """What the schemas after it added is taken away again: so the one before them was."""
        daemon = harness.Daemon("--lease", "600s", settings={"rule tvs": "max 1 sessions where type=tv"})
        with daemon:
            with daemon.connect() as connection:
                connection.limit("abc", {"limit": 5})
                connection.start("abc", "s1", meta(type="tv"))
        database = sqlite3.connect(daemon.database)
        self.assertEqual(database.execute("PRAGMA user_version").fetchone(), (11,))
        database.executescript("DROP TABLE rule_numbers; DROP TABLE rule_denials; DROP TABLE blocks;"
                               "ALTER TABLE sessions DROP COLUMN overlap;"
                               "ALTER TABLE sessions DROP COLUMN overlap_limit;"
                               "ALTER TABLE gone DROP COLUMN message; PRAGMA user_version = 9;")
        database.close()
        with daemon:
            with daemon.connect() as connection:
                self.assertEqual(connection.limit("abc").json()["limit"], 5)
                denied = connection.start("abc", "s2", meta(type="tv"))
                self.assertEqual((denied.status, denied.json()["rule"]), (409, "tvs"))
                self.assertEqual(connection.limit("abc", {"rules": {"tvs": 2}}).json()["rules"], {"tvs": 2})
                self.assertEqual(connection.get("/v1/report").json()["denialsByRule"], {"tvs": 1})
                self.assertEqual(connection.start("abc", "s2", meta(type="tv")).status, 201)
            daemon.kill()
            daemon.start()
            with daemon.connect() as connection:
                self.assertEqual(connection.limit("abc").json()["rules"], {"tvs": 2})


if __name__ == "__main__":
    unittest.main()
