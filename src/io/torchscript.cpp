#include <ATen/autocast_mode.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <lightswitch/error.hpp>
#include <lightswitch/torchscript.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "io/torchscript_module.hpp"

namespace lightswitch {
namespace {

/// Multiplies in a narrow dtype for as long as it lives, on this thread.
class NarrowMultiplications {
 public:
  explicit NarrowMultiplications(at::ScalarType dtype)
      : enabled_(at::autocast::is_autocast_enabled(at::kCPU)),
        cached_(at::autocast::is_autocast_cache_enabled()),
        dtype_(at::autocast::get_autocast_dtype(at::kCPU)) {
    set(dtype != at::kFloat, false, dtype == at::kFloat ? dtype_ : dtype);
  }
  ~NarrowMultiplications() { set(enabled_, cached_, dtype_); }
  NarrowMultiplications(const NarrowMultiplications&) = delete;
  NarrowMultiplications& operator=(const NarrowMultiplications&) = delete;

 private:
  static void set(bool enabled, bool cached, at::ScalarType dtype) {
    at::autocast::set_autocast_enabled(at::kCPU, enabled);
    at::autocast::set_autocast_cache_enabled(cached);
    at::autocast::set_autocast_dtype(at::kCPU, dtype);
  }
  bool enabled_, cached_;
  at::ScalarType dtype_;
};

at::ScalarType narrow_type(DType dtype, const std::string& file) {
  switch (dtype) {
    case DType::fp32:
      return at::kFloat;
    case DType::bf16:
      return at::kBFloat16;
    case DType::fp16:
      return at::kHalf;
    case DType::automatic:
    case DType::int8:
      break;
  }
  throw OptionError("not a choice for denoisers", {file, "dtype", "fp32, bf16 or fp16", to_string(dtype)});
}

/// The sample of a clip, [B, T, C, h, w], may carry a picture's channels behind those of the latents.
bool is_latent_part(const at::Tensor& output, const at::Tensor& sample) {
  auto shape = sample.sizes().vec();
  if (shape.size() == 5 && output.dim() == 5 && output.size(2) > 0) shape[2] = std::min(shape[2], output.size(2));
  return output.sizes() == at::IntArrayRef(shape);
}

class TorchScriptDenoiser final : public Denoiser {
 public:
  TorchScriptDenoiser(const std::filesystem::path& file, std::vector<std::string> inputs, int64_t size_multiple,
                      DType dtype)
      : file_(file.string()),
        inputs_(std::move(inputs)),
        size_multiple_(size_multiple),
        dtype_(narrow_type(dtype, file_)) {
    if (inputs_.size() < 2 || inputs_[0] != "sample" || inputs_[1] != "timestep")
      throw FormatError("unusable input list",
                        {file_, "inputs", "sample, timestep, …", inputs_.empty() ? "nothing" : inputs_[0] + ", …"});
    const auto module = load_module(file, dtype_);
    require_method(module, "forward", inputs_.size(), file);
    try {
      module_ = torch::jit::freeze_module(module);
    } catch (const c10::Error& error) {
      throw FormatError("TorchScript cannot freeze it", {file_, "forward", "", first_line(error)});
    }
  }

  int64_t size_multiple() const override { return size_multiple_; }
  bool takes_guidance() const override { return std::ranges::count(inputs_, "guidance_scale") > 0; }

  at::Tensor predict(const at::Tensor& sample, double timestep, const Conditioning& conditioning) const override {
    std::vector<c10::IValue> arguments = {sample, at::scalar_tensor(timestep, at::kFloat)};
    for (size_t i = 2; i < inputs_.size(); ++i) {
      const auto entry = conditioning.find(inputs_[i]);
      if (entry == conditioning.end())
        throw TensorError("the denoiser wants an input that nothing provides",
                          {file_, inputs_[i], "a tensor of that name", "none"});
      arguments.emplace_back(entry->second);
    }
    const NarrowMultiplications narrow(dtype_);
    const auto output =
        require_tensor(call(module_.get_method("forward"), std::move(arguments), file_), file_, "forward");
    if (!is_latent_part(output, sample))
      throw TensorError("the denoiser's output has another shape than its sample",
                        {file_, "forward", c10::str(sample.sizes()), c10::str(output.sizes())});
    return output.to(at::kFloat);
  }

 private:
  std::string file_;
  std::vector<std::string> inputs_;
  int64_t size_multiple_;
  at::ScalarType dtype_;
  torch::jit::Module module_;
};

class TorchScriptTextEncoder final : public TextEncoder {
 public:
  TorchScriptTextEncoder(const std::filesystem::path& file, std::vector<std::string> outputs)
      : file_(file.string()), outputs_(std::move(outputs)), module_(load_module(file)) {
    require_method(module_, "forward", 1, file);
  }

  Conditioning encode(const at::Tensor& ids) const override {
    const auto value = call(module_.get_method("forward"), {ids}, file_);
    std::vector<c10::IValue> values =
        value.isTuple() ? value.toTupleRef().elements().vec() : std::vector<c10::IValue>{value};
    if (values.size() < outputs_.size())
      throw FormatError("too few outputs",
                        {file_, "forward", std::to_string(outputs_.size()), std::to_string(values.size())});
    Conditioning conditioning;
    for (size_t i = 0; i < outputs_.size(); ++i)
      conditioning[outputs_[i]] = require_tensor(values[i], file_, outputs_[i]);
    return conditioning;
  }

 private:
  std::string file_;
  std::vector<std::string> outputs_;
  torch::jit::Module module_;
};

class TorchScriptImageEncoder final : public ImageEncoder {
 public:
  TorchScriptImageEncoder(const std::filesystem::path& file, int64_t size)
      : file_(file.string()), size_(size), module_(load_module(file)) {
    require_method(module_, "forward", 1, file);
  }

  int64_t size() const override { return size_; }
  at::Tensor encode(const at::Tensor& pictures) const override {
    const auto seen = require_tensor(call(module_.get_method("forward"), {pictures}, file_), file_, "forward");
    if (seen.dim() != 3 || seen.size(0) != pictures.size(0))
      throw TensorError("unusable output",
                        {file_, "forward", "[" + std::to_string(pictures.size(0)) + ", L, D]", c10::str(seen.sizes())});
    return seen.to(at::kFloat);
  }

 private:
  std::string file_;
  int64_t size_;
  torch::jit::Module module_;
};

class TorchScriptSchedulerRun final : public SchedulerRun {
 public:
  TorchScriptSchedulerRun(torch::jit::Module module, std::string file, int64_t steps, double strength)
      : file_(std::move(file)), module_(std::move(module)) {
    state_ = invoke("init", {steps, strength});
    if (!state_.isGenericDict())
      throw FormatError("wrong type returned", {file_, "init", "Dict[str, Tensor]", state_.tagKind()});
    const auto dictionary = state_.toGenericDict();
    if (!dictionary.contains("timesteps"))
      throw FormatError("the state lacks an entry", {file_, "timesteps", "a tensor", "nothing"});
    timesteps_ = require_tensor(dictionary.at("timesteps"), file_, "timesteps").to(at::kDouble).contiguous();
  }

  int64_t size() const override { return timesteps_.numel(); }
  double timestep(int64_t i) const override { return timesteps_[i].item<double>(); }
  double initial_noise_scale() const override {
    const auto value = invoke("initial_noise_scale", {state_});
    return value.isTensor() ? value.toTensor().item<double>() : value.toDouble();
  }
  at::Tensor scale_model_input(const at::Tensor& sample, int64_t i) const override {
    return require_tensor(invoke("scale_model_input", {sample, i, state_}), file_, "scale_model_input");
  }
  bool needs_noise(int64_t i) const override { return invoke("needs_noise", {i, state_}).toBool(); }
  Step step(const at::Tensor& model_output, int64_t i, const at::Tensor& sample, const at::Tensor& noise) override {
    const c10::IValue maybe_noise = noise.defined() ? c10::IValue(noise) : c10::IValue();
    const auto value = invoke("step", {model_output, i, sample, state_, maybe_noise});
    if (!value.isTuple() || value.toTupleRef().elements().size() != 3)
      throw FormatError("wrong type returned", {file_, "step", "(sample, predicted_x0, state)", value.tagKind()});
    const auto& parts = value.toTupleRef().elements();
    state_ = parts[2];
    return {require_tensor(parts[0], file_, "step"), require_tensor(parts[1], file_, "step")};
  }
  at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, int64_t i) const override {
    return require_tensor(invoke("add_noise", {x0, noise, i, state_}), file_, "add_noise");
  }

 private:
  c10::IValue invoke(const char* name, std::vector<c10::IValue> arguments) const {
    return call(module_.get_method(name), std::move(arguments), file_);
  }

  std::string file_;
  torch::jit::Module module_;
  c10::IValue state_;
  at::Tensor timesteps_;
};

class TorchScriptScheduler final : public Scheduler {
 public:
  explicit TorchScriptScheduler(const std::filesystem::path& file) : file_(file.string()), module_(load_module(file)) {
    constexpr std::array<std::pair<const char*, size_t>, 6> methods = {{{"init", 2},
                                                                        {"initial_noise_scale", 1},
                                                                        {"scale_model_input", 3},
                                                                        {"needs_noise", 2},
                                                                        {"step", 5},
                                                                        {"add_noise", 4}}};
    for (const auto& [name, arguments] : methods) require_method(module_, name, arguments, file);
  }

  std::unique_ptr<SchedulerRun> begin(int64_t steps, double strength) const override {
    return std::make_unique<TorchScriptSchedulerRun>(module_, file_, steps, strength);
  }

 private:
  std::string file_;
  torch::jit::Module module_;
};

}  // namespace

std::shared_ptr<const Denoiser> load_denoiser(const std::filesystem::path& file, std::vector<std::string> inputs,
                                              int64_t size_multiple, DType dtype) {
  return std::make_shared<TorchScriptDenoiser>(file, std::move(inputs), size_multiple, dtype);
}

std::shared_ptr<const TextEncoder> load_text_encoder(const std::filesystem::path& file,
                                                     std::vector<std::string> outputs) {
  return std::make_shared<TorchScriptTextEncoder>(file, std::move(outputs));
}

std::shared_ptr<const ImageEncoder> load_image_encoder(const std::filesystem::path& file, int64_t size) {
  return std::make_shared<TorchScriptImageEncoder>(file, size);
}

std::shared_ptr<const Scheduler> load_scheduler(const std::filesystem::path& file) {
  return std::make_shared<TorchScriptScheduler>(file);
}

}  // namespace lightswitch
