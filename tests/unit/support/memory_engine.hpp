#pragma once

#include "base/clock.hpp"
#include "engine/change.hpp"
#include "support/fake_servers.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace concur::test {

// What servers do that execute our scripts, without servers: hashes in memory, which each of the
// fake servers answers from. They never expire.
class MemoryEngine {
 public:
  using Hash = std::map<std::string, std::string>;

  explicit MemoryEngine(const Clock& clock) : clock_(clock) {}

  // None for what the scripts do not answer.
  std::optional<std::string> reply(const Words& words) {
    if (words[0] == "WAIT") return integer(1);
    if (words[0] != "EVALSHA" || words.size() < 4) return std::nullopt;
    for (const auto script : {engine::Script::kRead, engine::Script::kReadAsPrimary}) {
      if (words[1] == FakeServers::script_name(script)) return read(words);
    }
    const bool despite_full =
        words[1] == FakeServers::script_name(engine::Script::kChangeDespiteFull);
    if (full && !despite_full) return error("OOM command not allowed when used memory");
    return change(words);
  }

  engine::Fields fields(const std::string& key) const {
    engine::Fields fields;
    const auto found = hashes.find(key);
    if (found == hashes.end()) return fields;
    for (const auto& [name, value] : found->second) fields.push_back({name, value});
    return fields;
  }
  WallTime now() const { return clock_.now().wall() + ahead; }

  std::map<std::string, Hash> hashes;
  Millis ahead{};  // of its clock, before the wall clock
  bool full = false;
  // Of users.
  std::size_t reads = 0;
  std::size_t applied_changes = 0;
  std::size_t guarded_changes = 0;

 private:
  long long time() const { return now().time_since_epoch().count(); }

  std::string read(const Words& words) {
    if (is_users(words[3])) ++reads;
    return found(words_of(words[3]), time());
  }

  // As the script has its arguments.
  std::string change(const Words& words) {
    std::size_t at = 4;
    const auto number = [&words, &at] { return std::stoll(words.at(at++)); };
    const long long not_after = number();
    at += 2;  // when it expires
    const long long equal = number();
    const long long absent = number();
    const long long set = number();
    const long long gone = number();
    if (not_after > 0 && time() > not_after) return late(time());
    const std::string& key = words[3];
    const Hash before = hashes[key];
    for (long long i = 0; i < equal; ++i, at += 2) {
      const auto found_field = before.find(words.at(at));
      if (found_field == before.end() || found_field->second != words.at(at + 1)) {
        return refuse(key);
      }
    }
    for (long long i = 0; i < absent; ++i, ++at) {
      if (before.contains(words.at(at))) return refuse(key);
    }
    Hash& hash = hashes[key];
    for (long long i = 0; i < set; ++i, at += 2) hash[words.at(at)] = words.at(at + 1);
    for (long long i = 0; i < gone; ++i, ++at) hash.erase(words.at(at));
    REQUIRE(at == words.size());
    if (hash.empty()) hashes.erase(key);
    if (is_users(key)) ++applied_changes;
    return applied(time());
  }
  std::string refuse(const std::string& key) {
    if (is_users(key)) ++guarded_changes;
    return guarded(words_of(key), time());
  }

  static bool is_users(std::string_view key) { return key.starts_with("concur:u:"); }
  Words words_of(const std::string& key) const {
    Words words;
    for (const engine::Field& each : fields(key)) {
      words.push_back(each.name);
      words.push_back(*each.value);
    }
    return words;
  }

  const Clock& clock_;
};

}  // namespace concur::test
