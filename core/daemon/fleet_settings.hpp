#pragma once

#include "daemon/settings.hpp"

#include <span>
#include <string>

namespace concur {

// The part of setting_table() that makes a box one of a fleet. All but `fleet` apply where that is
// set.
std::span<const Setting> fleet_setting_table();

// The label of a box for which none is set: the host's name.
std::string default_box_label();

// kInvalid where one of them needs another one that is not set.
Result<void> check_fleet_settings(const Effective& effective);

// Whether the files that they name can be used, as far as that can be told without taking from a
// pipe what is in it: kInvalid, `cannot use <path>: <cause>` or the like.
Result<void> check_fleet_files(const FleetConfig& fleet);

}  // namespace concur
