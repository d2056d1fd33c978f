#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/torchscript.hpp>

#include <string>

#include "io/torchscript_module.hpp"
#include "metrics/pair.hpp"

namespace lightswitch {
namespace {

/// Judges want pictures in -1 … 1.
at::Tensor to_judge(const at::Tensor& pictures) {
  return pictures.to(at::kFloat) * 2 - 1;
}

class TorchScriptDistance final : public PictureDistance {
 public:
  explicit TorchScriptDistance(const std::filesystem::path& file) : file_(file.string()), module_(load_module(file)) {
    require_method(module_, "forward", 2, file);
  }

  double operator()(const at::Tensor& picture, const at::Tensor& reference) const override {
    const MetricPair pair = metric_pair(picture, reference);
    const auto value = call(module_.get_method("forward"), {to_judge(pair.picture), to_judge(pair.reference)}, file_);
    return require_tensor(value, file_, "forward").to(at::kDouble).mean().item<double>();
  }

 private:
  std::string file_;
  torch::jit::Module module_;
};

class TorchScriptFeatures final : public FeatureNetwork {
 public:
  explicit TorchScriptFeatures(const std::filesystem::path& file) : file_(file.string()), module_(load_module(file)) {
    require_method(module_, "forward", 1, file);
  }

  at::Tensor features(const at::Tensor& batch) const override {
    at::Tensor input = batch;
    if (batch.defined() && batch.dim() == 5)
      metric_batch(batch.transpose(1, 2).flatten(0, 1), "clips");
    else
      input = metric_batch(batch, "pictures");
    const auto value = call(module_.get_method("forward"), {to_judge(input)}, file_);
    const at::Tensor found = require_tensor(value, file_, "forward");
    const int64_t count = input.size(0);
    const bool fits = found.is_floating_point() && found.dim() >= 2 && found.size(0) == count && found.size(1) > 0 &&
                      found.numel() == count * found.size(1);
    if (!fits)
      throw FormatError("not a feature network", {file_, "forward", c10::str("[", count, ", D]"),
                                                  c10::str(found.sizes(), " ", found.scalar_type())});
    return found.to(at::kFloat).flatten(1);
  }

 private:
  std::string file_;
  torch::jit::Module module_;
};

}  // namespace

std::shared_ptr<const PictureDistance> load_picture_distance(const std::filesystem::path& file) {
  return std::make_shared<TorchScriptDistance>(file);
}

std::shared_ptr<const FeatureNetwork> load_feature_network(const std::filesystem::path& file) {
  return std::make_shared<TorchScriptFeatures>(file);
}

}  // namespace lightswitch
