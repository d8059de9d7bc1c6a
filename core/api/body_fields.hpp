#pragma once

#include "api/request_body.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

#include <boost/json/object.hpp>
#include <boost/json/storage_ptr.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

// What the readers of bodies and of batches' lines share: JSON, and the fields of both. All errors
// are kInvalid.
namespace concur::body {

namespace json = boost::json;

inline std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
inline std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

// `cannot accept field '<name>': it takes <takes>`.
Error bad_field(std::string_view name, std::string_view takes);
Error unknown_field(std::string_view name);
// A token of a start that is none, in a field or a parameter, as `what` says.
Error bad_start(std::string_view what);
// `line` is a batch's, or 0 for a body of its own.
Error unreadable(std::uint64_t line, std::string_view cause);

// `storage` must outlive what comes back.
Result<json::value> parse(std::string_view text, std::uint64_t line = 0,
                          json::storage_ptr storage = {});
Result<json::object> object_of(json::value value, std::uint64_t line = 0);
Result<json::object> parse_object(std::string_view text, std::uint64_t line = 0,
                                  json::storage_ptr storage = {});

// Seconds as a number, or text such as "5m".
Result<Millis> read_duration(std::string_view name, const json::value& value);
Result<std::uint32_t> read_limit(const json::value& value);
Result<OnLimit> read_on_limit(const json::value& value);
// A name of something else than the path names.
Result<std::string> read_name(std::string_view field, const json::value& value);

// What an operator has to say to viewers; empty where it is null.
Result<std::string> read_message(std::string_view name, const json::value& value);
// For how long a user is kept out.
Result<Millis> read_block_length(std::string_view name, const json::value& value);
Result<void> read_block_field(std::string_view name, const json::value& value, BlockBody& into);

// What is set for a user or a plan: one of its fields, and whether they are enough.
Result<void> read_rule_field(std::string_view name, const json::value& value, RuleBody& into);
Result<void> check_limit(const RuleBody& body);
Result<void> check_plan(const RuleBody& body);

// What says which sessions a purge means. None of them is null or empty, for then it would mean
// more than it seems to.
bool is_purge_selector(std::string_view name);
Result<void> read_purge_selector(std::string_view name, const json::value& value, PurgeBody& into);
// What else a purge takes.
Result<void> read_purge_option(std::string_view name, const json::value& value, Purge& into);

// Clients write what they do not know in many ways: PHP an empty object as [].
bool is_nothing(const json::value& value, bool is_object);

// One of a start's fields; those of a heartbeat are among them.
Result<void> read_start_field(std::string_view name, const json::value& value, StartBody& into);
// Whether those fields go together.
Result<void> check_start(const StartBody& body);
bool is_heartbeat_field(std::string_view name);

template <class T, class Into>
Result<void> keep(const Result<T>& read, Into& into) {
  if (!read) return read.error();
  into = *read;
  return {};
}

}  // namespace concur::body
