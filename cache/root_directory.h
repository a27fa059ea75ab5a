// Opens, and creates if absent, the folder that a store lives in, after checking that nobody else can put code there.
#pragma once

#include <string>

#include "cache/file_io.h"
#include "cache/store.h"
#include "tailor/status.h"

namespace tailor::cache {

// The directory itself, open for listing and syncing. Checked are the very descriptors that the path is walked with, so
// that nothing can be exchanged between check and use:
//   every parent   links are followed, by hand; not writable by everybody unless sticky; below a sticky one, owned by
//                  the effective user or user 0
//   the root       not a link, a directory, of the right owner, mode as StoreOptions::require_private says
// Errors: as Store::open.
Expected<ScopedFd> open_root_directory(FileSystem& fs, const StoreOptions& options);

}  // namespace tailor::cache
