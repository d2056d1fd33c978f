#pragma once

#include <ATen/ATen.h>
#include <lightswitch/decoder_registry.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lightswitch::testing {

using Tensors = std::map<std::string, at::Tensor>;

/// Everything a source holds, so that a test can change it.
inline Tensors tensors_of(const WeightSource& weights) {
  Tensors tensors;
  for (const TensorInfo& info : weights.tensors()) tensors[info.name] = weights.read(info.name);
  return tensors;
}

inline NetworkRequest with_tensors(NetworkRequest request, Tensors tensors) {
  request.weights = weights_from_memory(std::move(tensors), "changed.safetensors");
  return request;
}

/// A tensor of that shape that takes no memory, for networks that only count.
inline at::Tensor weightless(std::vector<int64_t> shape) {
  return at::zeros({1}).expand(shape);
}

}  // namespace lightswitch::testing
