"""The callbacks of media servers, by the exact requests that these send; the servers themselves are not run here."""

import json
import socket
import unittest
import urllib.parse

import doors
import harness

# As ngx_rtmp_netcall_http_format_session() and ngx_rtmp_notify_module.c write them.
RTMP_SESSION = ("app=live&flashver=LNX%209%2C0%2C124%2C2&swfurl=&tcurl=rtmp%3A//edge/live&pageurl=&addr={addr}&"
                "clientid={client}")
RTMP = {"play": "&call=play&name={name}&start=4294965296&duration=0&reset=0&{args}",
        "update_play": "&call=update_play&time=30&timestamp=30000&name={name}&{args}",
        "play_done": "&call=play_done&name={name}&{args}",
        "publish": "&call=publish&name={name}&type=live&{args}"}


class Hooks(unittest.TestCase):
    OPTIONS = []

    def setUp(self):
        self.folder = harness.private_folder()
        self.daemon = self.enterContext(harness.Daemon(*self.OPTIONS, folder=self.folder))
        self.connection = self.enterContext(self.daemon.connect())

    def sessions(self, user="abc"):
        return {each["session"]: each for each in self.connection.list(user).json()["sessions"]}

    def post(self, dialect, query, body, kind="application/json"):
        target = f"/v1/hooks/{dialect}" + (f"?{query}" if query else "")
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.connection.ask((f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
                                    f"Content-Length: {len(data)}\r\n\r\n").encode() + data)


class Srs(Hooks):
    # SrsHttpHooks::on_play() and on_stop(), 5.0
    def event(self, action, client, args="?user=abc", query="user=param:user&ttl=6h&tag=edge1", **more):
        body = {"server_id": "vid-0xk989d", "service_id": "382k7e2", "action": action, "client_id": client, "ip": "192.0.2.9",
                "vhost": "__defaultVhost__", "app": "live", "stream": "tv1", "param": args, "tcUrl": "rtmp://edge/live",
                "stream_url": "/live/tv1", "stream_id": "vid-124q9y3"} | more
        return self.post("srs", query, body)

    def test_three_play_the_fourth_is_refused_and_one_stops(self):
        for client in ("c1", "c2", "c3"):
            answer = self.event("on_play", client, pageUrl="http://site.example/")
            self.assertEqual((answer.status, answer.body), (200, b'{"code":0}'))
        answer = self.event("on_play", "c4")
        self.assertEqual(answer.status, 403)
        self.assertEqual(answer.json(), {"code": 403, "msg": "User abc is trying to watch 4 streams at once, which is too many."})
        answer = self.event("on_stop", "c2")
        self.assertEqual((answer.status, answer.json()), (200, {"code": 0}))
        self.assertEqual(self.event("on_play", "c4").status, 200)
        sessions = self.sessions()
        self.assertEqual(list(sessions), ["edge1-c1", "edge1-c3", "edge1-c4"])
        self.assertEqual((sessions["edge1-c1"]["ip"], sessions["edge1-c1"]["content"]), ("192.0.2.9", "live/tv1"))
        lease = harness.milliseconds(sessions["edge1-c1"]["expiresAt"]) - harness.milliseconds(sessions["edge1-c1"]["startedAt"])
        self.assertEqual(lease, 6 * 3600 * 1000)

    def test_others_are_allowed_and_not_counted(self):
        for action in ("on_publish", "on_unpublish", "on_dvr", "on_hls", "on_connect", "on_close", "on_forward"):
            answer = self.event(action, "c1")
            self.assertEqual((answer.status, answer.json()), (200, {"code": 0}))
        self.assertEqual(self.sessions(), {})

    def test_without_a_user_nobody_watches(self):
        self.assertEqual(self.event("on_play", "c1", args="").status, 401)
        self.assertEqual(self.event("on_play", "", query="user=param:user").status, 401)
        answer = self.event("on_stop", "")
        self.assertEqual((answer.status, answer.json()), (200, {"code": 0}))
        self.assertIn("the hook srs was refused: cannot say whether this may be watched: it is not known by whom",
                      self.daemon.log_text())

    def test_an_end_that_overtakes_its_start_refuses_it(self):
        self.assertEqual(self.event("on_stop", "c1").status, 200)
        self.assertEqual(self.event("on_play", "c1").status, 403)
        self.assertEqual(self.event("on_play", "c2").status, 200)
        self.assertEqual(list(self.sessions()), ["edge1-c2"])

    def test_who_played_before_may_play_anew(self):
        for _ in range(2):
            self.assertEqual(self.event("on_play", "c1").status, 200)
            self.assertEqual(self.event("on_stop", "c1").status, 200)
            self.assertEqual(self.event("on_stop", "c1").status, 200)  # some come twice

    def test_what_the_url_says_of_the_limit_holds(self):
        for client in ("c1", "c2", "c3", "c4"):
            self.assertEqual(self.event("on_play", client, query="user=param:user&on-limit=evict-oldest&limit=9").status, 200)
        self.assertEqual(list(self.sessions()), ["c2", "c3", "c4"])

    def test_a_url_or_body_that_cannot_be_read_is_no_denial(self):
        for query in ("user=nobody", "user=param:user&ttl=soon"):
            answer = self.event("on_play", "c1", query=query)
            self.assertEqual((answer.status, answer.json()["code"]), (503, 503))
        self.assertEqual(self.post("srs", "", b"not JSON").status, 503)
        self.assertIn("cannot read the hook's URL: 'user'", self.daemon.log_text())


class NginxRtmp(Hooks):
    def notify(self, call, client, args="user=abc", name="tv1", addr="192.0.2.9", query="user=param:user&tag=e1", method="POST"):
        """HTTP/1.0 as ngx_rtmp_netcall_http_format_request() writes it, on a connection of its own."""
        form = (RTMP_SESSION + RTMP[call]).format(addr=addr, client=client, name=name, args=args)
        uri = f"/v1/hooks/nginx-rtmp?{query}"
        body = form if method == "POST" else ""
        if method == "GET":
            uri += f"?{form}"
        with socket.socket(socket.AF_UNIX) as server:
            server.settimeout(harness.seconds(20))
            server.connect(str(self.daemon.socket))
            server.sendall((f"{method} {uri} HTTP/1.0\r\nHost: 127.0.0.1:8080\r\n"
                            "Content-Type: application/x-www-form-urlencoded\r\nConnection: Close\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
            got = b"".join(iter(lambda: server.recv(65536), b""))
        self.assertTrue(got.startswith(b"HTTP/1."), got)
        return int(got.split()[1])

    def test_plays_updates_and_ends_by_either_method(self):
        for method in ("POST", "GET"):
            for client in (1, 2, 3):
                self.assertEqual(self.notify("play", client, method=method), 200)
            self.assertEqual(self.notify("play", 4, method=method), 403)
            self.assertEqual(self.notify("update_play", 1, method=method), 200)
            self.assertEqual(list(self.sessions()), ["e1-1-tv1", "e1-2-tv1", "e1-3-tv1"])
            for client in (1, 2, 3):
                self.assertEqual(self.notify("play_done", client, method=method), 200)
            self.assertEqual(self.sessions(), {})

    def test_update_alone_is_start_and_heartbeat_and_revives_nobody(self):
        self.assertEqual(self.notify("update_play", 1), 200)
        self.assertEqual(list(self.sessions()), ["e1-1-tv1"])
        self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        self.assertEqual(self.notify("update_play", 1), 403)
        self.assertEqual(self.notify("play", 1), 200)
        self.assertEqual(self.notify("update_play", 1), 200)

    def test_what_it_pulls_itself_and_who_publishes_is_not_counted(self):
        self.assertEqual(self.notify("play", 1, args="", addr="unix:"), 200)
        self.assertEqual(self.notify("publish", 1, args=""), 200)
        self.assertEqual(self.sessions(), {})

    def test_a_viewer_says_nothing_that_is_the_operators(self):
        forged = "user=abc&session=field:app&tag=x&on-limit=evict-oldest&ttl=30d&addr=unix:&call=publish&clientid=9&%=%zz"
        for method in ("POST", "GET"):
            for client in (1, 2, 3):
                self.assertEqual(self.notify("play", client, forged, method=method), 200)
            self.assertEqual(self.notify("play", 4, forged, method=method), 403)
            sessions = self.sessions()
            self.assertEqual(list(sessions), ["e1-1-tv1", "e1-2-tv1", "e1-3-tv1"])
            first = sessions["e1-1-tv1"]
            self.assertEqual(harness.milliseconds(first["expiresAt"]) - harness.milliseconds(first["lastSeenAt"]), 90_000)
            self.connection.ask(harness.request("POST", "/v1/purge", {"user": "abc"}))
        self.assertEqual(self.notify("play", 1, "user=abc&user=eve"), 401)


class Flussonic(Hooks):
    def ask(self, kind, session, number=0, query="user=field:token", **more):
        fields = {"name": "tv1", "proto": "hls", "ip": "192.0.2.9", "request_type": kind, "request_number": number,
                  "session_id": session, "stream_clients": 1, "total_clients": 5, "token": "abc", "user_agent": "vlc/3"} | more
        return self.connection.get(f"/v1/hooks/flussonic?{query}&{urllib.parse.urlencode(fields)}")

    def test_it_asks_again_a_third_of_a_lease_later(self):
        for session in ("f1", "f2", "f3"):
            answer = self.ask("new_session", session)
            self.assertEqual((answer.status, answer.header("X-AuthDuration"), answer.header("X-UserId")), (200, "30", "abc"))
        answer = self.ask("new_session", "f4")
        self.assertEqual((answer.status, answer.header("X-AuthDuration")), (403, "10"))
        self.assertEqual(self.ask("update_session", "f1", 1).status, 200)
        self.connection.end("abc", "f1")
        self.assertEqual(self.ask("update_session", "f1", 2).status, 403)
        self.assertEqual(self.ask("new_session", "f4").status, 200)
        self.assertEqual(self.ask("new_session", "f9", query="user=field:token&ttl=30s", token="bob").header("X-AuthDuration"),
                         "10")

    def test_without_a_user_it_is_denied(self):
        self.assertEqual(self.ask("new_session", "f1", token="").status, 403)


class MediaMtx(Hooks):
    # AuthRequest of internal/auth/manager.go, 1.9 and later
    def ask(self, action, identifier, protocol="hls", query="user=param:user", **more):
        return self.post("mediamtx", query, {
            "user": "", "password": "", "token": "", "ip": "192.0.2.9", "action": action, "path": "live/tv1",
            "protocol": protocol, "id": identifier, "query": "user=abc", "userAgent": "vlc"} | more)

    def test_readers_are_counted_by_their_ids(self):
        for number in range(3):
            answer = self.ask("read", f"0b6ac7c2-{number}")
            self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(self.ask("playback", "0b6ac7c2-3").status, 403)
        self.assertEqual(self.ask("read", None).status, 204)
        self.assertEqual(len(self.sessions()), 3)
        session = self.sessions()["0b6ac7c2-0"]
        self.assertEqual(harness.milliseconds(session["expiresAt"]) - harness.milliseconds(session["startedAt"]), 600_000)

    def test_rtsp_asks_twice_for_one(self):
        self.assertEqual(self.ask("read", "describe", "rtsp").status, 204)
        self.assertEqual(self.ask("read", "setup", "rtsp").status, 204)
        self.assertEqual(list(self.sessions()), ["setup"])

    def test_publishers_and_the_control_api_are_refused_unless_the_url_says_so(self):
        for action in ("publish", "api", "metrics", "pprof"):
            self.assertEqual(self.ask(action, "1").status, 401)
            self.assertEqual(self.ask(action, "1", query=f"user=param:user&also={action}").status, 204)
            self.assertEqual(self.ask(action, "1", query="user=param:user&also=nothing").status, 401)
        self.assertEqual(self.sessions(), {})

    def test_without_a_user_it_asks_for_one(self):
        self.assertEqual(self.ask("read", "1", query="user=field:user").status, 401)
        self.assertEqual(self.ask("read", "1", query="user=field:user", user="abc").status, 204)


class Keys(unittest.TestCase):
    """Over TCP a media server brings its key where it can."""

    def test_in_each_place_and_none_is_no_denial(self):
        folder = harness.private_folder()
        keys = doors.Keys(folder)
        client, operator = keys.of["client"], keys.of["operator"]
        body = json.dumps({"action": "on_play", "client_id": "c1", "app": "live", "stream": "tv1", "param": "?user=abc"})
        with harness.Daemon("--listen", "127.0.0.1:0", "--api-key-file", str(keys.path), "--log-level", "debug",
                            folder=folder) as daemon:
            def ask(query="", userinfo=None, **headers):
                connection = doors.http.client.HTTPConnection("127.0.0.1", doors.tcp_port(daemon), timeout=harness.seconds(20))
                headers = {name.replace("_", "-"): value for name, value in headers.items()}
                if userinfo:
                    headers["Authorization"] = "Basic " + doors.base64.b64encode(userinfo.encode()).decode()
                status, _ = doors.ask(connection, "POST", f"/v1/hooks/srs{query}", body, headers)
                connection.close()
                return status

            for key in (client, operator):
                self.assertEqual(ask(x_api_key=key), 200)
                self.assertEqual(ask(Authorization=f"Bearer {key}"), 200)
                self.assertEqual(ask(userinfo=f"any:{key}"), 200)
                self.assertEqual(ask(f"?user=param:user&key={key}&key=wrong"), 200)
            self.assertEqual(ask(), 503)
            self.assertEqual(ask(f"?key=wrong&key={client}"), 503)
            self.assertEqual(ask(userinfo=f"{client}:wrong"), 503)
            self.assertEqual(ask(f"?key={client}", x_api_key="wrong"), 503)
            self.assertEqual(ask(f"?key={keys.of['metrics']}"), 503)
            log = daemon.log_text()
            self.assertIn("POST /v1/hooks/srs: 200", log)
            for key in keys.of.values():
                self.assertNotIn(key, log)


if __name__ == "__main__":
    unittest.main()
