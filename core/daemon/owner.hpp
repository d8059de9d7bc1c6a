#pragma once

#include <string>

namespace concur {

// Root becomes the file's owner, for good, with the owner's group alone: so what is made beside the
// file is theirs, and nothing that they put in the way is followed with root's rights. Nothing
// changes for others, and where the file is root's or is not there. Throws StartupError
// (kDatabase).
void become_owner(const std::string& file);

}  // namespace concur
