#pragma once

#include "base/result.hpp"
#include "daemon/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace concur {

// The lines `rule NAME = …` of a config file; they have no flag and no variable.
bool is_rule_key(std::string_view key);

// Adds one to those in force; kInvalid, with the source named, where it is none or there already.
Result<void> add_rule(Effective& to, std::string_view key, const std::string& value,
                      const std::string& source);

// As settings in force: "rule tvs", its text, where it came from.
void append_rules(const Effective& effective, std::vector<SettingInForce>& to);

// What --check-config prints of them: each with its source, and a sentence that says what it means.
std::string describe_rules(const Effective& effective);

// What is legal in them and surely a mistake, in whole sentences.
std::vector<std::string> doubts_about_rules(const Effective& effective);

// What differs, a sentence for each rule.
std::vector<std::string> changes_of_rules(const Effective& before, const Effective& after);

}  // namespace concur
