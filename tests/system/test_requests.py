"""What a request may look like, byte for byte: what could be read in two ways is refused, and what is only unusual is taken."""

import socket
import unittest

import harness


class Raw(unittest.TestCase):
    def setUp(self):
        self.daemon = self.enterContext(harness.Daemon())

    def answers(self, data, *, path=None):
        """All that comes for those bytes until the daemon closes, or the client, once it has sent all, is answered."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(harness.seconds(20))
            client.connect(str(path or self.daemon.socket))
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            parser, answers = harness.ResponseParser(), []
            while got := client.recv(65536):
                answers += parser.feed(got)
        return answers


class BodyLength(Raw):
    def test_what_hides_behind_a_body_of_unknown_length_is_no_request(self):
        hidden = b"PUT /v1/users/evil/sessions/1 HTTP/1.1\r\nHost: x\r\n\r\n"
        for fields in (b"Transfer-Encoding: x", b"Transfer-Encoding: x\r\nContent-Length: 0",
                       b"Content-Length: 0\r\nTransfer-Encoding: x", b"Content-Length: 0\r\nTransfer-Encoding: chunked",
                       b"Transfer-Encoding: chunked\r\nContent-Length: 0", b"Transfer-Encoding: chunked, x",
                       b"Transfer-Encoding: x, chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x"):
            with self.subTest(fields):
                answers = self.answers(b"POST /v1/purge HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n" + hidden)
                self.assertEqual([answer.status for answer in answers], [400])
                self.assertEqual(answers[0].header("Connection"), "close")
                self.assertIn("its body has no one length", answers[0].json()["message"])
        with self.daemon.connect() as connection:
            self.assertEqual(connection.get("/v1/users/evil/sessions").json()["concurrentSessions"], 0)


if __name__ == "__main__":
    unittest.main()
