"""A disk that hangs: who waits for it waits, and nobody else does; whatever hung is answered when it goes on."""

import fcntl
import re
import select
import signal
import unittest

import harness


class HangingDisk:
    """The disk of a daemon. In a `with` block it hangs (see tests/support/test_disk.c)."""

    def __init__(self, folder):
        self.path = folder / "disk"
        self.path.touch()
        self.environment = harness.preload(harness.LIB_DIR / "libtestdisk.so", TEST_DISK_FILE=str(self.path))

    def __enter__(self):
        self._file = open(self.path, "rb")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *unused):
        self._file.close()


class Hang(unittest.TestCase):
    def setUp(self):
        folder = harness.private_folder()
        self.disk = HangingDisk(folder)
        self.daemon = harness.Daemon("--lease", "600s", folder=folder)
        self.daemon.environment = self.disk.environment

    def test_others_are_served_meanwhile(self):
        with self.daemon as daemon, daemon.connect() as starter, daemon.connect() as player:
            self.assertEqual(player.start("viewer", "s").status, 201)
            for number in range(20):
                with self.disk:
                    # It comes alone, so whoever takes it waits for the disk in place.
                    starter.send(harness.start_request(f"user{number}", "s"))
                    for _ in range(50):
                        self.assertEqual(player.heartbeat("viewer", "s").status, 200)
                    with daemon.connect() as newcomer:
                        self.assertEqual(newcomer.get("/healthz").status, 200)
                        newcomer.send(harness.start_request(f"late{number}", "s"))
                        self.assertEqual(player.heartbeat("viewer", "s").status, 200)
                        self.assertEqual(select.select([newcomer.socket, starter.socket], [], [], 0)[0], [])
                self.assertEqual(starter.receive().status, 201)
            listed = player.get("/v1/users/viewer/sessions")
            self.assertEqual(listed.json()["concurrentSessions"], 1)

    def test_a_flood_meanwhile_is_shed(self):
        """What can wait does, the rest is refused at once; all is well as soon as the disk is."""
        clients, pipeline, room = 700, 100, 65_536
        with self.daemon as daemon, daemon.connect() as player, harness.Fleet(daemon.socket, clients) as fleet:
            self.assertEqual(player.start("viewer", "s").status, 201)
            with self.disk:
                for number, client in enumerate(fleet.connections):
                    client.socket.setblocking(True)
                    client.send(b"".join(harness.start_request(f"u{number}", f"s{each}") for each in range(pipeline)))
                while not re.search(rb'starts_total{outcome="failed"} [1-9]', player.get("/metrics").body):
                    self.assertEqual(player.heartbeat("viewer", "s").status, 200)
                self.assertEqual(player.start("late", "s").status, 503)
                self.assertIn(b"\r\nRetry-After: 1", player.start("late", "s").head)
            statuses = []
            for client in fleet.connections:
                client.socket.settimeout(client.timeout)
                statuses += [client.receive().status for _ in range(pipeline)]
            self.assertEqual(set(statuses), {201, 409, 503})
            self.assertLessEqual(statuses.count(503), clients * pipeline - room)
            self.assertEqual(player.start("late", "s").status, 201)

    def test_a_stop_waits_for_it(self):
        with self.daemon as daemon, daemon.connect() as starter, daemon.connect() as player:
            with self.disk:
                starter.send(harness.start_request("abc", "s"))
                self.assertEqual(player.get("/healthz").status, 200)
                daemon.process.send_signal(signal.SIGTERM)
            self.assertEqual(starter.receive().status, 201)
            self.assertEqual(daemon.process.wait(harness.seconds(20)), 0)
            daemon.start()
            with daemon.connect() as again:
                self.assertEqual(again.get("/v1/users/abc/sessions").json()["concurrentSessions"], 1)

    def test_a_kill_meanwhile_loses_nothing_that_was_answered(self):
        with self.daemon as daemon, daemon.connect() as starter, daemon.connect() as player:
            self.assertEqual(player.start("viewer", "s").status, 201)
            with self.disk:
                starter.send(harness.start_request("abc", "s"))
                self.assertEqual(player.heartbeat("viewer", "s").status, 200)
                daemon.kill()
            daemon.start()
            with daemon.connect() as again:
                self.assertEqual(again.get("/v1/users/viewer/sessions").json()["concurrentSessions"], 1)


if __name__ == "__main__":
    unittest.main()
