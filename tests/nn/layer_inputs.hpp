#pragma once

#include <ATen/ATen.h>

#include "nn/layers.hpp"
#include "support/tensors.hpp"

namespace lightswitch::testing {

/// A loader over tensors in memory, for layers that take theirs from it.
inline nn::WeightLoader loader_of(std::map<std::string, at::Tensor> tensors, DType dtype = DType::fp32) {
  NetworkRequest request;
  request.weights = weights_from_memory(std::move(tensors));
  request.dtype = dtype;
  return nn::WeightLoader(request, "");
}

/// A weight whose layer neither grows nor shrinks numbers much.
inline at::Tensor random_weight(at::IntArrayRef shape, uint64_t seed = 1) {
  const at::Tensor weight = random_tensor(shape, seed);
  return weight / std::sqrt(double(weight[0].numel()));
}

/// The plain formula of an activation, in double precision.
inline at::Tensor plain_activation(const at::Tensor& x, nn::Activation act) {
  switch (act) {
    case nn::Activation::relu:
      return x.clamp_min(0);
    case nn::Activation::silu:
      return x / (1 + at::exp(-x));
    case nn::Activation::gelu:
      return x * 0.5 * (1 + at::erf(x / std::sqrt(2.0)));
    case nn::Activation::none:
      break;
  }
  return x;
}

inline bool is_channels_last(const at::Tensor& x) {
  return x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace lightswitch::testing
