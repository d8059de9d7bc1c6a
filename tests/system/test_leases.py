"""Leases over the events that shake clocks and processes: suspend, kill -9 after a change of lease, a stop in the middle of a
request, signals during start-up. (Wall-clock jumps and restarts in numbers: replay_evening.py; kill under load: test_kill.py.)"""

import signal
import subprocess
import threading
import time
import unittest

import harness
from harness import SECOND


class Suspend(unittest.TestCase):
    def test_it_neither_expires_all_at_once_nor_lets_them_live_for_ever(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        with harness.Daemon("--lease", "90s", clock=clock, folder=folder) as daemon, daemon.connect() as connection:
            for session in ("s1", "s2", "s3"):
                self.assertEqual(connection.start("abc", session).status, 201)
            clock.suspend(daemon, 3600 * SECOND)
            self.assertEqual(connection.start("abc", "s4").status, 409)
            self.assertEqual(connection.heartbeat("abc", "s1").status, 200)
            clock.advance(30 * SECOND)
            answer = connection.heartbeat("abc", "s2")
            self.assertEqual((answer.status, answer.json()["reason"]), (410, "expired"))
            self.assertEqual(connection.list("abc").json()["concurrentSessions"], 1)


class Crash(unittest.TestCase):
    def test_a_lease_changed_by_a_repeat_survives_kill_9(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        with harness.Daemon(clock=clock, folder=folder) as daemon:
            with daemon.connect() as connection:
                self.assertEqual(connection.start("abc", "s1", {"ttl": 2}).status, 201)
                self.assertEqual(connection.start("abc", "s1", {"ttl": 3600}).status, 200)
            daemon.kill()
            clock.advance(600 * SECOND)
            daemon.start()
            clock.advance(600 * SECOND)
            with daemon.connect() as connection:
                self.assertEqual(connection.heartbeat("abc", "s1").status, 200)

    def test_what_had_expired_before_a_clean_stop_stays_so(self):
        folder = harness.private_folder()
        clock = harness.TestClock(folder)
        with harness.Daemon("--lease", "40s", clock=clock, folder=folder) as daemon:
            with daemon.connect() as connection:
                for number in range(200):
                    connection.start(f"u{number}", "s")
                clock.advance(41 * SECOND)
            daemon.restart()
            with daemon.connect() as connection:
                for number in range(200):
                    self.assertEqual(connection.heartbeat(f"u{number}", "s").status, 404)


class Stop(unittest.TestCase):
    def test_a_request_that_is_still_arriving_is_answered(self):
        with harness.Daemon() as daemon:
            with daemon.connect() as connection:
                body = b'{"ttl":60}'
                connection.send(b"PUT /v1/users/a/sessions/b HTTP/1.1\r\nContent-Le")
                with daemon.connect() as other:  # the part above has been read when this is answered
                    self.assertEqual(other.get("/healthz").status, 200)
                daemon.process.send_signal(signal.SIGTERM)
                harness.wait_until(lambda: not self.listens(daemon), "the stop has begun")
                for part in (b"ngth: 10\r\n\r\n" + body[:4], body[4:7], body[7:]):
                    connection.send(part)
                    time.sleep(0.05)  # so that the parts arrive apart; were they to arrive together, nothing would be wrong
                answer = connection.receive()
                self.assertEqual((answer.status, answer.header("Connection")), (201, "close"))
            self.assertEqual(daemon.process.wait(harness.seconds(20)), 0)
            self.assertNotIn("still busy", daemon.log_tail())
            daemon.start()

    @staticmethod
    def listens(daemon):
        try:
            daemon.connect().close()
            return True
        except OSError:
            return False

    def test_a_client_that_never_ceases_does_not_hold_it_up(self):
        with harness.Daemon() as daemon:
            with daemon.connect() as connection:
                request = harness.start_request("abc", "s1")
                ceased = threading.Event()

                def press():
                    try:
                        while not ceased.is_set():
                            connection.socket.sendall(request * 50 + request[:20])
                            connection.socket.sendall(request[20:])
                    except OSError:
                        pass  # closed by the daemon, as it should

                def swallow():
                    try:
                        while connection.socket.recv(65536):
                            pass
                    except OSError:
                        pass

                threads = [threading.Thread(target=press), threading.Thread(target=swallow)]
                for thread in threads:
                    thread.start()
                try:
                    daemon.process.send_signal(signal.SIGTERM)
                    self.assertEqual(daemon.process.wait(harness.seconds(14)), 0)
                finally:
                    ceased.set()
                    for thread in threads:
                        thread.join()
            daemon.start()

    def test_a_signal_during_start_up_waits_for_its_end(self):
        for number in range(20):
            folder = harness.private_folder()
            database = folder / "db"
            lock = folder / "db.lock"
            process = subprocess.Popen([str(harness.DAEMON), "--socket", str(folder / "s"), "--database", str(database),
                                        "--config", "/dev/null"], stderr=subprocess.DEVNULL,
                                       env=harness.clean_environment())
            try:
                # The lock is taken first of all; from then on signals are held.
                harness.wait_until(lock.exists, "the daemon locks its database", pause=0)
                process.send_signal(signal.SIGHUP if number % 2 else signal.SIGTERM)
                if number % 2:
                    process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(harness.seconds(20)), 0)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()


if __name__ == "__main__":
    unittest.main()
