#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

namespace lightswitch {

/// The size of a clip before it was padded to what its codec can hold, in a box of our own at the end of the mp4, which
/// players skip (ISO/IEC 14496-12, section 4.2: `uuid`).
/// @throws FileError.
void append_true_size(const std::filesystem::path& mp4, int64_t width, int64_t height);
/// Width and height; nothing for files without that box, whatever they are.
std::optional<std::pair<int64_t, int64_t>> read_true_size(const std::filesystem::path& file);

}  // namespace lightswitch
