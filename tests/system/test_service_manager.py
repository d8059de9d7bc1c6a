"""The daemon under a service manager: readiness, the watchdog, more time for a long start, a socket that outlives it."""

import signal
import subprocess
import threading
import unittest

import harness
from service_manager import ServiceManager


class Notify(unittest.TestCase):
    def test_it_tells_when_it_is_ready_reloads_and_stops(self):
        folder = harness.private_folder()
        with ServiceManager(folder, listens=False) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder))
            with daemon:
                manager.expect("READY=1")
                daemon.reload({"limit": 5})
                reloading = manager.next()
                self.assertEqual(reloading[0], "RELOADING=1")
                self.assertRegex(reloading[1], "^MONOTONIC_USEC=[1-9][0-9]*$")
                self.assertEqual(manager.next(), ["READY=1"])
            self.assertEqual(manager.next(), ["STOPPING=1"])

    def test_once_it_says_that_it_is_ready_it_answers(self):
        folder = harness.private_folder()
        with ServiceManager(folder, listens=False) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder))
            process = subprocess.Popen(daemon.command(), stderr=subprocess.DEVNULL,
                                       env=harness.clean_environment(**daemon.environment))
            try:
                manager.expect("READY=1")
                with daemon.connect() as connection:
                    self.assertEqual(connection.start("abc", "s1").status, 201)
            finally:
                process.terminate()
                self.assertEqual(process.wait(harness.seconds(20)), 0)

    def test_a_start_that_takes_long_asks_for_time_before_it_is_ready(self):
        folder = harness.private_folder()
        with harness.Daemon(folder=folder) as daemon, daemon.connect() as connection:
            for number in range(3000):
                connection.start(f"u{number}", "s")
        with ServiceManager(folder, listens=False) as manager:
            with manager.manage(harness.Daemon(folder=folder)):
                self.assertIn(["EXTEND_TIMEOUT_USEC=60000000"], manager.expect("READY=1"))

    def test_the_watchdog_is_fed_as_long_as_the_loop_turns(self):
        folder = harness.private_folder()
        with ServiceManager(folder, listens=False, watchdog=0.3) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder))
            with daemon:
                for _ in range(5):
                    manager.expect("WATCHDOG=1")
                daemon.process.send_signal(signal.SIGSTOP)
                while manager.next(within=0.5):
                    pass  # what was said before it was stopped
                self.assertIsNone(manager.next(within=0.5))
                daemon.process.send_signal(signal.SIGCONT)
                manager.expect("WATCHDOG=1")

    def test_a_watchdog_of_another_process_is_none_of_its_own(self):
        folder = harness.private_folder()
        with ServiceManager(folder, listens=False, watchdog=0.03) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder))
            daemon.environment["WATCHDOG_PID"] = "1"
            with daemon:
                daemon.reload({"limit": 5})
            self.assertNotIn(["WATCHDOG=1"], manager.expect("STOPPING=1"))


class Client(threading.Thread):
    """Starts sessions, one `concur` each, until it has done enough; remembers which, and what was no answer."""

    def __init__(self, name, path):
        super().__init__()
        self._name, self._path = name, path
        self.enough = threading.Event()
        self.started, self.failures = [], []

    def run(self):
        number = 0
        while not self.enough.is_set():
            number += 1
            done = harness.concur("start", "--user", f"{self._name}-{number}", "--session", "s", socket=self._path)
            if done.returncode == 0:
                self.started.append(f"{self._name}-{number}")
            else:
                self.failures.append((done.returncode, done.stdout, done.stderr))


class Socket(unittest.TestCase):
    def test_who_connects_while_no_daemon_runs_is_answered_by_the_next(self):
        folder = harness.private_folder()
        with ServiceManager(folder) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder))
            with daemon:
                daemon.stop()
                self.assertTrue(daemon.socket.exists())
                with daemon.connect() as connection:
                    connection.send(harness.start_request("abc", "s1"))
                    daemon.start()
                    self.assertEqual(connection.receive().status, 201)

    def test_a_restart_under_load_is_no_error_to_anybody(self):
        folder = harness.private_folder()
        with ServiceManager(folder) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder))
            with daemon:
                manager.expect("READY=1")
                clients = [Client(f"c{number}", daemon.socket) for number in range(4)]
                for client in clients:
                    self.addCleanup(client.enough.set)
                    client.start()
                for _ in range(harness.rounds(10)):
                    before = [len(client.started) for client in clients]
                    daemon.restart()
                    manager.expect("READY=1")
                    harness.wait_until(
                        lambda before=before: all(len(client.started) > count for client, count in zip(clients, before)),
                        "each client gets answers again")
                for client in clients:
                    client.enough.set()
                    client.join()
                for client in clients:
                    self.assertEqual(client.failures, [])
                with daemon.connect() as connection:
                    for user in [user for client in clients for user in client.started]:
                        self.assertEqual(connection.list(user).json()["concurrentSessions"], 1)

    def test_what_an_idle_client_sends_to_a_daemon_that_stops_is_refused_unsent(self):
        folder = harness.private_folder()
        with ServiceManager(folder) as manager:
            with manager.manage(harness.Daemon(folder=folder)) as daemon, daemon.connect() as connection:
                self.assertEqual(connection.start("abc", "s1").status, 201)
                daemon.restart()
                with self.assertRaises(BrokenPipeError):
                    connection.send(harness.start_request("abc", "s2"))

    def test_the_socket_that_is_passed_goes_before_the_setting(self):
        folder = harness.private_folder()
        with ServiceManager(folder) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder))
            daemon.command = lambda: [*daemon.launcher, str(harness.DAEMON), "--socket", str(folder / "other.sock"),
                                      "--database", str(daemon.database), "--config", str(daemon.config)]
            with daemon:
                self.assertFalse((folder / "other.sock").exists())
                self.assertIn("the service manager passed it", daemon.log_tail())

    def test_a_second_daemon_does_not_take_the_socket_away(self):
        folder = harness.private_folder()
        with ServiceManager(folder) as manager:
            with manager.manage(harness.Daemon(folder=folder)) as daemon:
                second = subprocess.run([str(harness.DAEMON), "--socket", str(daemon.socket), "--database",
                                         str(folder / "other.db"), "--config", "/dev/null"], stderr=subprocess.PIPE,
                                        env=harness.clean_environment(), timeout=harness.seconds(20))
                self.assertEqual(second.returncode, 11, second.stderr)

    def test_what_is_no_listening_unix_socket_is_refused(self):
        folder = harness.private_folder()
        with ServiceManager(folder) as manager:
            daemon = manager.manage(harness.Daemon(folder=folder), count=2)
            self.assertIn("2 were passed", self._refusal(daemon))
            daemon.environment["LISTEN_FDS"] = "1"
            with open("/dev/null") as null:
                daemon.pass_fds = (null.fileno(),)
                daemon.launcher[3] = str(null.fileno())
                self.assertIn("cannot take over the socket", self._refusal(daemon))

    def _refusal(self, daemon):
        done = subprocess.run(daemon.command(), stderr=subprocess.PIPE, pass_fds=daemon.pass_fds, text=True,
                              env=harness.clean_environment(**daemon.environment), timeout=harness.seconds(20))
        self.assertEqual(done.returncode, 13, done.stderr)
        return done.stderr


if __name__ == "__main__":
    unittest.main()
