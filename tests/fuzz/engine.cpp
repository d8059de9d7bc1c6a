// The engine's client, and servers that answer with anything: each request has exactly one outcome,
// by its deadline, and what is under way has its bounds.
//
// The first byte of an input says whether the servers are a cluster, and whether replicas are to
// acknowledge. The bytes that follow are what the present connection's server says; 0xFF and a
// letter is something else: 'g' all servers answer well what they were asked, 'n' the next
// connection is the present one, 'c' it closes, 't' time passes, 'r' more is asked.
#include "engine/engine.hpp"
#include "base/turn.hpp"
#include "support/moments.hpp"

#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace concur;
using namespace concur::engine;
using namespace std::chrono_literals;
using fuzz::claim;

namespace {

constexpr char kMark = '\xFF';

// What a server has of one connection.
struct End {
  bool open = true;
  ReplyReader commands;  // for they have the form of replies
  std::deque<Reply> asked;
  std::string to_client;
  bool closed = false;
  Wire::Read reading;
};

class Servers final : public Dialer {
 public:
  Servers(boost::asio::io_context& loop, bool cluster) : loop_(loop), cluster_(cluster) {}

  std::unique_ptr<Wire> dial(const Address& /*address*/) override {
    ends.push_back(std::make_shared<End>());
    return std::make_unique<FuzzWire>(*this, ends.back());
  }

  void say(std::string_view bytes) {
    if (ends.empty()) return;
    ends[present_ % ends.size()]->to_client += bytes;
    deliver(ends[present_ % ends.size()]);
  }
  void close() {
    if (ends.empty()) return;
    ends[present_ % ends.size()]->closed = true;
    deliver(ends[present_ % ends.size()]);
  }
  void next() { ++present_; }
  void answer_well() {
    for (const auto& end : std::vector(ends)) {
      for (const Reply& command : std::exchange(end->asked, {})) end->to_client += answer(command);
      deliver(end);
    }
  }
  void forget_closed() {
    std::erase_if(ends, [](const auto& end) { return !end->open; });
  }

  std::vector<std::shared_ptr<End>> ends;

 private:
  struct FuzzWire final : Wire {
    FuzzWire(Servers& its_servers, std::shared_ptr<End> its_end)
        : servers(its_servers), end(std::move(its_end)) {}
    FuzzWire(const FuzzWire&) = delete;
    FuzzWire& operator=(const FuzzWire&) = delete;
    ~FuzzWire() override {
      end->open = false;
      end->reading = {};
    }
    void connect(Done done) override { post(std::move(done)); }
    void read(Read done) override {
      end->reading = std::move(done);
      servers.deliver(end);
    }
    void write(std::string& bytes, Done done) override {
      claim(end->commands.feed(bytes), "what is written are commands");
      bytes.clear();
      while (auto command = end->commands.next()) end->asked.push_back(std::move(*command));
      post(std::move(done));
    }
    void post(Done done) {
      boost::asio::post(servers.loop_, [kept = std::make_shared<Done>(std::move(done)), its = end] {
        if (its->open) (*kept)("");
      });
    }

    Servers& servers;
    std::shared_ptr<End> end;
  };

  std::string answer(const Reply& command) const {
    const std::string& word = command.elements.at(0).text;
    if (word == "SCRIPT") return "$40\r\n" + std::string(40, 'a') + "\r\n";
    if (word == "AUTH" || word == "ASKING") return "+OK\r\n";
    if (word == "ROLE") return "*1\r\n$6\r\nmaster\r\n";
    if (word == "WAIT") return ":1\r\n";
    if (word == "SCAN") return "*2\r\n$1\r\n0\r\n*0\r\n";
    if (word != "CLUSTER") return "*2\r\n:0\r\n:1000000\r\n";
    if (command.elements.at(1).text != "SLOTS") return "*0\r\n";
    if (!cluster_) return "-ERR This instance has cluster support disabled\r\n";
    return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:1\r\n";
  }

  void deliver(const std::shared_ptr<End>& end) {
    boost::asio::post(loop_, [end] {
      if (!end->open || !end->reading || (end->to_client.empty() && !end->closed)) return;
      const Wire::Read last = std::move(end->reading);
      const std::string bytes = std::exchange(end->to_client, {});
      last(bytes.empty() ? "it closed the connection" : "", bytes);
    });
  }

  boost::asio::io_context& loop_;
  bool cluster_;
  std::size_t present_ = 0;
};

class Play {
 public:
  explicit Play(unsigned char options)
      : servers_(loop_, (options & 1U) != 0),
        engine_(
            turn_, clock_, servers_,
            {{{"a", 1}}, {}, "f:", 1000ms, (options & 2U) != 0 ? Ack::kReplica : Ack::kPrimary}) {}

  void run(std::string_view input) {
    ask();
    tick();
    while (!input.empty()) {
      const std::size_t mark = input.find(kMark);
      servers_.say(input.substr(0, mark));
      work();
      if (mark == std::string_view::npos) break;
      const char what = mark + 1 < input.size() ? input[mark + 1] : 't';
      input.remove_prefix(std::min(input.size(), mark + 2));
      act(what);
      work();
    }
  }

  // Time passes until each deadline is over.
  void finish() {
    for (int i = 0; i < 50; ++i) tick();
    for (const int outcomes : outcomes_) claim(outcomes == 1, "each request has its outcome");
  }

 private:
  static constexpr std::size_t kMaxAsked = 64;

  void act(char what) {
    switch (what) {
      case 'g':
        return servers_.answer_well();
      case 'n':
        return servers_.next();
      case 'c':
        return servers_.close();
      case 'r':
        return ask();
      default:
        return tick();
    }
  }
  void ask() {
    if (outcomes_.size() >= kMaxAsked) return;
    const Instant deadline = clock_.now().instant + 1000ms;
    const auto counted = [this] {
      outcomes_.push_back(0);
      int& outcomes = outcomes_.back();
      return [&outcomes](auto&&) { claim(++outcomes == 1, "a request has one outcome at most"); };
    };
    engine_.change({.key = "f:a", .guards = {{"v", "1"}}, .fields = {{"v", "2"}}}, deadline,
                   counted());
    engine_.change({.key = "f:b", .guards = {}, .fields = {{"v", "2"}}, .acknowledged = false},
                   deadline, counted());
    engine_.read("f:a", {}, deadline, counted());
    engine_.keys(engine::WalkPosition::by_slots(3), deadline, counted());
    engine_.keys({}, deadline, counted());
    work();
  }
  void tick() {
    clock_.tick(Engine::kTick);
    engine_.tick();
    work();
    servers_.forget_closed();
    claim(servers_.ends.size() < 100, "so many connections at most");
  }
  void work() {
    do {
      loop_.restart();
    } while (loop_.poll() > 0);
  }

  boost::asio::io_context loop_{1};
  Turn turn_{loop_};
  test::FakeClock clock_;
  std::deque<int> outcomes_;  // of each request
  Servers servers_;
  Engine engine_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Play play(data[0]);
  play.run({reinterpret_cast<const char*>(data + 1), size - 1});
  play.finish();
  return 0;
}
