#include "api/route.hpp"

#include "api/entrance.hpp"

#include <utility>
#include <vector>

namespace concur {

namespace {

bool fits(const Pattern& pattern, const Target& target, Names& names) {
  const auto expected = pattern.segments();
  const Target::Segments& given = target.segments();
  if (expected.size() != given.size()) return false;
  names.clear();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].starts_with('{')) {
      names.push_back(given[i]);
    } else if (expected[i] != given[i]) {
      return false;
    }
  }
  return true;
}

// Each once, with what comes with it.
class Methods {
 public:
  void add(std::string_view method) {
    append(method);
    if (method == "GET") append("HEAD");
  }
  // OPTIONS too, where there are any.
  std::string text() {
    if (!text_.empty()) append("OPTIONS");
    return std::move(text_);
  }

 private:
  void append(std::string_view method) {
    for (const std::string_view known : known_) {
      if (known == method) return;
    }
    known_.push_back(method);
    if (!text_.empty()) text_ += ", ";
    text_ += method;
  }

  std::vector<std::string_view> known_;
  std::string text_;
};

}  // namespace

std::string_view routed_part(std::string_view target) {
  switch (entrance_of(target)) {
    case Entrance::kAuthorize: {
      const bool has_tail = target.substr(kAuthorizePath.size()).starts_with('/');
      return target.substr(0, kAuthorizePath.size() + (has_tail ? 1 : 0));
    }
    case Entrance::kHook:
      return target.substr(0, target.find('?'));
    case Entrance::kApi:
    case Entrance::kOpen:
      break;
  }
  return target;
}

const Route* match(std::span<const Route> routes, std::string_view method, const Target& target,
                   Names& names) {
  for (const Route& route : routes) {
    if (!fits(route.pattern, target, names)) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD")) return &route;
  }
  return nullptr;
}

std::string allowed_methods(std::span<const Route> routes, const Target& target) {
  Methods methods;
  Names names;
  for (const Route& route : routes) {
    if (fits(route.pattern, target, names)) methods.add(route.method);
  }
  return methods.text();
}

std::string allowed_methods(std::span<const Route> routes) {
  Methods methods;
  for (const Route& route : routes) methods.add(route.method);
  return methods.text();
}

}  // namespace concur
