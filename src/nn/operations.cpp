#include "nn/operations.hpp"

#include <ATen/ATen.h>

namespace lightswitch::nn {

using c10::IValue;

Operation find_operation(const char* name, const char* overload) {
  auto found = c10::Dispatcher::singleton().findSchema({name, overload});
  if (found && !found->hasKernelForDispatchKey(c10::DispatchKey::CPU) &&
      !found->hasKernelForDispatchKey(c10::DispatchKey::MkldnnCPU))
    return std::nullopt;
  return found;
}

at::Tensor call(const c10::OperatorHandle& operation, std::vector<IValue> arguments) {
  operation.callBoxed(&arguments);
  return std::move(arguments.front()).toTensor();
}

IValue pair(int64_t value) {
  return pair({value, value});
}

IValue pair(const std::array<int64_t, 2>& values) {
  return IValue(std::vector<int64_t>(values.begin(), values.end()));
}

IValue no_scalars() {
  return IValue(c10::List<std::optional<at::Scalar>>());
}

IValue optional_tensor(const at::Tensor& tensor) {
  return tensor.defined() ? IValue(tensor) : IValue();
}

const char* fused_name(Activation act) {
  switch (act) {
    case Activation::relu:
      return "relu";
    case Activation::silu:
      return "swish";
    default:
      return "none";
  }
}

}  // namespace lightswitch::nn
