#include "api/hook_request.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace concur;
using namespace std::chrono_literals;

namespace {

// As it is asked for on behalf of whoever sends this.
struct Read {
  Read(std::string_view name, std::string_view method, std::string_view query_text,
       std::string_view body_text = {})
      : target("/v1/hooks/" + std::string(name) + "?" + std::string(query_text)),
        body(body_text),
        method_name(method) {
    const HookDialect* dialect = find_hook_dialect(name);
    REQUIRE(dialect != nullptr);
    Request request;
    request.method = method_name;
    request.target = target;
    request.body = body;
    auto parsed = HookRequest::parse(*dialect, request);
    if (parsed) {
      hook.emplace(std::move(*parsed));
    } else {
      error = parsed.error().message;
    }
  }

  const HookEvent& event() const {
    REQUIRE(hook);
    return hook->event();
  }
  std::string of(std::string_view source) const {
    REQUIRE(hook);
    const Finding found = find(*parse_sources(source, SourceOf::kMediaServer), hook->text());
    return found.value ? *found.value + (found.repeated ? " (repeated)" : "") : "none";
  }

  std::string target;
  std::string body;
  std::string method_name;
  std::optional<HookRequest> hook;
  std::string error;
};

using Verb = HookEvent::Verb;

// ngx_rtmp_netcall_http_format_session() and ngx_rtmp_notify_play_create()
const std::string kRtmpSession =
    "app=live&flashver=LNX%209,0,124,2&swfurl=&tcurl=rtmp://edge/live&pageurl=&addr=192.0.2.7&"
    "clientid=17";

}  // namespace

TEST_CASE("parse_hook_url") {
  SUBCASE("reads what the operator wrote, and passes over what it does not know") {
    const auto url = parse_hook_url(
        "user=param:u%20field:user&session=field:sid&device=header:x&content=path:2&ttl=6h&"
        "on-limit=evict-oldest&tag=edge1&also=publish,api&key=secret&limit=9");
    REQUIRE(url.has_value());
    CHECK(to_text(url->user) == "param:u field:user");
    CHECK(to_text(*url->session) == "field:sid");
    CHECK(to_text(url->device) == "header:x");
    CHECK(to_text(*url->content) == "path:2");
    CHECK(url->ttl == Millis(6h));
    CHECK(url->on_limit == OnLimit::kEvictOldest);
    CHECK(url->tag == "edge1");
    CHECK(url->also == "publish,api");
  }
  SUBCASE("takes the first of a name") {
    CHECK(to_text(parse_hook_url("user=param:a&user=param:b")->user) == "param:a");
  }
  SUBCASE("says what is wrong") {
    for (const char* query : {"user=abc", "session=x:y", "device=param:", "content=path:0", "ttl=x",
                              "ttl=0", "ttl=31d", "on-limit=allow", "on-limit="}) {
      CAPTURE(query);
      const auto url = parse_hook_url(query);
      REQUIRE(url.has_error());
      CHECK(url.error().message.starts_with("cannot read the hook's URL: '"));
    }
  }
}

TEST_CASE("HookRequest of SRS") {
  const std::string play =
      R"({"server_id":"vid-0xk989d","service_id":"382k7e2","action":"on_play","client_id":"j9t2p5v4",)"
      R"("ip":"192.0.2.9","vhost":"__defaultVhost__","app":"live","stream":"tv1",)"
      R"("param":"?user=abc&token=x","tcUrl":"rtmp://edge/live","stream_url":"/live/tv1",)"
      R"("stream_id":"vid-124q9y3","pageUrl":"http://site/"})";
  SUBCASE("on_play starts, on_stop ends, by the id of the client") {
    const Read read("srs", "POST", "user=param:user", play);
    CHECK(read.event().verb == Verb::kPlay);
    CHECK(read.event().session == "j9t2p5v4");
    CHECK(read.event().ip == "192.0.2.9");
    CHECK(read.event().content == "live/tv1");
    CHECK(read.of("param:user") == "abc");
    CHECK(read.of("uri:token") == "x");
    CHECK(read.of("path:1") == "live");
    CHECK(read.of("field:vhost") == "__defaultVhost__");
    const Read stop("srs", "POST", "",
                    R"({"action":"on_stop","client_id":108,"param":"user=abc"})");
    CHECK(stop.event().verb == Verb::kEnd);
    CHECK(stop.event().session == "108");
    CHECK(stop.of("param:user") == "abc");
  }
  SUBCASE("others are none of ours") {
    for (const char* body : {R"({"action":"on_publish","client_id":"1"})", R"({"action":null})",
                             "{}", R"({"action":["on_play"]})"}) {
      CHECK(Read("srs", "POST", "", body).event().verb == Verb::kPass);
    }
  }
  SUBCASE("what is no object cannot be read") {
    for (const char* body : {"", "[]", "x", "{\"a\":"}) {
      CAPTURE(body);
      CHECK(Read("srs", "POST", "", body).error.starts_with("cannot read body"));
    }
  }
}

TEST_CASE("HookRequest of nginx-rtmp") {
  const std::string play = kRtmpSession + "&call=play&name=tv1&start=0&duration=0&reset=0";
  SUBCASE("plays, updates and ends, by connection and stream") {
    for (const auto& [call, verb] :
         std::vector<std::pair<std::string, Verb>>{{"play", Verb::kPlay},
                                                   {"update_play", Verb::kUpdate},
                                                   {"play_done", Verb::kEnd},
                                                   {"done", Verb::kEnd},
                                                   {"publish", Verb::kPass},
                                                   {"update_publish", Verb::kPass},
                                                   {"publish_done", Verb::kPass},
                                                   {"connect", Verb::kPass},
                                                   {"record_done", Verb::kPass}}) {
      CAPTURE(call);
      const Read read("nginx-rtmp", "POST", "",
                      kRtmpSession + "&call=" + call + "&time=30&timestamp=1&name=tv1&user=abc");
      CHECK(read.event().verb == verb);
      CHECK(read.event().session == "17-tv1");
      CHECK(read.event().ip == "192.0.2.7");
      CHECK(read.event().content == "live/tv1");
      CHECK(read.of("param:user") == "abc");
    }
  }
  SUBCASE("the viewer's own come behind, and hide none of the server's") {
    const Read read("nginx-rtmp", "POST", "",
                    play + "&user=abc&clientid=9&name=x&addr=unix:&call=publish&%=%zz");
    CHECK(read.event().verb == Verb::kPlay);
    CHECK(read.event().session == "17-tv1");
    CHECK(read.event().ip == "192.0.2.7");
    CHECK(read.of("param:user") == "abc");
    CHECK(Read("nginx-rtmp", "POST", "", play + "&user=a&user=b").of("param:user") ==
          "a (repeated)");
  }
  SUBCASE("what it pulls itself is none of ours") {
    CHECK(Read("nginx-rtmp", "POST", "", "flashver=ngx-local-relay&addr=1&call=play&clientid=1")
              .event()
              .verb == Verb::kPass);
    CHECK(
        Read("nginx-rtmp", "POST", "", "flashver=x&addr=unix:&call=play&clientid=1").event().verb ==
        Verb::kPass);
  }
  SUBCASE("by notify_method get it puts all behind the URL; the operator's part ends there") {
    const std::string viewers = "&user=eve&session=field:name&tag=x&on-limit=evict-oldest&ttl=30d";
    for (const std::string between : {"?", "&"}) {
      const Read read("nginx-rtmp", "GET", "user=param:user" + between + play + viewers);
      CHECK(read.event().verb == Verb::kPlay);
      CHECK(read.event().session == "17-tv1");
      CHECK(read.of("param:user") == "eve");
      CHECK(to_text(read.hook->url().user) == "param:user");
      CHECK_FALSE(read.hook->url().session);
      CHECK_FALSE(read.hook->url().on_limit);
      CHECK_FALSE(read.hook->url().ttl);
      CHECK(read.hook->url().tag.empty());
    }
    const Read bare("nginx-rtmp", "GET", play + viewers);
    CHECK(bare.event().session == "17-tv1");
    CHECK_FALSE(bare.hook->url().on_limit);
  }
  SUBCASE("a session has a connection") {
    CHECK(Read("nginx-rtmp", "POST", "", "call=play&name=tv1").event().session.empty());
  }
}

TEST_CASE("HookRequest of Flussonic") {
  const std::string own =
      "name=tv1&proto=hls&ip=192.0.2.9&request_type=new_session&request_number=0&session_id=f1&"
      "stream_clients=1&total_clients=2&token=abc&user_agent=vlc";
  const Read read("flussonic", "GET", "user=field:token&tag=e1&" + own + "&tag=x&session=field:ip");
  CHECK(read.event().verb == Verb::kPlay);
  CHECK(read.event().session == "f1");
  CHECK(read.event().content == "tv1");
  CHECK(read.of("field:token") == "abc");
  CHECK(read.hook->url().tag == "e1");
  CHECK_FALSE(read.hook->url().session);
  const Read update("flussonic", "GET",
                    "user=field:token&name=tv1&request_type=update_session&session_id=f1");
  CHECK(update.event().verb == Verb::kUpdate);
}

TEST_CASE("HookRequest of MediaMTX") {
  const auto body = [](const std::string& action, const std::string& id,
                       const std::string& protocol = "hls") {
    return R"({"user":"","password":"","token":"","ip":"192.0.2.9","action":")" + action +
           R"(","path":"live/tv1","protocol":")" + protocol + R"(","id":)" + id +
           R"(,"query":"user=abc","userAgent":"vlc"})";
  };
  SUBCASE("who watches is counted by its id, and not without") {
    for (const char* action : {"read", "playback"}) {
      const Read read("mediamtx", "POST", "", body(action, "\"7a1c\""));
      CHECK(read.event().verb == Verb::kPlay);
      CHECK(read.event().session == "7a1c");
      CHECK(read.event().device.empty());
      CHECK(read.of("param:user") == "abc");
      CHECK(Read("mediamtx", "POST", "", body(action, "null")).event().verb == Verb::kPass);
      CHECK(Read("mediamtx", "POST", "", body(action, "\"\"")).event().verb == Verb::kPass);
    }
  }
  SUBCASE("the two ids of RTSP are one device's") {
    const Read describe("mediamtx", "POST", "", body("read", "\"1\"", "rtsp"));
    const Read setup("mediamtx", "POST", "", body("read", "\"2\"", "rtsps"));
    CHECK(describe.event().device.starts_with('~'));
    CHECK(describe.event().device == setup.event().device);
  }
  SUBCASE("all else is allowed to nobody, but where the URL says so") {
    for (const char* action : {"publish", "api", "metrics", "pprof", ""}) {
      CHECK(Read("mediamtx", "POST", "", body(action, "\"1\"")).event().verb == Verb::kRefuse);
      CHECK(Read("mediamtx", "POST", "also=other", body(action, "\"1\"")).event().verb ==
            Verb::kRefuse);
    }
    CHECK(Read("mediamtx", "POST", "also=api,publish", body("publish", "null")).event().verb ==
          Verb::kPass);
  }
}
