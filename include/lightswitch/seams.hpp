#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lightswitch {

/// How much a grid of tiles can be seen in a picture: the mean |difference of neighbouring pixels| across the borders
/// of tiles, over the same mean elsewhere. 1 where borders are like any other place, above where they can be seen; a
/// step of height s at every border of a picture whose neighbours differ by d gives about 1 + s / d. Pass the
/// difference from the true picture to leave the picture's own edges out.
/// @param picture [C, H, W] or [N, C, H, W] floating point of any range. @param tile edge of a tile in pixels, from the
/// top left. @return 1 for a picture of one colour, infinity where there are steps at borders alone.
/// @throws TensorError for other shapes, and without a border and a place that is none along either axis; NumericError
/// for NaN or infinity.
double seam_ratio(const at::Tensor& picture, int64_t tile);

}  // namespace lightswitch
