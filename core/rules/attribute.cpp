#include "rules/attribute.hpp"

#include "base/text.hpp"
#include "rules/address.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace concur {

namespace {

constexpr std::pair<Attribute::Kind, std::string_view> kBuiltIn[] = {
    {Attribute::Kind::kDevice, "device"},
    {Attribute::Kind::kIp, "ip"},
    {Attribute::Kind::kNetwork, "network"},
    {Attribute::Kind::kContent, "content"}};

std::optional<std::string> text_or_nothing(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(std::string(text));
}

}  // namespace

std::string_view name_of(Attribute::Kind kind) {
  for (const auto& [each, name] : kBuiltIn) {
    if (each == kind) return name;
  }
  return "meta";
}

std::string_view name_of(const Attribute& attribute) {
  return attribute.kind == Attribute::Kind::kMeta ? std::string_view(attribute.key)
                                                  : name_of(attribute.kind);
}

Attribute attribute_of(std::string_view name) {
  for (const auto& [kind, known] : kBuiltIn) {
    if (name == known) return {kind};
  }
  return {Attribute::Kind::kMeta, std::string(name)};
}

std::optional<std::string> Attributes::value_of(const Attribute& attribute) const {
  switch (attribute.kind) {
    case Attribute::Kind::kDevice:
      return text_or_nothing(device_);
    case Attribute::Kind::kIp:
      return text_or_nothing(ip_);
    case Attribute::Kind::kNetwork:
      return network_if_address(ip_);
    case Attribute::Kind::kContent:
      return text_or_nothing(content_);
    case Attribute::Kind::kMeta:
      break;
  }
  return meta_value(attribute.key);
}

std::optional<std::string> Attributes::meta_value(std::string_view key) const {
  if (!meta_) {
    boost::json::error_code failed;
    const auto read = boost::json::parse({meta_text_.data(), meta_text_.size()}, failed);
    const auto* object = failed ? nullptr : read.if_object();
    meta_ = object == nullptr ? boost::json::object() : *object;
  }
  const auto* value = meta_->if_contains({key.data(), key.size()});
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (const auto* text = value->if_string()) {
    return text_or_nothing({text->data(), text->size()});
  }
  if (const auto* number = value->if_double()) return text::format("{}", *number);
  return boost::json::serialize(*value);
}

}  // namespace concur
