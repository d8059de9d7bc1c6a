"""What a start must say (required-attributes), as users see it.

(What is asked of whom: tests/unit/session/registry_required_test.cpp.)"""

import unittest

from test_blocks import Operators


class RequiredAttributes(Operators):
    options = ("--required-attributes", "type,network")

    def test_a_start_that_lacks_one_is_invalid_and_told_which(self):
        refused = self.start("abc", "s1", {"ip": "192.0.2.1"}, status=400)
        self.assertEqual(refused["error"], "invalid_request")
        self.assertIn("its type,", refused["message"])
        self.assertIn("its network,", self.start("abc", "s1", {"meta": {"type": "tv"}}, status=400)["message"])
        whole = {"ip": "192.0.2.1", "meta": {"type": "tv"}}
        self.start("abc", "s1", whole)
        self.start("abc", "s1", status=200)
        lines = self.batch({"command": "start", "user": "abc", "session": "s2"},
                           {"command": "start", "user": "abc", "session": "s3", **whole})
        self.assertEqual([line["status"] for line in lines], [400, 201])
        self.assertEqual(self.ask("POST", "/v1/users/abc/explain", {}).status, 400)

    def test_whoever_cannot_say_it_is_not_denied_for_it(self):
        self.assertEqual(self.ask("GET", "/startSession/userId/abc/sessionId/s1").status, 200)
        self.assertEqual(self.ask("GET", "/v1/authorize?user=abc&session=s2").status, 503)
        whole = "/v1/authorize?user=abc&session=s2&type=tv&ip=192.0.2.1"
        self.assertEqual(self.ask("GET", whole).status, 204)


if __name__ == "__main__":
    unittest.main()
