#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/calibration.hpp>

#include <cstdint>
#include <string>

namespace lightswitch::nn {

/// Activations in eight bits: number = scale * (byte - zero). Zero itself is a byte, so that padding is exact.
struct Rounding {
  double scale = 1;
  int64_t zero = 0;

  static Rounding of(const ActivationRange& range);
};

/// @param x fp32 or bf16, channels_last. @return uint8 of the same form; what lies beyond the range becomes its end.
/// @throws NumericError naming `layer` when x holds NaN or infinity.
at::Tensor round_to_bytes(const std::string& layer, const at::Tensor& x, const Rounding& rounding);

}  // namespace lightswitch::nn
