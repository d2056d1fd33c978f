#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lightswitch::audio {

/// Numbers of so many bits each, the highest bit first, zeros up to a whole byte behind the last.
inline void append_bits(std::string& bytes, std::span<const int32_t> numbers, int64_t bits) {
  uint64_t pending = 0;
  int64_t held = 0;
  for (const int32_t number : numbers) {
    pending = pending << bits | static_cast<uint32_t>(number);
    for (held += bits; held >= 8; held -= 8) bytes += static_cast<char>(pending >> (held - 8) & 0xff);
  }
  if (held > 0) bytes += static_cast<char>(pending << (8 - held) & 0xff);
}

inline int64_t bytes_of_bits(int64_t numbers, int64_t bits) {
  return (numbers * bits + 7) / 8;
}

/// @param bytes at least bytes_of_bits(numbers.size(), bits) of them.
inline void read_bits(std::string_view bytes, int64_t bits, std::span<int32_t> numbers) {
  uint64_t pending = 0;
  int64_t held = 0;
  size_t next = 0;
  for (int32_t& number : numbers) {
    for (; held < bits; held += 8) pending = pending << 8 | static_cast<unsigned char>(bytes[next++]);
    held -= bits;
    number = static_cast<int32_t>(pending >> held & ((uint64_t(1) << bits) - 1));
  }
}

}  // namespace lightswitch::audio
