#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <cmath>

#include "core/describe.hpp"

namespace lightswitch {
namespace {

constexpr double kLargest = 16384;  // so that sums over any sequence stay within 64 bits

}  // namespace

std::vector<GateScore> to_gate_scores(const at::Tensor& scores) {
  if (!scores.defined() || scores.dim() != 1 || !scores.is_floating_point())
    throw TensorError("unusable gate scores", {"", "scores", "[n] floating point", describe(scores)});
  const at::Tensor values = scores.to(at::kCPU, at::kDouble).contiguous();
  const double* value = values.const_data_ptr<double>();
  std::vector<GateScore> result(values.numel());
  for (size_t i = 0; i < result.size(); ++i) {
    if (!(std::abs(value[i]) < kLargest))
      throw NumericError("unusable gate score",
                         {"", "scores[" + std::to_string(i) + "]", "finite, below 16384", std::to_string(value[i])});
    result[i] = static_cast<GateScore>(std::lrint(value[i] * gate_score_one));
  }
  return result;
}

LinearGate::LinearGate(const at::Tensor& weight, const at::Tensor& bias) {
  if (!weight.defined() || weight.dim() != 1 || weight.numel() == 0 || !weight.is_floating_point())
    throw TensorError("unusable gate", {"", "weight", "[C] floating point", describe(weight)});
  if (!bias.defined() || bias.numel() != 1 || !bias.is_floating_point())
    throw TensorError("unusable gate", {"", "bias", "[1] floating point", describe(bias)});
  weight_ = weight.to(at::kFloat).contiguous();
  bias_ = bias.item<float>();
  if (!std::isfinite(bias_) || !at::isfinite(weight_).all().item<bool>())
    throw NumericError("unusable gate", {"", "weight, bias", "finite numbers", "NaN or infinity"});
}

at::Tensor LinearGate::scores(const at::Tensor& features) const {
  if (!features.defined() || features.dim() < 2 || features.size(1) != weight_.size(0) || !features.is_floating_point())
    throw TensorError(
        "unusable features",
        {"", "features", "[n, " + std::to_string(weight_.size(0)) + ", …] floating point", describe(features)});
  const at::Tensor channels = features.to(at::kFloat).flatten(1 + (features.dim() == 2 ? 0 : 1));
  const at::Tensor means = features.dim() == 2 ? channels : channels.mean(-1);
  return at::mv(means, weight_) + bias_;
}

PathCost LinearGate::cost(at::IntArrayRef) const {
  return {weight_.numel(), weight_.numel() + 1};
}

}  // namespace lightswitch
