#pragma once

#include "engine/address.hpp"
#include "fleet/fleet_facts.hpp"
#include "service/fleet_findings.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace concur {

// Gathers what a check finds: what is said of several servers alike is one finding.
class Findings {
 public:
  using Severity = FleetFinding::Severity;

  // Of these servers or boxes; of the whole where none are named.
  void add_for(Severity severity, std::vector<std::string> where, std::string_view what,
               std::string_view why, std::vector<std::string> mend) {
    const auto same = std::ranges::find_if(all_, [&](const FleetFinding& finding) {
      return finding.what == what && finding.severity == severity;
    });
    if (same == all_.end()) {
      all_.push_back(
          {severity, std::move(where), std::string(what), std::string(why), std::move(mend)});
      return;
    }
    append_new(same->where, std::move(where));
    append_new(same->mend, std::move(mend));
  }
  void add(Severity severity, const ServerFacts& server, std::string_view what,
           std::string_view why, std::vector<std::string> mend) {
    add_for(severity, {to_text(server.address)}, what, why, std::move(mend));
  }

  // The gravest first.
  std::vector<FleetFinding> take() {
    std::ranges::stable_sort(all_, std::ranges::greater(), &FleetFinding::severity);
    return std::move(all_);
  }

 private:
  static void append_new(std::vector<std::string>& to, std::vector<std::string> more) {
    for (std::string& each : more) {
      if (std::ranges::find(to, each) == to.end()) to.push_back(std::move(each));
    }
  }

  std::vector<FleetFinding> all_;
};

}  // namespace concur
