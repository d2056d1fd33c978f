#pragma once

#include <ATen/core/Tensor.h>

namespace lightswitch {

/// [3, H, W] or [N, 3, H, W] as a batch. @param name what errors call it. @throws TensorError, NumericError.
at::Tensor metric_batch(const at::Tensor& picture, const char* name);

/// Two batches [N, 3, H, W] of one shape.
struct MetricPair {
  at::Tensor picture, reference;
};

/// @throws TensorError, NumericError.
MetricPair metric_pair(const at::Tensor& picture, const at::Tensor& reference);

}  // namespace lightswitch
