#include "net/connection.hpp"

#include "support/moments.hpp"
#include "support/streams.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace concur;
using test::FakeSink;
using test::FakeSource;

namespace {

// Lets all in who do not say otherwise in the field x-api-key.
struct FakeGate final : Gate {
  Caller identify(int /*socket*/) override { return {Role::kClient, "a test", is_known}; }
  std::optional<Refusal> authorize(Caller& caller, const Credentials& given) override {
    ++asked;
    if (!given.key) {
      caller.known = true;
      return std::nullopt;
    }
    if (*given.key == "bad") return Refusal{"its key is bad"};
    if (*given.key == "slow") return Refusal{"its key is slow", true, permit};
    return Refusal{"there is no room to say so", true};
  }
  bool is_still_valid(const Caller& /*caller*/) const override { return true; }

  bool is_known = true;
  int asked = 0;
  std::shared_ptr<void> permit = std::make_shared<int>(0);
};

// Answers /now at once with its name, /held when the test says so; /stream takes a body while it
// arrives and answers by a source, /refused would.
struct FakeHandler final : Handler {
  void begin(Call& call) override {
    const std::string_view target = call.request.target;
    call.streams = target == "/stream" || target == "/refused";
    events.push_back("begin " + std::string(target));
  }
  std::shared_ptr<BodySink> handle(const Call& call, Respond respond) override {
    const std::string target(call.request.target);
    events.push_back("handle " + target);
    body = call.request.body;
    if (target == "/stream") {
      Response response;
      response.source = source;
      respond(std::move(response));
      return sink;
    }
    if (target == "/watch") {
      Response response;
      response.source = source;
      respond(std::move(response));
    } else if (target.starts_with("/waits")) {
      held.emplace(target, std::move(respond));
      call.asker->on_gone([this, target] {
        events.push_back("gone " + target);
        if (held.contains(target)) answer_held(target);
      });
    } else if (target.starts_with("/held")) {
      held.emplace(target, std::move(respond));
    } else {
      respond({target == "/refused" ? 503 : 200, answer.empty() ? target : answer, "text/plain"});
    }
    return nullptr;
  }
  void answer_held(const std::string& target) {
    auto node = held.extract(target);
    REQUIRE(!node.empty());
    node.mapped()({200, target, "text/plain"});
  }

  std::vector<std::string> events;
  std::string body;
  std::string answer;
  std::map<std::string, Respond> held;
  std::shared_ptr<FakeSource> source = std::make_shared<FakeSource>();
  std::shared_ptr<FakeSink> sink = std::make_shared<FakeSink>();
};

std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}

std::string post(std::string_view target, std::string_view body, std::size_t length) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nContent-Length: " + std::to_string(length) +
         "\r\n\r\n" + std::string(body);
}

struct Fixture {
  explicit Fixture(std::size_t max_memory = ClientMemory::kMax) : memory(clock, log, max_memory) {
    open();
  }
  ~Fixture() {
    if (!closed) connection->close();
  }

  void open() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    client = Fd(ends[0]);
    connection = std::make_shared<Connection>(Fd(ends[1]), poller, gate, handler, memory, now,
                                              [this](Connection&) { closed = true; });
    connection->open();
  }
  void send_only(std::string_view text) {
    REQUIRE(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  // What the daemon says to it.
  std::string send(std::string_view text) {
    send_only(text);
    return receive();
  }
  std::string receive() {
    std::string got;
    while (true) {
      loop.poll();
      loop.restart();
      std::array<char, 65536> part{};
      const ssize_t size = ::recv(client.get(), part.data(), part.size(), 0);
      if (size <= 0) return got;
      got.append(part.data(), static_cast<std::size_t>(size));
    }
  }
  std::string pass(Tick seconds) {
    for (Tick i = 0; i < seconds; ++i) {
      ++now;
      if (!closed) connection->check_time();
    }
    return receive();
  }
  // Whether it closes exactly so many seconds from now on.
  bool closes_after(Tick seconds) {
    pass(seconds - 1);
    const bool before = closed;
    pass(1);
    return !before && closed;
  }

  boost::asio::io_context loop{1};
  Turn turn{loop};
  Poller poller{turn};
  FakeGate gate;
  FakeHandler handler;
  test::FakeClock clock;
  Logger log{LogLevel::kError, LogFormat::kText};
  ClientMemory memory;
  Tick now = 1000;
  bool closed = false;
  Fd client;
  std::shared_ptr<Connection> connection;
};

std::size_t answers_in(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("HTTP/1.1 "); at != std::string_view::npos;
       at = text.find("HTTP/1.1 ", at + 1)) {
    ++count;
  }
  return count;
}

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("Connection answers requests") {
  Fixture fixture;

  SUBCASE("as they come, whole or cut anywhere") {
    const std::string request = post("/now", "body", 4);
    CHECK(fixture.send(request).ends_with("/now"));
    CHECK(fixture.handler.body == "body");
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      CHECK(fixture.send(request.substr(0, cut)).empty());
      CHECK(fixture.send(request.substr(cut)).ends_with("/now"));
      CHECK(fixture.handler.body == "body");
    }
  }
  SUBCASE("that are pipelined, with one send") {
    fixture.send_only(get("/now1") + get("/now2") + get("/now3"));
    REQUIRE(fixture.loop.run_one() == 1);
    std::array<char, 4096> part{};
    const ssize_t size = ::recv(fixture.client.get(), part.data(), part.size(), 0);
    REQUIRE(size > 0);
    CHECK(answers_in({part.data(), static_cast<std::size_t>(size)}) == 3);
  }
  SUBCASE("in their order, whichever is ready first") {
    CHECK(fixture.send(get("/held1") + get("/held2") + get("/now")).empty());
    fixture.handler.answer_held("/held2");
    CHECK(fixture.receive().empty());
    fixture.handler.answer_held("/held1");
    const std::string got = fixture.receive();
    CHECK(answers_in(got) == 3);
    CHECK(got.find("/held1") < got.find("/held2"));
    CHECK(got.ends_with("/now"));
  }
  SUBCASE("of several in one turn, only when all have begun") {
    const Fd first = std::move(fixture.client);
    const auto other = fixture.connection;
    fixture.open();
    REQUIRE(::send(first.get(), get("/now1").data(), get("/now1").size(), 0) > 0);
    fixture.send_only(get("/now2"));
    REQUIRE(fixture.loop.run_one() == 1);
    auto events = fixture.handler.events;
    REQUIRE(events.size() == 4);
    CHECK(events[0].starts_with("begin"));
    CHECK(events[1].starts_with("begin"));
    CHECK(events[2].starts_with("handle"));
    CHECK(events[3].starts_with("handle"));
    other->close();
    fixture.closed = false;
  }
  SUBCASE("no more than 128 at once, and the rest when there is room") {
    std::string all;
    for (int i = 0; i < 200; ++i) all += get("/held" + std::to_string(i));
    fixture.send(all);
    CHECK(fixture.handler.held.size() == 128);
    for (int i = 0; i < 200; ++i) {
      fixture.handler.answer_held("/held" + std::to_string(i));
      CHECK(answers_in(fixture.receive()) == 1);
    }
  }
  SUBCASE("no more than it can hold the answers of, while the client does not read") {
    fixture.handler.answer = std::string(100'000, 'x');
    std::string all;
    for (int i = 0; i < 20; ++i) all += get("/now");
    fixture.send_only(all);
    for (int i = 0; i < 10; ++i) fixture.loop.poll();
    const auto handled = [&fixture] {
      return std::ranges::count(fixture.handler.events, "handle /now");
    };
    CHECK(handled() < 10);
    CHECK(answers_in(fixture.receive()) == 20);
    CHECK(handled() == 20);
  }
  SUBCASE("of HEAD without a body") {
    const std::string got = fixture.send("HEAD /now HTTP/1.1\r\n\r\n");
    CHECK(holds(got, "Content-Length: 4\r\n"));
    CHECK(got.ends_with("\r\n\r\n"));
    CHECK(fixture.send(get("/now")).ends_with("/now"));
  }
  SUBCASE("and gives leave to send a body that waits for it") {
    CHECK(fixture.send("POST /now HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: "
                       "2\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(fixture.send("{}").starts_with("HTTP/1.1 200 "));
  }
}

TEST_CASE("Connection refuses") {
  Fixture fixture;

  SUBCASE("what is no request, behind the answers before it, and closes when that is read") {
    const std::string got = fixture.send(get("/held") + "nonsense\r\n\r\n" + get("/now"));
    CHECK(got.empty());
    fixture.handler.answer_held("/held");
    const std::string both = fixture.receive();
    CHECK(answers_in(both) == 2);
    CHECK(holds(both, "HTTP/1.1 400 "));
    CHECK(holds(both, "Connection: close\r\n"));
    CHECK_FALSE(fixture.closed);
    CHECK(fixture.closes_after(2));
  }
  SUBCASE("a body that is too long, whether it says so before or not") {
    CHECK(fixture.send(post("/now", "", 65'537)).starts_with("HTTP/1.1 413 "));
    fixture.connection->close();
    fixture.closed = false;
    fixture.open();
    CHECK(fixture.send("POST /now HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n")
              .starts_with("HTTP/1.1 413 "));
    CHECK(std::ranges::count(fixture.handler.events, "handle /now") == 0);
  }
  SUBCASE("a head without an end") {
    CHECK(fixture.send(get("/now", "X: " + std::string(9000, 'x'))).starts_with("HTTP/1.1 431 "));
  }
  SUBCASE("at once whom the gate refuses, before the handler sees anything") {
    CHECK(fixture.send(get("/now", "x-api-key: bad\r\n")).starts_with("HTTP/1.1 403 "));
    CHECK(fixture.handler.events.empty());
  }
  SUBCASE("HEAD without a body") {
    const std::string got = fixture.send("HEAD /now HTTP/1.1\r\nx-api-key: bad\r\n\r\n");
    CHECK(got.starts_with("HTTP/1.1 403 "));
    CHECK(got.ends_with("\r\n\r\n"));
  }
  SUBCASE("late, holding a permit, whom the gate wants refused late") {
    CHECK(fixture.gate.permit.use_count() == 1);
    CHECK(fixture.send(get("/held") + get("/now", "x-api-key: slow\r\n") + get("/now")).empty());
    CHECK(fixture.gate.permit.use_count() == 2);
    CHECK(fixture.pass(1).empty());
    fixture.handler.answer_held("/held");
    CHECK(answers_in(fixture.receive()) == 1);
    CHECK(fixture.pass(1).starts_with("HTTP/1.1 403 "));
    CHECK(fixture.gate.permit.use_count() == 1);
    CHECK(fixture.gate.asked == 2);
    CHECK(fixture.closes_after(2));
  }
  SUBCASE("without an answer where too many refusals wait") {
    CHECK(fixture.send(get("/now", "x-api-key: worse\r\n")).empty());
    CHECK(fixture.closed);
  }
}

TEST_CASE("Connection whose request's body streams") {
  Fixture fixture;
  FakeSink& sink = *fixture.handler.sink;
  FakeSource& source = *fixture.handler.source;

  SUBCASE("hands it on as it comes, and answers meanwhile") {
    CHECK(fixture.send(post("/stream", "ab", 5)).starts_with("HTTP/1.1 200 "));
    CHECK(sink.taken == "ab");
    fixture.send("c");
    source.give("first");
    CHECK(fixture.receive() == "5\r\nfirst\r\n");
    fixture.send("de");
    CHECK(sink.taken == "abcde");
    CHECK(sink.finished);
    source.give("", BodySource::State::kEnd);
    CHECK(fixture.receive() == "0\r\n\r\n");
    CHECK(fixture.send(get("/now")).ends_with("/now"));
  }
  SUBCASE("takes no further request before its answer has ended") {
    fixture.send(post("/stream", "", 0) + get("/now"));
    CHECK(sink.finished);
    CHECK(fixture.handler.events.back() == "handle /stream");
    source.give("", BodySource::State::kEnd);
    CHECK(fixture.receive().ends_with("/now"));
  }
  SUBCASE("reads no more while it is paused, and goes on with what is here") {
    fixture.send(post("/stream", "ab", 100'000));
    sink.is_paused = true;
    fixture.send("cd");
    CHECK(sink.taken == "ab");
    sink.is_paused = false;
    source.give("x");
    fixture.receive();
    CHECK(sink.taken == "abcd");
    fixture.send("ef");
    CHECK(sink.taken == "abcdef");
  }
  SUBCASE("gives leave to send it, and before that waits as long as it takes") {
    CHECK(fixture
              .send(get("/held") + "POST /stream HTTP/1.1\r\nExpect: 100-continue\r\n"
                                   "Content-Length: 2\r\n\r\n")
              .empty());
    fixture.pass(30);
    CHECK(sink.given_up.empty());
    fixture.handler.answer_held("/held");
    CHECK(holds(fixture.receive(), "/heldHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    fixture.pass(10);
    CHECK(sink.given_up == "408 it did not arrive within 10 s");
  }
  SUBCASE("reads on and throws away what nobody wants, so that the client gets the answer") {
    const std::string got = fixture.send(post("/refused", "ab", 100'000));
    CHECK(got.starts_with("HTTP/1.1 503 "));
    CHECK(holds(got, "Connection: close\r\n"));
    CHECK(sink.taken.empty());
    fixture.send(std::string(50'000, 'x'));
    CHECK_FALSE(fixture.closed);
    CHECK(fixture.closes_after(2));
  }
  SUBCASE("does the same where the sink has enough, behind the rest of the answer") {
    sink.wants_more = false;
    fixture.send(post("/stream", "ab", 100'000));
    fixture.send(std::string(50'000, 'x'));
    CHECK(sink.taken == "ab");
    CHECK_FALSE(fixture.closed);
    source.give("why", BodySource::State::kEnd);
    CHECK(fixture.receive() == "3\r\nwhy\r\n0\r\n\r\n");
    CHECK(fixture.closes_after(2));
  }
  SUBCASE("gives it up where no more comes for 10 s, and not sooner") {
    fixture.send(post("/stream", "ab", 5));
    fixture.pass(9);
    fixture.send("c");
    fixture.pass(9);
    CHECK(sink.given_up.empty());
    fixture.pass(1);
    CHECK(sink.given_up == "408 it did not arrive within 10 s");
  }
  SUBCASE("does not hurry a client that it keeps waiting") {
    sink.is_paused = true;
    fixture.send(post("/stream", "ab", 5));
    fixture.pass(100);
    CHECK(sink.given_up.empty());
    sink.is_paused = false;
    source.give("x");
    fixture.receive();
    CHECK(sink.taken == "ab");
    fixture.pass(10);
    CHECK(sink.given_up == "408 it did not arrive within 10 s");
  }
  SUBCASE("gives it up where it ends too soon, or is malformed") {
    fixture.send(post("/stream", "ab", 5));
    ::shutdown(fixture.client.get(), SHUT_WR);
    fixture.receive();
    CHECK(sink.given_up == "400 it ended before it was whole");
    source.give("why", BodySource::State::kEnd);
    CHECK(holds(fixture.receive(), "why"));
    CHECK(fixture.closed);
    fixture.closed = false;
    fixture.handler.source = std::make_shared<FakeSource>();
    fixture.open();
    fixture.send("POST /stream HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    CHECK(sink.given_up.starts_with("400 "));
  }
  SUBCASE("closes where its answer breaks off") {
    fixture.send(post("/stream", "ab", 5));
    source.give("", BodySource::State::kBroken);
    fixture.receive();
    CHECK(fixture.closed);
  }
}

TEST_CASE("Connection has time limits") {
  Fixture fixture;

  SUBCASE("75 s between requests") {
    CHECK(fixture.closes_after(75));
    fixture.closed = false;
    fixture.open();
    fixture.pass(70);
    fixture.send(get("/now"));
    CHECK(fixture.closes_after(75));
  }
  SUBCASE("a request that was sent just before that is answered, as the last one") {
    fixture.pass(74);
    fixture.send_only(get("/now"));
    ++fixture.now;
    fixture.connection->check_time();
    CHECK_FALSE(fixture.closed);
    const std::string got = fixture.receive();
    CHECK(got.starts_with("HTTP/1.1 200 "));
    CHECK(holds(got, "Connection: close\r\n"));
    CHECK(fixture.closes_after(2));
  }
  SUBCASE("a stream of events that was asked for just before that goes on") {
    fixture.pass(74);
    fixture.send_only(get("/watch"));
    ++fixture.now;
    fixture.connection->check_time();
    fixture.receive();
    fixture.pass(1000);
    CHECK_FALSE(fixture.closed);
    CHECK_FALSE(fixture.handler.source->drained);
  }
  SUBCASE(
      "and one that comes later cannot be sent, so that the client knows that it was not taken") {
    fixture.pass(74);
    ++fixture.now;
    fixture.connection->check_time();
    CHECK(::send(fixture.client.get(), "G", 1, MSG_NOSIGNAL) == -1);
    CHECK(errno == EPIPE);
    fixture.receive();
    CHECK(fixture.closed);
  }
  SUBCASE("the same behind empty lines, which begin no request") {
    CHECK(fixture.send(post("/now", "a", 1) + "\r\n").find("/now") != std::string::npos);
    CHECK(fixture.pass(70).empty());
    CHECK(fixture.send("\r\n").empty());
    CHECK(fixture.closes_after(5));
    fixture.closed = false;
    fixture.open();
    CHECK(fixture.send("\r\n\r\n" + get("/now")).starts_with("HTTP/1.1 200 "));
  }
  SUBCASE("10 s for one who has not shown who it is") {
    fixture.connection->close();
    fixture.closed = false;
    fixture.gate.is_known = false;
    fixture.open();
    CHECK(fixture.closes_after(10));
  }
  SUBCASE("10 s for a whole request from its first byte on, however it drops in") {
    fixture.pass(70);
    std::string got;
    for (std::size_t i = 0; i < 9; ++i) {
      got += fixture.send(get("/now").substr(i, 1));
      got += fixture.pass(1);
    }
    CHECK(got.empty());
    CHECK(fixture.pass(1).starts_with("HTTP/1.1 408 "));
    CHECK(fixture.closes_after(2));
  }
  SUBCASE("the same for a body") {
    fixture.send(post("/now", "a", 5));
    CHECK(fixture.pass(9).empty());
    CHECK(fixture.pass(1).starts_with("HTTP/1.1 408 "));
  }
  SUBCASE("none for the handler, and a part of the next request has its 10 s behind the answer") {
    fixture.send(get("/held") + "GET /n");
    CHECK(fixture.pass(200).empty());
    CHECK_FALSE(fixture.closed);
    fixture.handler.answer_held("/held");
    CHECK(fixture.receive().ends_with("/held"));
    CHECK(fixture.pass(9).empty());
    CHECK(fixture.pass(1).starts_with("HTTP/1.1 408 "));
  }
  SUBCASE("75 s for a client to take more of its answers") {
    fixture.handler.answer = std::string(1'000'000, 'x');
    fixture.send_only(get("/now"));
    fixture.loop.poll();
    fixture.loop.restart();
    const auto wait = [&fixture](Tick seconds) {
      for (Tick i = 0; i < seconds; ++i) {
        ++fixture.now;
        fixture.connection->check_time();
      }
    };
    wait(74);
    CHECK_FALSE(fixture.closed);
    std::array<char, 200'000> part{};
    REQUIRE(::recv(fixture.client.get(), part.data(), part.size(), 0) > 0);
    fixture.loop.poll();
    fixture.loop.restart();
    wait(74);
    CHECK_FALSE(fixture.closed);
    wait(1);
    CHECK(fixture.closed);
  }
  SUBCASE("none for a stream of events") {
    fixture.send(get("/watch"));
    fixture.pass(10'000);
    CHECK_FALSE(fixture.closed);
    fixture.handler.source->give("x");
    CHECK(fixture.receive() == "1\r\nx\r\n");
  }
}

TEST_CASE("Connection of a client that goes away") {
  Fixture fixture;

  SUBCASE("closes at once where nothing is owed") {
    fixture.client.close();
    fixture.receive();
    CHECK(fixture.closed);
  }
  SUBCASE("answers what was asked where the client only sends no more") {
    fixture.send_only(get("/held") + get("/now"));
    ::shutdown(fixture.client.get(), SHUT_WR);
    CHECK(fixture.receive().empty());
    CHECK_FALSE(fixture.closed);
    fixture.handler.answer_held("/held");
    CHECK(answers_in(fixture.receive()) == 2);
    CHECK(fixture.closed);
  }
  SUBCASE("closes where nobody is left to read the answer") {
    fixture.send_only(get("/held"));
    fixture.loop.poll();
    fixture.loop.restart();
    fixture.client.close();
    fixture.receive();
    CHECK(fixture.closed);
    fixture.handler.answer_held("/held");  // to nobody
  }
  SUBCASE("notices that nobody reads a stream which has nothing to say") {
    fixture.send(get("/watch"));
    fixture.client.close();
    fixture.receive();
    CHECK(fixture.closed);
    CHECK(fixture.handler.source.use_count() == 1);
  }
  SUBCASE("lets a stream come to its end where the client sends no more, and may be gone") {
    FakeSource& source = *fixture.handler.source;
    SUBCASE("while it streams") {
      fixture.send(get("/watch"));
      CHECK_FALSE(source.client_ended);
      ::shutdown(fixture.client.get(), SHUT_WR);
    }
    SUBCASE("together with the request") {
      fixture.send_only(get("/watch"));
      ::shutdown(fixture.client.get(), SHUT_WR);
    }
    SUBCASE("behind a request that is answered before it") {
      fixture.send(get("/held") + get("/watch"));
      ::shutdown(fixture.client.get(), SHUT_WR);
      fixture.receive();
      fixture.handler.answer_held("/held");
    }
    fixture.receive();
    CHECK(source.client_ended);
    CHECK_FALSE(fixture.closed);
    source.give("the last", BodySource::State::kEnd);
    CHECK(holds(fixture.receive(), "the last"));
    CHECK(fixture.closed);
  }
}

TEST_CASE("Connection of a client that goes away while a request waits") {
  Fixture fixture;
  const auto gone = [&fixture] {
    std::vector<std::string> all;
    for (const std::string& event : fixture.handler.events) {
      if (event.starts_with("gone ")) all.push_back(event.substr(5));
    }
    return all;
  };
  using All = std::vector<std::string>;

  SUBCASE("says so at once, of each") {
    fixture.send(get("/waits1") + get("/waits2") + get("/held"));
    CHECK(gone().empty());
    fixture.client.close();
    fixture.receive();
    CHECK(fixture.closed);
    CHECK(gone() == All{"/waits1", "/waits2"});
  }
  SUBCASE("says so where the client only sends no more, and still answers") {
    fixture.send(get("/waits"));
    ::shutdown(fixture.client.get(), SHUT_WR);
    CHECK(fixture.receive().ends_with("/waits"));
    CHECK(gone() == All{"/waits"});
    CHECK(fixture.closed);
  }
  SUBCASE("and where that came with the request") {
    fixture.send_only(get("/waits"));
    ::shutdown(fixture.client.get(), SHUT_WR);
    CHECK(fixture.receive().ends_with("/waits"));
    CHECK(gone() == All{"/waits"});
  }
  SUBCASE("and where the request was to be the last one") {
    fixture.send(get("/waits", "Connection: close\r\n"));
    SUBCASE("gone") {
      fixture.client.close();
      fixture.receive();
      CHECK(fixture.closed);
    }
    SUBCASE("it sends no more") {
      ::shutdown(fixture.client.get(), SHUT_WR);
      CHECK(fixture.receive().ends_with("/waits"));
    }
    CHECK(gone() == All{"/waits"});
  }
  SUBCASE("and where no more requests are read") {
    std::string many = get("/waits");
    for (int i = 0; i < 200; ++i) many += get("/now");
    fixture.send(many);
    fixture.client.close();
    fixture.receive();
    CHECK(fixture.closed);
    CHECK(gone() == All{"/waits"});
  }
  SUBCASE("and where the daemon closes it") {
    fixture.send(get("/waits"));
    fixture.connection->close();
    CHECK(gone() == All{"/waits"});
  }
  SUBCASE("not of one that is answered") {
    fixture.send(get("/waits1") + get("/waits2"));
    fixture.handler.answer_held("/waits1");
    CHECK(fixture.receive().ends_with("/waits1"));
    fixture.client.close();
    fixture.receive();
    CHECK(gone() == All{"/waits2"});
  }
  SUBCASE("and has no time limit for it") {
    fixture.send(get("/waits"));
    fixture.pass(5000);
    CHECK_FALSE(fixture.closed);
    fixture.handler.answer_held("/waits");
    CHECK(fixture.receive().ends_with("/waits"));
    CHECK(gone().empty());
    CHECK(fixture.closes_after(75));
  }
}

TEST_CASE("Connection when the daemon stops") {
  Fixture fixture;

  SUBCASE("closes where nothing is under way") {
    fixture.connection->drain();
    fixture.receive();
    CHECK(fixture.closed);
  }
  SUBCASE("answers what has arrived and was not read yet") {
    fixture.send_only(get("/now"));
    fixture.connection->drain();
    const std::string got = fixture.receive();
    CHECK(got.ends_with("/now"));
    CHECK(holds(got, "Connection: close\r\n"));
    fixture.pass(2);
    CHECK(fixture.closed);
  }
  SUBCASE("answers what is under way, then closes") {
    fixture.send(get("/held"));
    fixture.connection->drain();
    fixture.receive();
    CHECK_FALSE(fixture.closed);
    fixture.handler.answer_held("/held");
    CHECK(fixture.receive().ends_with("/held"));
    CHECK(fixture.closed);
  }
  SUBCASE("waits for the rest of a request, as long as one may take") {
    fixture.send(get("/now").substr(0, 10));
    fixture.connection->drain();
    CHECK(fixture.receive().empty());
    CHECK_FALSE(fixture.closed);
    CHECK(fixture.send(get("/now").substr(10)).ends_with("/now"));
    fixture.pass(2);
    CHECK(fixture.closed);
  }
  SUBCASE("has streams come to their end") {
    fixture.send(get("/watch"));
    fixture.connection->drain();
    CHECK(fixture.handler.source->drained);
    fixture.handler.source->give("bye", BodySource::State::kEnd);
    CHECK(fixture.receive() == "3\r\nbye\r\n0\r\n\r\n");
    fixture.pass(2);
    CHECK(fixture.closed);
  }
  SUBCASE("still sends a refusal that waits") {
    fixture.send(get("/now", "x-api-key: slow\r\n"));
    fixture.connection->drain();
    CHECK_FALSE(fixture.closed);
    CHECK(fixture.pass(2).starts_with("HTTP/1.1 403 "));
  }
}

TEST_CASE("Connection closes where others need the memory of what it holds") {
  Fixture fixture(500'000);
  fixture.handler.answer = std::string(300'000, 'x');
  fixture.send(get("/held") + get("/now"));
  CHECK(fixture.memory.total() > 300'000);
  ClientMemory::Share other(fixture.memory, [] { return std::string(); });
  other.set(250'000);
  CHECK(fixture.memory.total() == 250'000);
  CHECK_FALSE(fixture.closed);
  CHECK(fixture.receive().empty());
  CHECK(fixture.closed);
  fixture.handler.answer_held("/held");  // to nobody
}

TEST_CASE("Connection whose close leaves nothing to be called") {
  Fixture fixture;
  fixture.send_only(get("/now"));
  fixture.connection->close();
  const std::weak_ptr<Connection> seen = fixture.connection;
  fixture.connection.reset();
  CHECK(seen.expired());
  fixture.receive();
  CHECK(fixture.handler.events.empty());
}
