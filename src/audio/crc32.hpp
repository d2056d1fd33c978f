#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lightswitch::audio {

/// CRC-32 of IEEE 802.3, as zip and PNG have it. @param before that of the bytes in front.
inline uint32_t crc32(std::string_view bytes, uint32_t before = 0) {
  static constexpr auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? value >> 1 ^ 0xEDB88320U : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  uint32_t sum = ~before;
  for (const char byte : bytes) sum = kTable[(sum ^ static_cast<unsigned char>(byte)) & 0xff] ^ sum >> 8;
  return ~sum;
}

}  // namespace lightswitch::audio
