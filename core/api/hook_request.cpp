#include "api/hook_request.hpp"

#include "api/body_fields.hpp"
#include "api/raw_query.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <utility>

namespace concur {

namespace {

Error bad_url(std::string_view name, std::string_view cause) {
  return {ErrorKind::kInvalid, text::format("cannot read the hook's URL: '{}': {}", name, cause)};
}

// Null where the URL does not say it.
Result<std::optional<Sources>> read_sources(std::string_view query, std::string_view name) {
  const Finding given = parameter(query, name);
  if (!given.value) return std::optional<Sources>();
  auto sources = parse_sources(*given.value, SourceOf::kMediaServer);
  if (!sources) return bad_url(name, sources.error().message);
  return std::optional(std::move(*sources));
}

Result<void> read_ttl_of_url(std::string_view query, HookUrl& url) {
  const Finding given = parameter(query, "ttl");
  if (!given.value) return {};
  const auto ttl = parse_duration(*given.value);
  if (!ttl || *ttl < kMinLease || *ttl > kMaxLease) {
    return bad_url("ttl", text::format("it takes {} to {}", format_duration(kMinLease),
                                       format_duration(kMaxLease)));
  }
  url.ttl = *ttl;
  return {};
}

Result<void> read_on_limit_of_url(std::string_view query, HookUrl& url) {
  const Finding given = parameter(query, "on-limit");
  if (!given.value) return {};
  url.on_limit = on_limit_of(*given.value);
  if (!url.on_limit) return bad_url("on-limit", "it takes deny, evict-oldest or evict-newest");
  return {};
}

struct SplitQuery {
  std::string_view operators;
  std::string_view servers;
};

// What is in front belongs to the operator, what a media server puts behind it begins with one of
// its own names. nginx-rtmp puts a second ? between them.
SplitQuery split_query(std::string_view query, std::string_view own) {
  const std::size_t mark = query.find('?');
  if (mark != std::string_view::npos) return {query.substr(0, mark), query.substr(mark + 1)};
  for (std::size_t begin = 0; begin < query.size();) {
    const std::string_view rest = query.substr(begin);
    const std::string_view parameter = rest.substr(0, rest.find('&'));
    if (lists(own, ' ', parameter.substr(0, parameter.find('=')))) {
      return {query.substr(0, begin), rest};
    }
    begin += parameter.size() + 1;
  }
  return {query, {}};
}

}  // namespace

Result<HookUrl> parse_hook_url(std::string_view query) {
  HookUrl url;
  auto user = read_sources(query, "user");
  auto session = read_sources(query, "session");
  auto device = read_sources(query, "device");
  auto content = read_sources(query, "content");
  for (const auto* each : {&user, &session, &device, &content}) {
    if (!*each) return each->error();
  }
  url.user = user->value_or(Sources{{Source::Kind::kParam, "user"}});
  url.session = std::move(*session);
  url.device = device->value_or(Sources{{Source::Kind::kParam, "device"}});
  url.content = std::move(*content);
  if (const auto read = read_ttl_of_url(query, url); !read) return read.error();
  if (const auto read = read_on_limit_of_url(query, url); !read) return read.error();
  url.tag = parameter(query, "tag").value.value_or(std::string());
  url.also = parameter(query, "also").value.value_or(std::string());
  return url;
}

Result<HookRequest> HookRequest::parse(const HookDialect& dialect, const Request& request) {
  const std::string_view query = query_of(request.target);
  const bool in_url = dialect.format == HookDialect::Format::kForm && request.method != "POST";
  const SplitQuery split =
      in_url ? split_query(query, dialect.own) : SplitQuery{query, request.body};
  auto url = parse_hook_url(split.operators);
  if (!url) return url.error();
  HookRequest hook(request, std::move(*url));
  if (dialect.format == HookDialect::Format::kJson) {
    if (const auto read = hook.read_json(request.body); !read) return read.error();
  } else {
    hook.read_form(split.servers);
  }
  hook.event_ = dialect.read(HookFields(hook.fields_), split.servers, hook.url_.also);
  return hook;
}

SourceText HookRequest::text() const {
  return {query_of(event_.uri), event_.uri, header_, fields_, event_.ip};
}

std::string_view HookRequest::keep(std::string text) {
  return texts_.emplace_front(std::move(text));
}

// Its own fields are texts and numbers; what has a structure is none of ours.
Result<void> HookRequest::read_json(std::string_view text) {
  const auto object = body::parse_object(text);
  if (!object) return object.error();
  for (const auto& member : *object) {
    const auto& value = member.value();
    if (value.is_null() || value.is_structured()) continue;
    fields_.push_back({keep(std::string(body::view(member.key()))),
                       keep(value.is_string() ? std::string(body::view(value.get_string()))
                                              : boost::json::serialize(value))});
  }
  return {};
}

void HookRequest::read_form(std::string_view form) {
  while (!form.empty()) {
    const std::string_view parameter = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(parameter.size() + 1, form.size()));
    std::string name(parameter.substr(0, parameter.find('=')));
    const bool is_first =
        std::ranges::none_of(fields_, [&name](const Field& field) { return field.name == name; });
    if (!is_first) continue;
    std::string value;
    const std::size_t equals = parameter.find('=');
    const std::string_view raw =
        equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
    if (!decode_percent(value, raw, true)) value.clear();
    fields_.push_back({keep(std::move(name)), keep(std::move(value))});
  }
}

}  // namespace concur
