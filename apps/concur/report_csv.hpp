#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace concur::cli {

// The daemon's report for spreadsheets (RFC 4180, with plain newlines): a line of names, and one
// for each user, most sharing first; or, of one user, one for each hour. A name that a spreadsheet
// would take for a formula has an apostrophe before it. Nothing where the text is no report.
std::optional<std::string> report_csv(std::string_view answer);

}  // namespace concur::cli
