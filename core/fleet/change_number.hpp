#pragma once

#include <string>
#include <string_view>

namespace concur {

// Numbers a change; unlike any other's, also after a failover that forgot some.
std::string random_change_number();
// What `v` is once that change is made; `before` is what it was, empty where there was none.
std::string version_after(std::string_view change_number, std::string_view before);
// Whether that change is the last one, or one of those before it.
bool version_has(std::string_view version, std::string_view change_number);

}  // namespace concur
