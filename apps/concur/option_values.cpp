#include "option_values.hpp"

#include "base/command_line.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace concur::cli {

namespace {

constexpr std::uint32_t kMostLimit = 1'000'000'000;  // that the daemon takes

// `taken`: what the message says that it takes up to `most`.
template <class Number>
Number read_whole(const char* option, const std::string& text, Number most,
                  const std::string& taken) {
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || rest != end || value > most) {
    reject(text::format("cannot read {} '{}': it takes a whole number from 0 to {}", option, text,
                        taken));
  }
  return value;
}

std::string on_limit_words(std::string_view between, std::string_view before_last) {
  std::string words;
  for (const auto& [word, value] : kOnLimitWords) {
    if (!words.empty()) words += word == kOnLimitWords.back().first ? before_last : between;
    words += word;
  }
  return words;
}

const char* word_of(OutputFormat format) {
  switch (format) {
    case OutputFormat::kJson:
      return "json";
    case OutputFormat::kNdjson:
      return "ndjson";
    case OutputFormat::kTable:
      return "table";
    case OutputFormat::kHtml:
      return "html";
    case OutputFormat::kCsv:
      return "csv";
  }
  return "json";
}

}  // namespace

void reject(std::string message) { throw CLI::ValidationError(std::move(message)); }

Millis read_duration(const std::string& text) {
  const auto value = parse_duration(text);
  if (!value) reject(value.error().message);
  return *value;
}

std::uint32_t read_count(const char* option, const std::string& text, std::uint32_t most) {
  return read_whole(option, text, most, std::to_string(most));
}

std::uint32_t read_limit(const char* option, const std::string& text, const char* also) {
  constexpr auto kReadable = std::numeric_limits<std::uint32_t>::max();
  return read_whole(option, text, kReadable,
                    std::to_string(kMostLimit) + (also != nullptr ? ", or " : "") +
                        (also != nullptr ? also : ""));
}

std::uint64_t read_number(const char* option, const std::string& text) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  return read_whole(option, text, kMost, std::to_string(kMost));
}

std::vector<std::string> read_words(const char* option, const std::string& text,
                                    std::initializer_list<std::string_view> among) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
    if (std::find(among.begin(), among.end(), words.back()) != among.end()) continue;
    std::string all;
    for (const auto& word : among) all += text::format("{}{}", all.empty() ? "" : ", ", word);
    reject(text::format("cannot read {} '{}': there is no '{}'; there are {}", option, text,
                        words.back(), all));
  }
  return words;
}

Rarely read_rarely(const char* option, const std::string& text) {
  const std::size_t slash = text.find('/');
  std::uint32_t most = 0;
  const char* end = text.data() + std::min(slash, text.size());
  const auto [rest, failed] = std::from_chars(text.data(), end, most);
  const auto within =
      slash == std::string::npos ? Result<Millis>(Error{}) : parse_duration(text.substr(slash + 1));
  if (failed != std::errc() || rest != end || most == 0 || !within || within->count() == 0) {
    reject(
        text::format("cannot read {} '{}': it takes N/DURATION, for example 1/10m", option, text));
  }
  return {most, *within};
}

std::pair<std::string, std::string> read_pair(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    reject(text::format("cannot read --meta '{}': it takes KEY=VALUE", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

OutputFormat read_format(const std::string& text, std::initializer_list<OutputFormat> among) {
  std::string words;
  for (const OutputFormat* format = among.begin(); format != among.end(); ++format) {
    if (text == word_of(*format)) return *format;
    const bool last = format + 1 == among.end();
    words += text::format("{}{}", words.empty() ? "" : last ? " or " : ", ", word_of(*format));
  }
  reject(text::format("cannot read --output '{}': it takes {}", text, words));
}

OnLimit read_on_limit(const std::string& text, const char* also) {
  if (const auto value = on_limit_of(text)) return *value;
  const std::string words =
      also == nullptr ? on_limit_words(", ", " or ") : on_limit_words(", ", ", ") + " or " + also;
  reject(text::format("cannot read --on-limit '{}': it takes {}", text, words));
}

void add_option(CLI::App& app, const char* name, const char* value, const char* about,
                std::function<void(const std::string&)> take, Repeats repeats) {
  CLI::Option* option = app.add_option(
      name,
      [take = std::move(take)](const CLI::results_t& texts) {
        for (const auto& text : texts) take(decode_words(text));
        return true;
      },
      about);
  option->type_name(value);
  switch (repeats) {
    case Repeats::kNo:
      break;
    case Repeats::kAll:
      option->take_all();
      break;
    case Repeats::kLastCounts:
      option->take_last();
      break;
  }
}

void add_flag(CLI::App& app, const char* name, const char* about, bool& to) {
  app.add_flag(name, to, about);
}

void add_message(CLI::App& app, std::optional<std::string>& message) {
  add_text(app, "--message", "TEXT", "What the viewer is told", message);
}

void add_footer(CLI::App& app, const char* text) { app.footer(text); }

void add_on_limit(CLI::App& app, const char* about, std::optional<OnLimit>& to) {
  add_option(app, "--on-limit", on_limit_words("|", "|").c_str(), about,
             [&to](const std::string& text) { to = read_on_limit(text); });
}

}  // namespace concur::cli
