#pragma once

#include "base/clock.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace concur::cli {

// What the views for people read of an answer. Only they carry a JSON library: everything else
// passes the daemon's bytes on.

// Nothing where the text is no JSON object.
std::optional<boost::json::object> read_object(std::string_view text);

// Of a member, as printable text; nothing where there is no such text.
std::optional<std::string> text_of(const boost::json::object& members, std::string_view name);

std::optional<WallTime> time_of(const boost::json::object& members, std::string_view name);

// 0 where there is no such number.
std::uint64_t count_of(const boost::json::object& members, std::string_view name);
double number_of(const boost::json::object& members, std::string_view name);

// The value as the daemon writes it: without spaces, members in their order.
void append_json(std::string& out, const boost::json::value& value);

// Null where there is none.
const boost::json::object* object_of(const boost::json::object& members, std::string_view name);
const boost::json::array* array_of(const boost::json::object& members, std::string_view name);

}  // namespace concur::cli
