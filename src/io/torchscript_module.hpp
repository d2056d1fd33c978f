#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace c10 {
class Error;
}

namespace lightswitch {

/// What every part that is a TorchScript archive needs: loading with errors of our own, and calls of its methods.

/// On the CPU, in evaluation mode; matrices in `matrices`, vectors (biases and norms) in fp32. The first call sets
/// TorchScript's process-wide executor mode: see torchscript.hpp.
/// @throws FileError, FormatError.
torch::jit::Module load_module(const std::filesystem::path& file, at::ScalarType matrices = at::kFloat);

/// @param arguments without self. @throws FormatError when the method is missing or takes another number of them.
torch::jit::Method require_method(const torch::jit::Module& module, const std::string& name, size_t arguments,
                                  const std::filesystem::path& file);

/// Runs a method; what TorchScript throws becomes an Error that names file and method.
c10::IValue call(const torch::jit::Method& method, std::vector<c10::IValue> arguments, const std::string& file);

/// @throws FormatError for anything but a tensor.
at::Tensor require_tensor(const c10::IValue& value, const std::string& file, const std::string& field);

/// LibTorch's messages go on with a stack.
std::string first_line(const c10::Error& error);

}  // namespace lightswitch
