#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "engine/address.hpp"
#include "engine/lane.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace concur {

// What becomes of starts whose primary does not answer.
enum class Unavailable : std::uint8_t {
  kLocal,  // this box judges them by what it last knew
  kDeny,   // they are answered 503
  kAllow   // they are let in
};

// As users write it: local, deny, allow.
std::string_view word_of(Unavailable unavailable);
std::optional<Unavailable> unavailable_of(std::string_view word);

// As users write it: replica, primary.
std::string_view word_of(engine::Ack ack);
std::optional<engine::Ack> ack_of(std::string_view word);

// What makes a box one of a fleet. Empty paths are none.
struct FleetConfig {
  std::vector<engine::Address> seeds;  // none: no fleet
  bool tls = false;
  std::string name = "concur";  // with it the keys of all boxes begin
  std::string user;             // empty: "default"
  std::string password_file;    // read with engine::read_password()
  std::string ca_file;          // with TLS; none: whom the system believes
  std::string cert_file;        // with TLS, and with a key
  std::string key_file;
  engine::Ack ack = engine::Ack::kReplica;
  Unavailable unavailable = Unavailable::kLocal;
  Millis timeout = std::chrono::seconds(1);    // nobody waits for a primary for longer
  std::string box;                             // its label; not empty
  std::size_t cache = std::size_t{64} << 20U;  // bytes of users decided here lately

  bool operator==(const FleetConfig&) const = default;
};

// All bounds are inclusive.
inline constexpr Millis kMinFleetTimeout{100};
inline constexpr Millis kMaxFleetTimeout = std::chrono::seconds(30);
inline constexpr std::size_t kMinFleetCache = std::size_t{1} << 20U;
inline constexpr std::size_t kMaxFleetCache = std::size_t{64} << 30U;

// The value of `fleet`: its seeds, and whether with TLS, as engine::parse_seeds() reads them. The
// other members are left as they are. kInvalid, as a cause, for anything else.
Result<void> parse_fleet_url(std::string_view text, FleetConfig& into);
// The same in the form that parse_fleet_url() takes; empty where there are no seeds.
std::string fleet_url(const FleetConfig& config);

// 1 to 64 letters, digits, _ and -: kInvalid, as a cause, for anything else.
Result<void> check_fleet_name(std::string_view name);
// 1 to 64 bytes of UTF-8 without control characters: the same.
Result<void> check_box_label(std::string_view label);

}  // namespace concur
