#pragma once

#include <lightswitch/audio/bitstream.hpp>

#include <cstdint>
#include <string>
#include <string_view>

/// What files and pipes hold alike.
namespace lightswitch::audio {

/// @param bytes with the header at their start. @throws FormatError.
StreamInfo read_header(std::string_view bytes, const std::string& origin);

/// Frames of a last block of so many bytes; those of a full one where no number has that size.
int64_t frames_in(const StreamInfo& info, int64_t bytes);

/// @param bytes of the block, and maybe more. @param block its number. @param frames that it has to hold.
StreamBlock read_block(const StreamInfo& info, std::string_view bytes, int64_t block, int64_t frames);

}  // namespace lightswitch::audio
