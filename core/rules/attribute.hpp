#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur {

// What of a session a rule may ask for: one of those that are built in, or a key of its meta. A
// meta key of a built-in one's name cannot be asked for.
struct Attribute {
  enum class Kind : std::uint8_t { kDevice, kIp, kNetwork, kContent, kMeta };

  Kind kind = Kind::kMeta;
  std::string key{};  // of meta

  bool operator==(const Attribute&) const = default;
};

// As users write it: device, ip, network, content, or the key.
std::string_view name_of(const Attribute& attribute);
std::string_view name_of(Attribute::Kind kind);
Attribute attribute_of(std::string_view name);

// What one session, or a start, brings, as rules ask for it. Views: the texts must outlive it. Meta
// is a JSON object's text, read when it is first asked for.
class Attributes {
 public:
  Attributes(std::string_view device, std::string_view ip, std::string_view content,
             std::string_view meta)
      : device_(device), ip_(ip), content_(content), meta_text_(meta) {}

  // Nothing where the session does not have it. A network is an IPv4 address or an IPv6 one's first
  // 64 bits, and nothing of an address that cannot be read. A number or truth value of meta is the
  // text that JSON has for it.
  std::optional<std::string> value_of(const Attribute& attribute) const;

 private:
  std::optional<std::string> meta_value(std::string_view key) const;

  std::string_view device_;
  std::string_view ip_;
  std::string_view content_;
  std::string_view meta_text_;
  mutable std::optional<boost::json::object> meta_{};
};

}  // namespace concur
