#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/layers.hpp"

/// Normalisation and activation in one go on the CPU. x and y are channels_last, fp32 or bf16, and may be the same
/// tensor; weight and bias are fp32 [C]; arithmetic is fp32. The activation is none, relu or silu.
namespace lightswitch::nn {

/// Mean and variance [N, groups, 2], in double, of the groups of channels of each picture.
at::Tensor group_statistics(const at::Tensor& x, int64_t groups);

/// @param statistics [N, groups, 2], or [1, groups, 2] for all pictures.
void group_norm_kernel(const at::Tensor& x, const at::Tensor& statistics, const at::Tensor& weight,
                       const at::Tensor& bias, double eps, Activation act, at::Tensor& y);

/// The same, rounded to bytes. @return whether x was finite.
bool group_norm_to_bytes_kernel(const at::Tensor& x, const at::Tensor& statistics, const at::Tensor& weight,
                                const at::Tensor& bias, double eps, Activation act, const Rounding& rounding,
                                at::Tensor& bytes);

void rms_norm_kernel(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps, Activation act,
                     at::Tensor& y);

}  // namespace lightswitch::nn
