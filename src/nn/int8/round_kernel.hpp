#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "nn/activation_kernel.hpp"

namespace lightswitch::nn {

/// Bits of a number's magnitude: as integers they order like the magnitudes, with infinity and NaN at the end.
[[gnu::always_inline]] inline uint32_t magnitude_bits(float x) {
  return std::bit_cast<uint32_t>(x) & 0x7fffffffu;
}
inline constexpr uint32_t kInfinityBits = 0x7f800000u;

/// A number in bytes' units to the nearest byte. NaN becomes some byte.
[[gnu::always_inline]] inline uint8_t nearest_byte(float x) {
  const float above = x > 0.f ? x : 0.f;
  const float within = above < 255.f ? above : 255.f;
  return uint8_t(int32_t(within + 0.5f));
}

/// bytes = round(activated(x * scale + shift) / step + zero), channel by channel.
/// Raises `largest` to the largest magnitude_bits() of x.
template <typename T, Activation act>
struct RoundRows {
  [[gnu::always_inline]] static inline void run(const T* x, int64_t rows, int64_t channels, const float* scale,
                                                const float* shift, float per_step, float zero, uint8_t* y,
                                                uint32_t* largest) {
    uint32_t bits = *largest;
    for (int64_t row = 0; row < rows; ++row, x += channels, y += channels)
      for (int64_t c = 0; c < channels; ++c) {
        const float given = widen(x[c]);
        bits = std::max(bits, magnitude_bits(given));
        y[c] = nearest_byte(activated<act>(given * scale[c] + shift[c]) * per_step + zero);
      }
    *largest = bits;
  }
};

/// RoundRows without a norm: bytes = round(x / step + zero).
template <typename T>
struct RoundNumbers {
  [[gnu::always_inline]] static inline void run(const T* x, int64_t count, float per_step, float zero, uint8_t* y,
                                                uint32_t* largest) {
    uint32_t bits = *largest;
    for (int64_t i = 0; i < count; ++i) {
      const float given = widen(x[i]);
      bits = std::max(bits, magnitude_bits(given));
      y[i] = nearest_byte(given * per_step + zero);
    }
    *largest = bits;
  }
};

}  // namespace lightswitch::nn
