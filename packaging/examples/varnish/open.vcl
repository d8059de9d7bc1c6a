# concurrencyd before each segment, failing open: where the daemon does not answer, or cannot decide, viewers play.
#   usermod -aG concur vcache && systemctl restart varnish     (whoever Varnish fetches as must be in the group)
# A request goes to the daemon first and then, restarted, its way: cached objects are asked about too, and no answer of the
# daemon is cached. Yours to change: where the viewer's account and playback come from, and the origin.
# concurrencyd-proxy(7) says what else can name a session.
vcl 4.1;

import cookie;

backend concurrencyd {
  .path = "/run/concurrencyd/concurrencyd.sock";
  .connect_timeout = 250ms;
  .first_byte_timeout = 1s;
}

backend origin {
  .host = "127.0.0.1";
  .port = "9000";
}

sub vcl_recv {
  # A preflight carries no cookie: it is answered here, and asked about by nobody.
  if (req.method == "OPTIONS") {
    return (synth(204));
  }
  if (req.restarts == 0) {
    # What a viewer sends under these names counts nothing.
    unset req.http.X-Concur-User;
    unset req.http.X-Concur-Session;
    unset req.http.X-Concur-Device;
    unset req.http.X-Concur-Content;
    unset req.http.X-Concur-Type;
    unset req.http.X-Concur-Kind;
    unset req.http.X-Forwarded-Uri;
    cookie.parse(req.http.Cookie);
    set req.http.X-Concur-IP = client.ip;
    set req.http.X-Original-URI = req.url;
    if (cookie.isset("account")) { set req.http.X-Concur-User = cookie.get("account"); }
    if (cookie.isset("playback")) { set req.http.X-Concur-Session = cookie.get("playback"); }
    set req.backend_hint = concurrencyd;
    return (pass);
  }
  unset req.http.X-Concur-User;
  unset req.http.X-Concur-Session;
  unset req.http.X-Concur-IP;
  unset req.http.X-Original-URI;
  set req.backend_hint = origin;
  # What was asked about with it may be cached without it.
  unset req.http.Cookie;
}

sub vcl_backend_fetch {
  if (bereq.backend == concurrencyd) {
    set bereq.method = "GET";
    set bereq.url = "/v1/authorize";
    set bereq.http.Host = "localhost";
    unset bereq.http.Cookie;
    unset bereq.http.Authorization;
    unset bereq.http.Origin;
    unset bereq.http.Sec-Fetch-Site;
    unset bereq.http.Range;
    unset bereq.http.If-None-Match;
    unset bereq.http.If-Modified-Since;
    unset bereq.body;
  }
}

sub vcl_deliver {
  if (req.restarts == 0) {
    if (resp.status == 204 || resp.status == 503) {
      return (restart);
    }
  }
  # A refusal without this looks like a network error to players in browsers.
  set resp.http.Access-Control-Allow-Origin = "*";
}

sub vcl_synth {
  if (resp.status == 204) {
    set resp.http.Access-Control-Allow-Origin = "*";
    set resp.http.Access-Control-Allow-Headers = "*";
    return (deliver);
  }
}
