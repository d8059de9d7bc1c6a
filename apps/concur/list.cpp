#include "list.hpp"

#include "answer_values.hpp"
#include "ask.hpp"
#include "base/text.hpp"
#include "output.hpp"
#include "page.hpp"
#include "request.hpp"
#include "table.hpp"

namespace concur::cli {

namespace {

// The pages of one list in the form that was asked for.
class Writer {
 public:
  Writer(OutputFormat format, std::string_view list) : format_(format), document_(list) {}

  Result<std::string> text_of(const Page& page) {
    switch (format_) {
      case OutputFormat::kJson:
        return document_.text_of(page);
      case OutputFormat::kNdjson:
        return lines_of(page);
      case OutputFormat::kTable:
        return table_of(page);
      case OutputFormat::kHtml:  // of reports alone, and so is CSV
      case OutputFormat::kCsv:
        break;
    }
    return std::string();
  }

 private:
  // No width is known before the last row is.
  Result<std::string> table_of(const Page& page) {
    const auto user = cli::text_of(page.members, "user");
    for (const auto& session : page.entries) {
      if (auto added = table_.add(session.get_object(), user); !added) {
        return std::move(added).error();
      }
    }
    if (!page.next.empty()) return std::string();
    return table_.text(Terminal::of_output(), SystemClock().now().wall());
  }

  OutputFormat format_;
  PageDocument document_;
  Table table_;
};

// `list_name` is the member that holds a page's entries.
template <class T>
Result<ExitCode> run_pages(Client& client, const T& list, std::string_view list_name) {
  Writer writer(list.format, list_name);
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
    auto page = read_page(answer->body, list_name);
    if (!page) return corrupt(text::format("the answer is not a list of {}", list_name));
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

Result<ExitCode> run_list(Client& client, const BlockList& list) {
  return run_pages(client, list, "blocks");
}

}  // namespace concur::cli
