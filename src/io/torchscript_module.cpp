#include "io/torchscript_module.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <lightswitch/error.hpp>

#include <c10/core/InferenceMode.h>

#include <array>
#include <fstream>
#include <mutex>
#include <utility>

namespace lightswitch {
namespace {

void use_simple_executor() {
  static std::once_flag once;
  std::call_once(once, [] { torch::jit::getProfilingMode() = false; });
}

/// Packages store half precision to stay small, whatever is computed with: matrices get `matrices`, vectors (biases and
/// norms) fp32. Module::to would make numbers of indices, such as a text encoder's positions.
void convert_weights(const torch::jit::Module& module, at::ScalarType matrices) {
  const c10::InferenceMode guard(false);
  const auto convert = [matrices](const at::Tensor& tensor) {
    if (tensor.is_floating_point()) tensor.set_data(tensor.to(tensor.dim() > 1 ? matrices : at::kFloat));
  };
  for (const at::Tensor& parameter : module.parameters()) convert(parameter);
  for (const at::Tensor& buffer : module.buffers()) convert(buffer);
}

}  // namespace

std::string first_line(const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  return text.substr(0, text.find('\n'));
}

torch::jit::Module load_module(const std::filesystem::path& file, at::ScalarType matrices) {
  use_simple_executor();
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file))
    throw FileError("cannot open", {file.string(), "", "a TorchScript archive", "nothing readable"});
  std::array<char, 4> magic{};
  stream.read(magic.data(), magic.size());
  if (std::string(magic.data(), magic.size()) != "PK\3\4")
    throw FormatError("not a TorchScript archive",
                      {file.string(), "first bytes", "a zip archive",
                       stream.gcount() < 4 ? "a file of less than 4 bytes" : "something else"});
  try {
    auto module = torch::jit::load(file.string(), c10::Device(c10::kCPU));
    convert_weights(module, matrices);
    module.eval();
    return module;
  } catch (const c10::Error& error) {
    throw FormatError("TorchScript refuses to load it", {file.string(), "", "", first_line(error)});
  } catch (const std::exception& error) {
    throw FormatError("TorchScript refuses to load it", {file.string(), "", "", error.what()});
  }
}

torch::jit::Method require_method(const torch::jit::Module& module, const std::string& name, size_t arguments,
                                  const std::filesystem::path& file) {
  const auto method = module.find_method(name);
  if (!method)
    throw FormatError("a method is missing", {file.string(), name, "a scripted method of that name", "none"});
  const size_t found = method->function().getSchema().arguments().size() - 1;  // without self
  if (found != arguments)
    throw FormatError("a method has another signature",
                      {file.string(), name, std::to_string(arguments) + " arguments", std::to_string(found)});
  return *method;
}

c10::IValue call(const torch::jit::Method& method, std::vector<c10::IValue> arguments, const std::string& file) {
  const c10::InferenceMode guard;
  try {
    return method(std::move(arguments));
  } catch (const c10::Error& error) {
    throw Error("TorchScript failed", {file, method.name(), "", first_line(error)});
  } catch (const std::exception& error) {
    throw Error("TorchScript failed", {file, method.name(), "", error.what()});
  }
}

at::Tensor require_tensor(const c10::IValue& value, const std::string& file, const std::string& field) {
  if (!value.isTensor()) throw FormatError("wrong type returned", {file, field, "a tensor", value.tagKind()});
  return value.toTensor();
}

}  // namespace lightswitch
