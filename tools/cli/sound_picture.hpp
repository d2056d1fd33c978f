#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/routing.hpp>

#include <cstdint>
#include <span>

namespace lightswitch::cli {

/// A sound to look at, as a picture [3, H, width]: its wave, its spectrogram (time to the right, 0 Hz at the bottom, 80
/// dB from the loudest place of `reference` down), and under it, where paths are given, the share of frames that the
/// heavy decoder made, from light blue (none) to orange (all).
/// @param samples, reference of one rate, not empty.
at::Tensor sound_picture(std::span<const float> samples, std::span<const float> reference, std::span<const Path> paths,
                         int64_t width);

}  // namespace lightswitch::cli
