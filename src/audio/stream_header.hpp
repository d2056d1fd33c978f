#pragma once

#include <lightswitch/audio/bitstream.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lightswitch::audio {

inline constexpr int64_t kHeaderBytes = 84, kBlockHeader = 8, kChecksum = 4;
inline constexpr std::string_view kStreamSignature{"LSC\x1a", 4};

/// Hints and indices of so many frames.
int64_t payload_bytes(const StreamInfo& info, int64_t frames);

template <typename Number>
void append_number(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace lightswitch::audio
