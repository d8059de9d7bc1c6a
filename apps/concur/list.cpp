#include "list.hpp"

#include "ask.hpp"
#include "output.hpp"
#include "page.hpp"
#include "request.hpp"

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

  std::string text_of(const Page& page) {
    if (format_ == ListFormat::kNdjson) return lines_of(page);
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

 private:
  ListFormat format_;
  bool started_ = false;
  bool has_sessions_ = false;
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
    if (auto written = write_output(writer.text_of(*page)); !written) {
      return std::move(written).error();
    }
    if (page->next.empty()) return ExitCode::kDone;
    after = std::move(page->next);
  }
}

}  // namespace concur::cli
