#pragma once

#include "base/clock.hpp"
#include "command.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace concur::cli {

// Thrown inside CLI11's callbacks and caught in parse_options: carries a whole message. All of the
// readers below end so where they cannot read the text.
[[noreturn]] void reject(std::string message);

Millis read_duration(const std::string& text);
std::uint32_t read_count(const char* option, const std::string& text, std::uint32_t most);
// A limit, or a rule's number. One above what the daemon takes is for the daemon to refuse. `also`:
// a word that the caller takes in place of a number, for the message.
std::uint32_t read_limit(const char* option, const std::string& text, const char* also = nullptr);
std::uint64_t read_number(const char* option, const std::string& text);
std::pair<std::string, std::string> read_pair(const std::string& text);
OutputFormat read_format(const std::string& text, std::initializer_list<OutputFormat> among);
// Words between commas, each of them one of `among`.
std::vector<std::string> read_words(const char* option, const std::string& text,
                                    std::initializer_list<std::string_view> among);
Rarely read_rarely(const char* option, const std::string& text);
OnLimit read_on_limit(const std::string& text, const char* also = nullptr);

// How often an option may be given.
enum class Repeats { kNo, kAll, kLastCounts };

// Values are taken as they are: without CLI11's own conversions, for ids are opaque. A name without
// dashes is that of an argument.
void add_option(CLI::App& app, const char* name, const char* value, const char* about,
                std::function<void(const std::string&)> take, Repeats repeats = Repeats::kNo);

template <class Text>
void add_text(CLI::App& app, const char* name, const char* value, const char* about, Text& to) {
  add_option(app, name, value, about, [&to](const std::string& text) { to = text; });
}

void add_flag(CLI::App& app, const char* name, const char* about, bool& to);

// What stands under the options in a command's help.
void add_footer(CLI::App& app, const char* text);

void add_message(CLI::App& app, std::optional<std::string>& message);

void add_on_limit(CLI::App& app, const char* about, std::optional<OnLimit>& to);

}  // namespace concur::cli
