#pragma once

#include <ATen/core/Tensor.h>

namespace lightswitch {

/// Two batches [N, 3, H, W] of one shape.
struct MetricPair {
  at::Tensor picture, reference;
};

/// @throws TensorError, NumericError.
MetricPair metric_pair(const at::Tensor& picture, const at::Tensor& reference);

}  // namespace lightswitch
