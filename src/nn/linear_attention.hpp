#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/layers.hpp"

namespace lightswitch::nn {

/// Attention with the kernel relu(q)·relu(k) in place of a softmax: every head keeps sums over all pixels, so the cost
/// grows with the pixels and not with their square. Computed in fp32.
/// @param qkv one or more [N, 3·C, H, W]; channels come head by head as query, key, value of `head_size` each.
/// Overwritten.
/// @return [N, C·qkv.size(), H, W] in the dtype of qkv; a pixel whose weights are all zero gives zero.
at::Tensor relu_linear_attention(Run& run, std::vector<at::Tensor>&& qkv, int64_t head_size);

}  // namespace lightswitch::nn
