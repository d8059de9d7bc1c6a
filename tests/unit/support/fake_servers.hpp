#pragma once

#include "engine/scripts.hpp"
#include "engine/wire.hpp"

#include <doctest/doctest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Servers of the engine, as a test's script plays them: in memory, in the test's loop.
namespace concur::test {

using Words = std::vector<std::string>;

// --- replies ---

inline std::string status(std::string_view text) { return "+" + std::string(text) + "\r\n"; }
inline std::string error(std::string_view text) { return "-" + std::string(text) + "\r\n"; }
inline std::string integer(long long number) { return ":" + std::to_string(number) + "\r\n"; }
inline std::string nil() { return "$-1\r\n"; }
inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
inline std::string array(const std::vector<std::string>& elements) {
  std::string all = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) all += element;
  return all;
}
inline std::string texts(const Words& words) {
  std::vector<std::string> elements;
  for (const std::string& word : words) elements.push_back(bulk(word));
  return array(elements);
}

// What our scripts answer, at that time of the engine.
inline constexpr long long kEngineTime = 1'795'449'600'000;
inline std::string applied(long long now = kEngineTime) {
  return array({integer(0), integer(now)});
}
inline std::string guarded(const Words& fields, long long now = kEngineTime) {
  return array({integer(1), integer(now), texts(fields)});
}
inline std::string late(long long now = kEngineTime) { return array({integer(2), integer(now)}); }
inline std::string found(const Words& fields, long long now = kEngineTime) {
  return array({integer(now), texts(fields)});
}

// Takes whole commands from the front of the bytes.
inline std::vector<Words> take_commands(std::string& bytes) {
  std::vector<Words> commands;
  while (true) {
    std::string_view rest = bytes;
    const auto number = [&rest](char kind) -> std::optional<std::size_t> {
      const std::size_t end = rest.find("\r\n");
      if (end == std::string_view::npos) return std::nullopt;
      REQUIRE(rest.front() == kind);
      const std::size_t value = std::stoul(std::string(rest.substr(1, end - 1)));
      rest.remove_prefix(end + 2);
      return value;
    };
    Words words;
    auto left = number('*');
    while (left && *left > 0) {
      const auto size = number('$');
      if (!size || rest.size() < *size + 2) break;
      words.emplace_back(rest.substr(0, *size));
      rest.remove_prefix(*size + 2);
      --*left;
    }
    if (!left || *left > 0) return commands;
    bytes.erase(0, bytes.size() - rest.size());
    commands.push_back(std::move(words));
  }
}

// --- servers ---

class FakeServers final : public engine::Dialer {
 public:
  enum class Door { kOpen, kRefuses, kSilent };

  struct Entry {
    std::optional<std::string> reply;
  };
  // One connection, as the servers see it.
  struct End {
    engine::Address address;
    bool open = true;  // on the client's side
    bool connected = false;
    std::string received;                        // and is no whole command yet
    std::deque<std::shared_ptr<Entry>> entries;  // of commands, whose replies go out in order
    std::string to_client;
    std::string failure;
    engine::Wire::Done connecting;
    engine::Wire::Read reading;
    std::size_t writes = 0;
  };
  // A command that nothing but the test answers.
  struct Held {
    std::shared_ptr<End> end;
    std::shared_ptr<Entry> entry;
    Words words;
  };

  explicit FakeServers(boost::asio::io_context& loop) : loop_(loop) {}

  std::unique_ptr<engine::Wire> dial(const engine::Address& address) override {
    ++dials[address];
    auto end = std::make_shared<End>();
    end->address = address;
    ends.push_back(end);
    return std::make_unique<FakeWire>(*this, end);
  }

  // Answers the oldest held command, or that one.
  void answer(const std::string& reply, std::size_t which = 0) {
    REQUIRE(which < held.size());
    const Held command = held[which];
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    command.entry->reply = reply;
    send_replies(command.end);
  }
  // Bytes that are no answer to anything, behind those that are.
  void send(const std::shared_ptr<End>& end, std::string_view bytes) {
    end->to_client += bytes;
    deliver(end);
  }
  // All connections to that server, or all of those that are open.
  void close(const std::optional<engine::Address>& address = {}) {
    for (const auto& end : open_ends(address)) {
      end->failure = "it closed the connection";
      std::erase_if(held, [&end](const Held& command) { return command.end == end; });
      deliver(end);
    }
  }
  std::vector<std::shared_ptr<End>> open_ends(
      const std::optional<engine::Address>& address = {}) const {
    std::vector<std::shared_ptr<End>> open;
    for (const auto& end : ends) {
      if (end->open && (!address || end->address == *address)) open.push_back(end);
    }
    return open;
  }
  // The first words of the held commands.
  Words held_words() const {
    Words words;
    for (const Held& command : held) words.push_back(command.words.front());
    return words;
  }

  std::map<engine::Address, Door> doors;         // open where there is none
  std::map<engine::Address, std::string> slots;  // what they answer to CLUSTER SLOTS
  std::map<engine::Address, std::string> roles;  // and to ROLE
  std::string all_slots = error("ERR This instance has cluster support disabled");
  std::string greeting;  // what is answered to each command of a greeting in place of what is right
  std::string password;  // to be presented, where there is one
  std::size_t piece = SIZE_MAX;  // so many bytes arrive at once at most
  // Answers what is not held.
  std::function<std::optional<std::string>(const End& end, const Words& words)> script;

  std::map<engine::Address, std::size_t> dials;
  std::vector<std::shared_ptr<End>> ends;
  std::vector<Words> commands;  // all that came, but of greetings and surveys
  std::deque<Held> held;

 private:
  class FakeWire final : public engine::Wire {
   public:
    FakeWire(FakeServers& servers, std::shared_ptr<End> end)
        : servers_(servers), end_(std::move(end)) {}
    FakeWire(const FakeWire&) = delete;
    FakeWire& operator=(const FakeWire&) = delete;
    ~FakeWire() override {
      end_->open = false;
      end_->connecting = {};
      end_->reading = {};
      std::erase_if(servers_.held, [this](const Held& command) { return command.end == end_; });
    }

    void connect(Done done) override {
      end_->connecting = std::move(done);
      const auto door = servers_.doors.find(end_->address);
      const Door how = door == servers_.doors.end() ? Door::kOpen : door->second;
      if (how == Door::kSilent) return;
      boost::asio::post(servers_.loop_, [end = end_, how] {
        if (!end->open) return;
        end->connected = how == Door::kOpen;
        const Done last = std::move(end->connecting);
        last(how == Door::kOpen ? "" : "Connection refused");
      });
    }
    void read(Read done) override {
      end_->reading = std::move(done);
      servers_.deliver(end_);
    }
    void write(std::string& bytes, Done done) override {
      end_->received += bytes;
      bytes.clear();
      ++end_->writes;
      auto kept = std::make_shared<Done>(std::move(done));
      boost::asio::post(servers_.loop_, [&servers = servers_, end = end_, kept] {
        if (!end->open) return;
        for (Words& words : take_commands(end->received)) servers.take(end, std::move(words));
        (*kept)("");
      });
    }

   private:
    FakeServers& servers_;
    std::shared_ptr<End> end_;
  };

  void take(const std::shared_ptr<End>& end, Words words) {
    auto entry = std::make_shared<Entry>();
    end->entries.push_back(entry);
    entry->reply = usual_reply(*end, words);
    if (!entry->reply) {
      commands.push_back(words);
      if (script) entry->reply = script(*end, words);
      if (!entry->reply) held.push_back({end, entry, std::move(words)});
    }
    send_replies(end);
  }

  std::optional<std::string> usual_reply(const End& end, const Words& words) const {
    const auto own = [&end](const auto& replies, const std::string& otherwise) {
      const auto found_reply = replies.find(end.address);
      return found_reply == replies.end() ? otherwise : found_reply->second;
    };
    const bool greets = words[0] == "AUTH" || words[0] == "SCRIPT";
    if (greets && !greeting.empty()) return greeting;
    if (words[0] == "AUTH") {
      return words.back() == password ? status("OK") : error("WRONGPASS invalid username");
    }
    if (words[0] == "SCRIPT") {
      for (const engine::Script each : engine::kAllScripts) {
        if (words[2] == engine::source_of(each)) return bulk(script_name(each));
      }
    }
    if (words[0] == "ROLE") return own(roles, array({bulk("master"), integer(0), array({})}));
    if (words[0] == "CLUSTER" && words[1] == "SLOTS") return own(slots, all_slots);
    return std::nullopt;
  }

  void send_replies(const std::shared_ptr<End>& end) {
    while (!end->entries.empty() && end->entries.front()->reply) {
      end->to_client += *end->entries.front()->reply;
      end->entries.pop_front();
    }
    deliver(end);
  }

  void deliver(const std::shared_ptr<End>& end) {
    boost::asio::post(loop_, [this, end] {
      if (!end->open || !end->reading) return;
      if (end->to_client.empty() && end->failure.empty()) return;
      const engine::Wire::Read last = std::move(end->reading);
      if (end->to_client.empty()) return last(end->failure, {});
      const std::string bytes = end->to_client.substr(0, piece);
      end->to_client.erase(0, bytes.size());
      last("", bytes);
    });
  }

 public:
  static std::string script_name(engine::Script script) {
    return std::string(40, static_cast<char>('a' + static_cast<int>(script)));
  }

 private:
  boost::asio::io_context& loop_;
};

}  // namespace concur::test
