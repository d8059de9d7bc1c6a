"""The daemon under a service manager: readiness, the watchdog, more time for a long start, a socket that outlives it."""

import signal
import socket
import subprocess
import threading
import unittest

import doors
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
            daemon = manager.manage(harness.Daemon(folder=folder))
            for count in ("33", "x", "-1"):
                daemon.environment["LISTEN_FDS"] = count
                self.assertIn(f"cannot take over {count} sockets", self._refusal(daemon))
            with open("/dev/null") as null:
                manager.pass_on(daemon, manager.listener, null)
                self.assertIn("cannot take over socket 2 of 2: Socket operation on non-socket", self._refusal(daemon))
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):  # one that does not listen, and one that cannot
                with socket.socket(socket.AF_INET, kind) as other:
                    manager.pass_on(daemon, other, manager.listener)
                    self.assertIn("cannot take over socket 1 of 2: it is neither", self._refusal(daemon))

    def test_all_that_are_passed_are_served(self):
        folder = harness.private_folder()
        with ServiceManager(folder) as manager, socket.socket(socket.AF_UNIX) as other, \
                socket.create_server(("127.0.0.1", 0)) as tcp:
            other.bind(str(folder / "other.sock"))
            other.listen()
            daemon = manager.manage(harness.Daemon("--listen", "127.0.0.1:0", folder=folder), other, tcp)
            with daemon:
                manager.expect("READY=1")
                for path in (daemon.socket, folder / "other.sock"):
                    with harness.Connection(path, timeout=20) as connection:
                        self.assertEqual(connection.get("/v1/sessions").status, 200, path)
                for port in (tcp.getsockname()[1], doors.tcp_port(daemon)):
                    connection = doors.http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                    self.addCleanup(connection.close)
                    self.assertEqual(doors.ask(connection, "GET", "/v1/status")[0], 200)
                    self.assertEqual(doors.ask(connection, "GET", "/v1/sessions")[0], 403)
                    self.assertEqual(doors.ask(connection, "GET", "/v1/status", headers={"Host": "evil.example"})[0], 403)
                # They go on listening: who comes while there is no daemon is answered by the next.
                daemon.stop()
                with harness.Connection(folder / "other.sock", timeout=20) as connection, \
                        socket.create_connection(tcp.getsockname(), timeout=20) as client:
                    for each in (connection.socket, client):
                        each.sendall(harness.request("GET", "/healthz"))
                    daemon.start()
                    self.assertEqual(connection.receive().status, 200)
                    self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200 "))
            self.assertTrue((folder / "other.sock").exists())

    def test_tcp_alone_comes_beside_the_settings_socket_by_the_rules_of_listen(self):
        folder = harness.private_folder()
        keys = doors.Keys(folder)
        with ServiceManager(folder, listens=False) as manager, socket.create_server(("0.0.0.0", 0)) as tcp:
            daemon = manager.manage(harness.Daemon(folder=folder))
            manager.pass_on(daemon, tcp)
            self.assertIn("without --api-key-file it takes a loopback address", self._refusal(daemon, code=2))
            daemon.options += ["--api-key-file", str(keys.path)]
            with daemon:
                connection = doors.http.client.HTTPConnection("127.0.0.1", tcp.getsockname()[1], timeout=20)
                self.addCleanup(connection.close)
                key = {"x-api-key": keys.of["client"]}
                self.assertEqual(doors.ask(connection, "GET", "/v1/status", headers=key)[0], 200)
                self.assertEqual(doors.ask(connection, "GET", "/v1/status")[0], 403)
            self.assertFalse(daemon.socket.exists())

    def _refusal(self, daemon, code=13):
        done = subprocess.run(daemon.command(), stderr=subprocess.PIPE, pass_fds=daemon.pass_fds, text=True,
                              env=harness.clean_environment(**daemon.environment), timeout=harness.seconds(20))
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr


if __name__ == "__main__":
    unittest.main()
