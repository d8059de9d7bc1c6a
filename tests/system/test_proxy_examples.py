"""The configurations of packaging/examples for proxies, each under the real program, failing open and failing closed: who
plays, who does not, and what a viewer cannot forge. Of Envoy and Traefik the exact requests are sent; they are not run."""

import contextlib
import http.client
import http.server
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import unittest

import harness
from test_proxies import accepts, free_port

EXAMPLES = harness.REPOSITORY / "packaging" / "examples"
SOCKET = "/run/concurrencyd/concurrencyd.sock"


class Origin(http.server.ThreadingHTTPServer):
    """Serves anything, cacheable, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self):
        self.requests = []
        super().__init__(("127.0.0.1", 0), OriginHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # proxies close connections as they like


class OriginHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        body = f"segment {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=60")
        self.end_headers()
        self.wfile.write(body)

    def do_OPTIONS(self):
        self.send_response(204)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()

    def log_message(self, *words):
        pass


class Viewers:
    """What each configuration must do. `FAILS` is open or closed."""

    FAILS = None
    SILENT = None  # the status where the daemon does not answer and the proxy fails closed
    daemon_options = ()
    daemon_settings = None

    def setUp(self):
        self.folder = harness.private_folder()
        os.chmod(self.folder, 0o755)
        self.daemon = self.enterContext(harness.Daemon("--socket-mode", "0666", *self.daemon_options, folder=self.folder,
                                                       settings=self.daemon_settings))
        self.origin = Origin()
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)
        self.port = free_port()
        self.begin()
        harness.wait_until(lambda: accepts(self.port), "the proxy listens")

    def example(self, name):
        """The text of an example, where the test has the socket, the site and the origin."""
        text = (EXAMPLES / name).read_text()
        for shown, here in ((SOCKET, str(self.daemon.socket)), ("127.0.0.1:9000", f"127.0.0.1:{self.origin.server_port}"),
                            ('"9000"', f'"{self.origin.server_port}"'), ("8080", str(self.port)),
                            ("/etc/haproxy", str(self.folder))):
            text = text.replace(shown, here)
        return text

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def run_proxy(self, *words, **environment):
        with open(self.folder / "proxy.log", "ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                       env=harness.clean_environment(**environment), preexec_fn=harness._die_with_parent)

        def end():
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(harness.seconds(20))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self.addCleanup(end)

    def ask(self, user="abc", session=None, path="/live/seg.ts", method="GET", **fields):
        cookies = [f"{name}={value}" for name, value in (("account", user), ("playback", session)) if value]
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if cookies:
            headers["Cookie"] = "; ".join(["other=1", *cookies])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.seconds(30))
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    def status(self, *who, **more):
        return self.ask(*who, **more)[0]

    def end(self, session, user="abc"):
        with self.daemon.connect() as connection:
            self.assertTrue(connection.end(user, session).json()["ended"])

    def active(self, user="abc"):
        with self.daemon.connect() as connection:
            return [each["session"] for each in connection.list(user).json()["sessions"]]

    def test_three_play_the_fourth_does_not_until_one_is_gone(self):
        for session in ("s1", "s2", "s3"):
            for _ in range(2):
                status, body, _ = self.ask("abc", session, "/live/seg.ts?a=b")
                self.assertEqual((status, body), (200, b"segment /live/seg.ts?a=b"), self.proxy_log())
        for _ in range(2):
            status, body, _ = self.ask("abc", "s4", "/live/seg.ts?a=b")
            self.assertEqual(status, 403)
            for secret in (b"s1", b"segment", b"127.0.0.1"):
                self.assertNotIn(secret, body)
        self.assertEqual(self.active(), ["s1", "s2", "s3"])
        self.end("s2")
        self.assertEqual(self.status("abc", "s2"), 403, "an ended one is not revived")
        self.assertEqual(self.status("abc", "s4", "/live/seg.ts?a=b"), 200, "no denial is cached")
        self.assertEqual(self.status("abc", "s1"), 200)
        with self.daemon.connect() as connection:
            connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        self.assertEqual([self.status("abc", session) for session in ("s1", "s3", "s4")], [403] * 3)
        self.assertEqual(self.status("abc", "s5"), 200)

    def test_players_are_known_by_cmcd_and_by_what_apple_sends(self):
        self.assertEqual(self.status("abc", CMCD_Session='sid="cm-1",st=l'), 200)
        self.assertEqual(self.status("abc", X_Playback_Session_Id="AV-1"), 200)
        self.assertEqual(self.status("abc", path="/live/seg.ts?CMCD=sid%3D%22cm-2%22"), 200)
        self.assertEqual(self.active(), ["cm-1", "AV-1", "cm-2"])
        self.assertEqual(self.status("abc", X_Playback_Session_Id="AV-2"), 403)
        with self.daemon.connect() as connection:
            self.assertEqual({each["ip"] for each in connection.list("abc").json()["sessions"]}, {"127.0.0.1"})

    def test_who_is_nobody_is_asked_for_and_in_no_session_refused(self):
        self.assertEqual(self.status(None, "s1"), 401)
        self.assertEqual(self.status("abc"), 403)
        self.assertEqual(self.origin.requests, [])

    def test_a_viewer_forges_nothing(self):
        forged = {"X_Concur_User": "eve", "X_Concur_Session": "forged", "X_Concur_Device": "forged", "X_Concur_IP": "192.0.2.66",
                  "X_Concur_Content": "forged", "X_Concur_Type": "forged", "X_Concur_Kind": "forged", "X_Original_URI": "/?CMCD=sid%3D%22forged%22", "X_Forwarded_Uri": "/?user=eve",
                  "X_Forwarded_For": "192.0.2.66", "X_Api_Key": "forged", "Authorization": "Bearer forged",
                  "Origin": "https://site.example", "Sec_Fetch_Site": "cross-site", "Host": "site.example"}
        query = "/live/seg.ts?user=eve&session=forged&device=forged&ip=192.0.2.66&content=forged&type=forged&kind=forged"
        self.assertEqual(self.status(None, None, query, **forged), 401)
        self.assertEqual(self.status("abc", "s1", query, **forged), 200, self.proxy_log())
        self.assertEqual((self.active("eve"), self.active("abc")), ([], ["s1"]))
        with self.daemon.connect() as connection:
            session, = connection.list("abc").json()["sessions"]
        self.assertEqual((session.get("device"), session.get("content"), session.get("meta"), session["ip"]),
                         (None, None, None, "127.0.0.1"))
        self.assertEqual(self.status("abc&user=eve", "s1&session=s9"), 200)
        self.assertEqual(self.active("eve"), [])

    def test_a_preflight_passes_and_counts_nothing(self):
        status, _, headers = self.ask(None, None, method="OPTIONS", Origin="https://site.example",
                                      Access_Control_Request_Method="GET")
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (204, "*"))

    def test_where_the_daemon_is_gone_viewers_fare_as_the_operator_chose(self):
        for session in ("s1", "s2", "s3"):
            self.assertEqual(self.status("abc", session), 200)
        self.daemon.kill()
        for session in ("s1", "s4"):
            status, body, _ = self.ask("abc", session, "/live/other.ts")
            if self.FAILS == "open":
                self.assertEqual((status, body), (200, b"segment /live/other.ts"), self.proxy_log())
            else:
                self.assertEqual(status, self.SILENT)
        self.daemon.start()
        harness.wait_until(lambda: self.status("abc", "s1") == 200 and self.status("abc", "s4") == 403,
                           "the proxy finds the daemon again")

    def test_where_the_daemon_cannot_decide_as_well(self):
        self.assertEqual(self.status("abc", "s1"), 200)
        unlimited = resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
        self.assertEqual(self.status("bob", "s1"), 200 if self.FAILS == "open" else self.SILENT_BUT_THERE, self.proxy_log())
        self.assertEqual(self.status("abc", "s1"), 200, "what needs no disk goes on")
        resource.prlimit(self.daemon.pid, resource.RLIMIT_FSIZE, unlimited)

    def test_a_viewer_cannot_make_it_fail_open(self):
        for session in ("s1", "s2", "s3"):
            self.assertEqual(self.status("abc", session), 200)
        long_query = "/live/seg.ts?" + "x" * 7000
        for more in ({"path": long_query}, {"path": long_query, "CMCD_Session": 'x="' + "y" * 1500 + '"'},
                     {"path": "/live/seg.ts?CMCD=%zz"}, {"CMCD_Session": "\"\\,="}):
            status, body, _ = self.ask("abc", "s4", **more)
            self.assertNotEqual(status, 200, (status, body[:100], more))
        self.assertEqual(self.active(), ["s1", "s2", "s3"])

    def proxy_log(self):
        return (self.folder / "proxy.log").read_text()[-3000:]


class Nginx(Viewers):
    SILENT = SILENT_BUT_THERE = 500

    def begin(self):
        config = self.write("nginx.conf", f"""
daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/proxy.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  {self.example(f"nginx/{self.FAILS}.conf").replace("listen ", "listen 127.0.0.1:")}
}}
""")
        self.run_proxy("nginx", "-e", str(self.folder / "proxy.log"), "-c", config, "-p", str(self.folder))


class HaProxy(Viewers):
    SILENT = SILENT_BUT_THERE = 503

    def begin(self):
        self.write("concurrencyd.lua", self.example("haproxy/concurrencyd.lua"))
        config = self.write("haproxy.cfg", self.example(f"haproxy/{self.FAILS}.cfg").replace("bind :", "bind 127.0.0.1:"))
        self.run_proxy("haproxy", "-db", "-f", config)


class Caddy(Viewers):
    SILENT, SILENT_BUT_THERE = 502, 503

    def begin(self):
        text = "{\n\tadmin off\n\tauto_https off\n}\n" + self.example(f"caddy/{self.FAILS}.Caddyfile")
        config = self.write("Caddyfile", text)
        self.run_proxy("caddy", "run", "--config", config, "--adapter", "caddyfile", XDG_DATA_HOME=str(self.folder),
                       XDG_CONFIG_HOME=str(self.folder), HOME=str(self.folder))


class Varnish(Viewers):
    SILENT = SILENT_BUT_THERE = 503

    def begin(self):
        config = self.write("site.vcl", self.example(f"varnish/{self.FAILS}.vcl"))
        self.run_proxy("varnishd", "-F", "-j", "none", "-n", str(self.folder / "v"), "-a", f"127.0.0.1:{self.port}",
                       "-f", config, "-s", "default,16m", "-p", "thread_pools=1")

    def test_what_is_cached_is_asked_about_too(self):
        for session in ("s1", "s2", "s3"):
            self.assertEqual(self.status("abc", session, "/live/one.ts"), 200)
        self.assertEqual([path for path, _ in self.origin.requests], ["/live/one.ts"])
        self.assertEqual(self.status("abc", "s4", "/live/one.ts"), 403)


@harness.needs("traffic_server")
class TrafficServer(Viewers, unittest.TestCase):
    """It asks over TCP and knows nothing but closed; whom it is asked for the daemon's own settings say."""

    FAILS, SILENT, SILENT_BUT_THERE = "closed", 502, 503

    def setUp(self):
        self.tcp_port = free_port()
        self.daemon_options = ("--listen", f"127.0.0.1:{self.tcp_port}")
        said = re.findall(r"^#   (authorize-[a-z]+) = ?(.*)$", (EXAMPLES / "trafficserver/remap.config").read_text(), re.M)
        self.daemon_settings = dict(said)
        self.assertEqual(len(said), 7)
        super().setUp()

    def begin(self):
        etc = self.folder / "etc"
        for folder in (etc, self.folder / "cache", self.folder / "run", self.folder / "logs"):
            folder.mkdir()
        text = self.example("trafficserver/remap.config")
        records = re.findall(r"^#   (CONFIG .*)$", text, re.M)
        self.assertEqual(len(records), 2)
        text = text.replace("127.0.0.1:8081", f"127.0.0.1:{self.tcp_port}").replace("http://site.example/", f"http://127.0.0.1:{self.port}/")
        # Hosts that tests name, too.
        text += re.findall("^map http://127.*$", text, re.M)[0].replace(f"http://127.0.0.1:{self.port}/", "http://site.example/", 1) + "\n"
        (etc / "remap.config").write_text(text)
        (etc / "storage.config").write_text(f"{self.folder}/cache 32M\n")
        (etc / "plugin.config").write_text("")
        (etc / "ip_allow.yaml").write_text("ip_allow:\n- apply: in\n  ip_addrs: 0/0\n  action: allow\n  methods: ALL\n")
        (etc / "records.config").write_text("\n".join([
            *records, f"CONFIG proxy.config.http.server_ports STRING {self.port}:ip-in=127.0.0.1",
            "CONFIG proxy.config.admin.user_id STRING #-1", "CONFIG proxy.config.exec_thread.autoconfig INT 0",
            "CONFIG proxy.config.exec_thread.limit INT 1", "CONFIG proxy.config.http.down_server.cache_time INT 0",
            "CONFIG proxy.config.http.connect_attempts_max_retries INT 0",
            "CONFIG proxy.config.url_remap.pristine_host_hdr INT 0"]) + "\n")
        (self.folder / "runroot.yaml").write_text("\n".join([
            f"prefix: {self.folder}", f"exec_prefix: {self.folder}", f"sysconfdir: {etc}", "bindir: /usr/bin", "sbindir: /usr/sbin",
            "libexecdir: /usr/lib/trafficserver/modules", "libdir: /usr/lib/trafficserver", f"localstatedir: {self.folder}",
            f"runtimedir: {self.folder}/run", f"logdir: {self.folder}/logs", f"cachedir: {self.folder}/cache",
            f"datadir: {self.folder}"]) + "\n")
        self.run_proxy("traffic_server", f"--run-root={self.folder}/runroot.yaml")


def of_each(program, case):
    """Two test cases of one configuration: failing open, failing closed."""
    for fails in ("open", "closed"):
        name = f"{case.__name__}{fails.capitalize()}"
        one = type(name, (case, unittest.TestCase), {"FAILS": fails, "__module__": __name__})
        globals()[name] = harness.needs(program)(one)


of_each("nginx", Nginx)
of_each("haproxy", HaProxy)
of_each("caddy", Caddy)
of_each("varnishd", Varnish)


@harness.needs("nginx")
class Pilot(Nginx, unittest.TestCase):
    """nginx's mirror and a daemon that only observes: nobody is refused, and the report says who would be."""

    FAILS = "observe"
    daemon_options = ("--mode", "observe")

    def test_everybody_plays_and_the_report_says_who_would_not(self):
        for session in ("s1", "s2", "s3", "s4"):
            status, body, _ = self.ask("abc", session, "/live/x.ts?user=eve")
            self.assertEqual((status, body), (200, b"segment /live/x.ts?user=eve"))

        def reported():
            with self.daemon.connect() as connection:
                users = connection.get("/v1/report").json()["users"]
            return {each["user"]: each["denials"] for each in users} == {"abc": 1}

        harness.wait_until(reported, "the copies have come")
        self.daemon.kill()
        self.assertEqual(self.status("abc", "s9"), 200)
        self.daemon.start()


class ByTheirRequests(unittest.TestCase):
    """What Envoy and Traefik send, byte for byte, as far as the examples make them; the programs are not run."""

    def asked(self, connect, text):
        with contextlib.closing(connect()) as client:
            client.settimeout(harness.seconds(20))
            client.sendall(text.replace("\n", "\r\n").encode())
            answer, = harness.ResponseParser().feed(client.recv(65536))
        return answer

    # ext_authz_http_impl.cc: the viewer's method and path behind the prefix, the named fields, an empty body
    ENVOY = ("{method} /v1/authorize{path} HTTP/1.1\nhost: localhost\ncontent-length: 0\nx-concur-user: abc\n"
             "x-concur-session: {session}\nx-envoy-internal: true\nx-envoy-expected-rq-timeout-ms: 250\n\n")

    def test_envoy_takes_200_alone(self):
        for name in ("open", "closed"):
            text = (EXAMPLES / f"envoy/{name}.yaml").read_text()
            self.assertIn("path_prefix: /v1/authorize\n", text)
            self.assertIn(f"path: {SOCKET}\n", text)
            self.assertIn(f"failure_mode_allow: {str(name == 'open').lower()}\n", text)
        with harness.Daemon() as daemon:
            def connect():
                client = socket.socket(socket.AF_UNIX)
                client.connect(str(daemon.socket))
                return client

            statuses = [self.asked(connect, self.ENVOY.format(method=method, path="/live/x.ts?user=eve&%zz", session=session)).status
                        for method, session in (("GET", "s1"), ("GET", "s2"), ("GET", "s3"), ("GET", "s4"), ("OPTIONS", "s9"))]
            self.assertEqual(statuses, [200, 200, 200, 403, 200])
            denied = self.asked(connect, self.ENVOY.format(method="GET", path="/", session="s4"))
            self.assertEqual(set(denied.json()), {"error", "message"})

    # middlewares/auth/forward.go, with Go's client
    TRAEFIK = ("GET /v1/authorize HTTP/1.1\nHost: 127.0.0.1:{port}\nUser-Agent: Go-http-client/1.1\nX-Concur-Session: {session}\n"
               "X-Concur-User: abc\nX-Forwarded-For: 192.0.2.9\nX-Forwarded-Host: site.example\nX-Forwarded-Method: GET\n"
               "X-Forwarded-Port: 443\nX-Forwarded-Proto: https\nX-Forwarded-Server: edge\n"
               "X-Forwarded-Uri: /live/x.ts?CMCD=cid%3D%22film%22\nAccept-Encoding: gzip\n\n")

    def test_traefik_asks_a_fixed_address(self):
        text = (EXAMPLES / "traefik/closed.yml").read_text()
        settings = dict(re.findall(r"^#   (authorize-[a-z]+) = (.*)$", text, re.M))
        self.assertIn("address: http://127.0.0.1:8081/v1/authorize\n", text)
        port = free_port()
        with harness.Daemon("--listen", f"127.0.0.1:{port}", settings=settings) as daemon:
            def connect():
                return socket.create_connection(("127.0.0.1", port))

            statuses = [self.asked(connect, self.TRAEFIK.format(port=port, session=f"s{n}")).status for n in range(4)]
            self.assertEqual(statuses, [204, 204, 204, 403])
            with daemon.connect() as connection:
                self.assertEqual({each["content"] for each in connection.list("abc").json()["sessions"]}, {"film"})


for name in [name for name in dir(Viewers) if name.startswith("test_")]:
    setattr(Pilot, name, None)


if __name__ == "__main__":
    unittest.main()
