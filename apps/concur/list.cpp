#include "list.hpp"

#include "ask.hpp"
#include "base/text.hpp"
#include "output.hpp"
#include "page.hpp"
#include "request.hpp"
#include "table.hpp"

namespace concur::cli {

namespace {

// A user's list names the user once; alone on its line an entry must say whose it is.
std::string lines_of(const Page& page) {
  std::string out;
  for (std::string_view entry : page.entries) {
    if (!page.user.empty()) {
      const bool bare = entry.find('"') == std::string_view::npos;
      entry.remove_prefix(1);
      out += text::format(R"({{"user":{}{})", page.user, bare ? "" : ",");
    }
    out += entry;
    out += '\n';
  }
  return out;
}

std::string document_start(const Page& page, std::string_view array) {
  return text::format(R"({{{}{}"{}":[)", text::join(page.members, ","),
                      page.members.empty() ? "" : ",", array);
}

// The pages of one list, put together as they come.
class Writer {
 public:
  Writer(OutputFormat format, std::string_view array) : format_(format), array_(array) {}

  Result<std::string> text_of(const Page& page) {
    switch (format_) {
      case OutputFormat::kJson:
        return part_of_document(page);
      case OutputFormat::kNdjson:
        return lines_of(page);
      case OutputFormat::kTable:
        return table_of(page);
    }
    return std::string();
  }

 private:
  std::string part_of_document(const Page& page) {
    std::string out = started_ ? std::string() : document_start(page, array_);
    started_ = true;
    for (const std::string_view entry : page.entries) {
      if (has_entries_) out += ',';
      out += entry;
      has_entries_ = true;
    }
    if (page.next.empty()) out += "]}\n";
    return out;
  }

  // No width is known before the last row is.
  Result<std::string> table_of(const Page& page) {
    for (const std::string_view session : page.entries) {
      if (auto added = table_.add(session, page.user); !added) return std::move(added).error();
    }
    if (!page.next.empty()) return std::string();
    return table_.text(Terminal::of_output(), SystemClock().now().wall());
  }

  OutputFormat format_;
  std::string_view array_;
  bool started_ = false;
  bool has_entries_ = false;
  Table table_;
};

// `array` is the member that holds a page's entries.
template <class T>
Result<ExitCode> run_pages(Client& client, const T& list, std::string_view array) {
  Writer writer(list.format, array);
  const auto corrupt = [](std::string_view cause) {
    return Error{ErrorKind::kCorrupt, text::format("cannot {}: {}", T::kVerb, cause)};
  };
  std::string after;
  for (bool first = true;; first = false) {
    auto answer = ask(client, T::kVerb, request_of(list, after));
    if (!answer) return std::move(answer).error();
    if (answer->status != 200) {
      if (first) return pass_on(T::kVerb, *answer, false);
      return Error{ErrorKind::kUnavailable,
                   text::format("cannot {}: the daemon answered {} amid the list", T::kVerb,
                                answer->status)};
    }
    auto page = read_page(answer->body, array);
    if (!page) return corrupt(text::format("the answer is not a list of {}", array));
    if (first && page->next.empty() && list.format == OutputFormat::kJson) {
      return pass_on(T::kVerb, *answer, false);
    }
    if (page->next == after && !first) return corrupt("the answer's next page is itself");
    const auto text = writer.text_of(*page);
    if (!text) return text.error();
    if (auto written = write_output(*text); !written) return std::move(written).error();
    if (page->next.empty()) return ExitCode::kDone;
    after = std::move(page->next);
  }
}

}  // namespace

Result<ExitCode> run_list(Client& client, const List& list) {
  return run_pages(client, list, "sessions");
}

Result<ExitCode> run_list(Client& client, const LimitList& list) {
  return run_pages(client, list, "limits");
}

}  // namespace concur::cli
