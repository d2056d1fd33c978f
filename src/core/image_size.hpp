#pragma once

#include <lightswitch/error.hpp>

#include <cstdint>
#include <string>

namespace lightswitch {

/// Refuses sizes that no picture has before anything of that size is allocated. @throws FormatError.
inline void check_image_size(uint64_t width, uint64_t height, const std::string& origin) {
  constexpr uint64_t most_pixels = uint64_t{1} << 28;
  if (width == 0 || height == 0 || width > most_pixels || height > most_pixels / width)
    throw FormatError("picture has an impossible size", {origin, "width x height", "1 … 2^28 pixels",
                                                         std::to_string(width) + "x" + std::to_string(height)});
}

}  // namespace lightswitch
