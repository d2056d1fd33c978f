#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace lightswitch {

/// What a safetensors file has before its numbers: length and header. The numbers of the tensors, which may lie on the
/// meta device, follow in the order of their names.
std::string safetensors_opening(const std::map<std::string, at::Tensor>& tensors,
                                const std::map<std::string, std::string>& metadata);

}  // namespace lightswitch
