#include "list.hpp"

#include "ask.hpp"
#include "output.hpp"
#include "page.hpp"
#include "request.hpp"
#include "table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace concur::cli {

namespace {

// A user's list names the user once; alone on its line a session must say whose it is.
std::string lines_of(const Page& page) {
  std::string out;
  for (std::string_view session : page.sessions) {
    if (!page.user.empty()) {
      const bool bare = session.find('"') == std::string_view::npos;
      session.remove_prefix(1);
      out += fmt::format(R"({{"user":{}{})", page.user, bare ? "" : ",");
    }
    out += session;
    out += '\n';
  }
  return out;
}

std::string document_start(const Page& page) {
  return fmt::format(R"({{{}{}"sessions":[)", fmt::join(page.members, ","),
                     page.members.empty() ? "" : ",");
}

// The pages of one list, put together as they come.
class Writer {
 public:
  explicit Writer(ListFormat format) : format_(format) {}

  Result<std::string> text_of(const Page& page) {
    switch (format_) {
      case ListFormat::kJson:
        return part_of_document(page);
      case ListFormat::kNdjson:
        return lines_of(page);
      case ListFormat::kTable:
        return table_of(page);
    }
    return std::string();
  }

 private:
  std::string part_of_document(const Page& page) {
    std::string out = started_ ? std::string() : document_start(page);
    started_ = true;
    for (const std::string_view session : page.sessions) {
      if (has_sessions_) out += ',';
      out += session;
      has_sessions_ = true;
    }
    if (page.next.empty()) out += "]}\n";
    return out;
  }

  // No width is known before the last row is.
  Result<std::string> table_of(const Page& page) {
    for (const std::string_view session : page.sessions) {
      if (auto added = table_.add(session, page.user); !added) return std::move(added).error();
    }
    if (!page.next.empty()) return std::string();
    return table_.text(Terminal::of_output(), SystemClock().now().wall());
  }

  ListFormat format_;
  bool started_ = false;
  bool has_sessions_ = false;
  Table table_;
};

}  // namespace

Result<ExitCode> run_list(Client& client, const List& list) {
  Writer writer(list.format);
  std::string after;
  for (bool first = true;; first = false) {
    auto answer = ask(client, List::kVerb, request_of(list, after));
    if (!answer) return std::move(answer).error();
    if (answer->status != 200) {
      if (first) return pass_on(List::kVerb, *answer, false);
      return Error{
          ErrorKind::kUnavailable,
          fmt::format("cannot list: the daemon answered {} amid the list", answer->status)};
    }
    auto page = read_page(answer->body);
    if (!page) return std::move(page).error();
    if (first && page->next.empty() && list.format == ListFormat::kJson) {
      return pass_on(List::kVerb, *answer, false);
    }
    if (page->next == after && !first) {
      return Error{ErrorKind::kCorrupt, "cannot list: the answer's next page is itself"};
    }
    const auto text = writer.text_of(*page);
    if (!text) return text.error();
    if (auto written = write_output(*text); !written) return std::move(written).error();
    if (page->next.empty()) return ExitCode::kDone;
    after = std::move(page->next);
  }
}

}  // namespace concur::cli
