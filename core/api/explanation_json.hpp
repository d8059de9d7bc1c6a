#pragma once

#include "api/json_writer.hpp"
#include "session/answer.hpp"

namespace concur {

// The fields of an explanation, into an object that is open.
void write_explanation(JsonWriter& json, const Explanation& said);

}  // namespace concur
