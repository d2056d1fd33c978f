#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include <array>
#include <optional>
#include <vector>

#include "nn/layers.hpp"

/// Operations that LibTorch has for its compiler, without a C++ header: looked up by name, and called with loosely
/// typed arguments, because the exact C++ signature differs between versions of LibTorch.
namespace lightswitch::nn {

using Operation = std::optional<c10::OperatorHandle>;

/// Empty where this LibTorch has no such operation for the CPU.
Operation find_operation(const char* name, const char* overload = "");

at::Tensor call(const c10::OperatorHandle& operation, std::vector<c10::IValue> arguments);

/// The arguments they have in common: a number for both axes, or one for each, no scalars, a tensor that may be undefined.
c10::IValue pair(int64_t value);
c10::IValue pair(const std::array<int64_t, 2>& values);
c10::IValue no_scalars();
c10::IValue optional_tensor(const at::Tensor& tensor);

/// What these operations call an activation they can compute before the result is written; "none" for others.
const char* fused_name(Activation act);

}  // namespace lightswitch::nn
