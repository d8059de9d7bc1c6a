// The route about who shares.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/parameters.hpp"
#include "api/report_json.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"

#include <utility>

namespace concur {

namespace {

constexpr Millis kDefaultBack = std::chrono::hours(24 * 7);
constexpr std::uint32_t kDefaultTop = 20;

Result<Millis> back_of(const Target& target) {
  const auto text = target.query("since");
  if (!text || text->empty()) return kDefaultBack;
  const auto back = parse_duration(*text);
  if (back && *back <= kMaxHistory) return *back;
  return Error{ErrorKind::kInvalid,
               text::format("cannot accept parameter 'since': it takes a duration such as 7d, up "
                            "to {}",
                            format_duration(kMaxHistory))};
}

}  // namespace

void Api::report(const Call& call, Respond respond) {
  ReportQuery query;
  const auto back = back_of(call.target);
  if (!back) return respond(to_response(back.error()));
  query.back = *back;
  const auto top = number_of<std::uint32_t>(call.target, "top", kDefaultTop, kMaxListed);
  if (!top) return respond(to_response(top.error()));
  query.top = *top;
  if (const auto name = call.target.query("user")) {
    const auto user = Id::parse("user", *name);
    if (!user) return respond(to_response(user.error()));
    query.user = user->text();
  }
  if (call.target.query("whatIfLimit")) {
    const auto limit = number_of<std::uint32_t>(call.target, "whatIfLimit", 0, kMaxLimit);
    if (!limit) return respond(to_response(limit.error()));
    query.what_if_limit = *limit;
  }
  service_.report(query, [query, respond = std::move(respond)](const Result<Report>& report) {
    respond(report ? to_response(query, *report) : to_response(report.error()));
  });
}

}  // namespace concur
