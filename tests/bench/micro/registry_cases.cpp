#include "micro/case.hpp"

#include "load/names.hpp"
#include "load/random.hpp"
#include "session/registry.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

namespace concur::bench {
namespace {

constexpr std::uint32_t kUsers = 43'000;
constexpr std::uint32_t kSessions = 100'000;
constexpr std::uint64_t kSeed = 1;
constexpr std::uint32_t kSweptSlots = 1000;

// A registry of so many users and sessions, all of it stored.
class FilledRegistry {
 public:
  FilledRegistry() : registry_(Policy{}, kSeed), names_(kSeed) {
    for (std::uint32_t serial = 0; serial < kSessions; ++serial) start(serial % kUsers, serial);
  }

  void start(std::uint32_t user, std::uint64_t session) {
    ask(Start{user_id(user), session_id(session)});
  }
  void heartbeat(std::uint32_t serial) {
    ask(Heartbeat{user_id(serial % kUsers), session_id(serial)});
  }
  void end(std::uint32_t user, std::uint64_t session) {
    ask(End{user_id(user), session_id(session)});
  }
  void list(std::uint32_t user) { ask(ListUser{user_id(user)}); }

  void sweep() {
    registry_.sweep(kSweptSlots, std::chrono::seconds(30), now_);
    store();
  }

  // An hour after all leases are over.
  void let_expire() { now_.instant += std::chrono::hours(1); }

  std::uint32_t random(std::uint32_t bound) { return random_.below(bound); }

 private:
  void ask(const Command& command) {
    keep(registry_.apply(command, now_));
    store();
  }

  // As the service does when a commit has succeeded.
  void store() {
    if (!registry_.has_changes()) return;
    keep(registry_.take_changes());
    registry_.confirm(registry_.last_change());
    registry_.take_events([](Event event) { keep(event); });
  }

  Id user_id(std::uint32_t user) {
    write_user(user, user_.data());
    return *Id::parse("user", std::string_view(user_.data(), user_.size()));
  }
  Id session_id(std::uint64_t serial) {
    names_.write(serial, session_.data());
    return *Id::parse("session", std::string_view(session_.data(), session_.size()));
  }

  Registry registry_;
  Now now_{};
  SessionNames names_;
  Random random_{kSeed};
  std::array<char, kUserLength> user_;
  std::array<char, kSessionLength> session_;
};

// Users have two or three sessions; those of the first 14,000 are at their limit.
constexpr std::uint32_t kFullUsers = kSessions - 2 * kUsers;

std::unique_ptr<Case> start_and_end() {
  return make_case(
      [filled = std::make_shared<FilledRegistry>(), serial = std::uint64_t{kSessions}]() mutable {
        const std::uint32_t user = kFullUsers + filled->random(kUsers - kFullUsers);
        filled->start(user, serial);
        filled->end(user, serial++);
      });
}

std::unique_ptr<Case> start_of_new_user() {
  return make_case(
      [filled = std::make_shared<FilledRegistry>(), serial = std::uint64_t{kSessions}]() mutable {
        filled->start(static_cast<std::uint32_t>(serial), serial);
        ++serial;
      });
}

std::unique_ptr<Case> heartbeat() {
  return make_case([filled = std::make_shared<FilledRegistry>()] {
    filled->heartbeat(filled->random(kSessions));
  });
}

std::unique_ptr<Case> denial() {
  return make_case([filled = std::make_shared<FilledRegistry>()] {
    filled->start(filled->random(kFullUsers), std::uint64_t{kSessions});
  });
}

std::unique_ptr<Case> list_user() {
  return make_case(
      [filled = std::make_shared<FilledRegistry>()] { filled->list(filled->random(kUsers)); });
}

std::unique_ptr<Case> sweep_of_active() {
  return make_case([filled = std::make_shared<FilledRegistry>()] { filled->sweep(); });
}

std::unique_ptr<Case> sweep_of_expired() {
  auto filled = std::make_shared<FilledRegistry>();
  filled->let_expire();
  return make_case([filled] { filled->sweep(); });
}

const std::array kCases{
    CaseEntry{"registry/start_and_end", &start_and_end},
    CaseEntry{"registry/start_of_new_user", &start_of_new_user},
    CaseEntry{"registry/heartbeat", &heartbeat},
    CaseEntry{"registry/denial", &denial},
    CaseEntry{"registry/list_user", &list_user},
    CaseEntry{"registry/sweep_1000_active", &sweep_of_active},
    CaseEntry{"registry/sweep_1000_expired", &sweep_of_expired, kSessions / kSweptSlots},
};

}  // namespace

std::span<const CaseEntry> registry_cases() { return kCases; }

}  // namespace concur::bench
