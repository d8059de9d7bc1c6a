#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "terminal.hpp"

#include <boost/json.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace concur::cli {

// Sessions as a person reads them: a line each, in aligned columns.
class Table {
 public:
  // Adds a session; `user` is whose it is where it names none itself. kCorrupt where it is no
  // session.
  Result<void> add(const boost::json::object& session, const std::optional<std::string>& user);

  // The header and a line for each session, by user and then by start. Times are shown as of `now`.
  // Details that no session has make no column. On a terminal the widest columns are cut until a
  // line fits, and where even that is not enough columns are left out from the right.
  std::string text(const Terminal& terminal, WallTime now) const;

 private:
  struct Row {
    std::string user;
    std::string session;
    WallTime started;
    WallTime seen;
    WallTime expires;
    std::optional<WallTime> grace_ends;  // it is let in above the limit until then
    std::array<std::string, 5> details;  // device, ip, content, box, meta; empty: it has none
  };

  std::vector<const Row*> sorted() const;

  std::vector<Row> rows_;
};

}  // namespace concur::cli
