#pragma once

#include "session/answer.hpp"
#include "session/command.hpp"

#include <string>

namespace concur::simulation {

// For people, and to compare: each field, in an order of its own where the service has none.
std::string text_of(const Command& command);
std::string text_of(const Answer& answer);
std::string text_of(Instant instant);

}  // namespace concur::simulation
