#pragma once

#include <string>

namespace concur {

// Gives the file `from` the name `to` in its place, unless something has that name: EEXIST then,
// and nothing changed. 0 where it is done, else what errno says. File systems that cannot do it in
// one step (NFS, FUSE, older ZFS) do it by a second link; those without links, such as vfat under
// FUSE, by looking first.
int rename_to_free_name(const std::string& from, const std::string& to);

}  // namespace concur
