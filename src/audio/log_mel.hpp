#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lightswitch::audio {

inline constexpr int64_t kMelWindow = 1024;

/// Log10 mel spectrogram as log_mel_distance() in metrics.hpp says, with another hop.
/// @param sound [n] float64 at 16 kHz. @return [windows that lie inside, at least one; 80].
at::Tensor log_mel(const at::Tensor& sound, int64_t hop);

}  // namespace lightswitch::audio
