#pragma once

#include "base/clock.hpp"
#include "command.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

namespace concur::cli {

// Thrown inside CLI11's callbacks and caught in parse_options: carries a whole message. All of the
// readers below end so where they cannot read the text.
[[noreturn]] void reject(std::string message);

Millis read_duration(const std::string& text);
std::uint32_t read_count(const char* option, const std::string& text,
                         std::uint32_t most = std::numeric_limits<std::uint32_t>::max());
std::uint64_t read_number(const char* option, const std::string& text);
std::pair<std::string, std::string> read_pair(const std::string& text);
OutputFormat read_format(const std::string& text, std::initializer_list<OutputFormat> among);
OnLimit read_on_limit(const std::string& text);

// Values are taken as they are: CLI11's own conversions give meaning to texts such as {} and [a],
// and ids are opaque. A name without dashes is that of an argument.
CLI::Option* add_option(CLI::App& app, const char* name, const char* value, const char* about,
                        std::function<void(const std::string&)> take);

template <class Text>
CLI::Option* add_text(CLI::App& app, const char* name, const char* value, const char* about,
                      Text& to) {
  return add_option(app, name, value, about, [&to](const std::string& text) { to = text; });
}

void add_on_limit(CLI::App& app, const char* about, std::optional<OnLimit>& to);

}  // namespace concur::cli
