#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <string>

#include "core/describe.hpp"
#include "core/stopwatch.hpp"

namespace lightswitch {
namespace {

template <typename Work>
auto timed(double& ms, const Work& work) {
  const Stopwatch watch;
  auto result = work();
  ms = watch.ms();
  return result;
}

void require_features(const at::Tensor& features, const at::Tensor& mask) {
  const bool fits = features.defined() && features.dim() >= 2 && features.is_floating_point() &&
                    (!mask.defined() || features.size(1) == mask.size(0));
  if (!fits)
    throw TensorError(
        "unusable features",
        {"", "features", "[n, " + (mask.defined() ? std::to_string(mask.size(0)) : "C") + ", …] floating point",
         describe(features)});
}

at::Tensor checked_mask(const at::Tensor& mask) {
  if (!mask.defined() || mask.dim() != 1 || mask.numel() == 0 || !mask.is_floating_point())
    throw TensorError("unusable mask", {"", "mask", "[C] floating point", describe(mask)});
  if (!at::isfinite(mask).all().item<bool>())
    throw NumericError("unusable mask", {"", "mask", "finite numbers", "NaN or infinity"});
  return mask.to(at::kFloat).contiguous();
}

/// The mask [C] against features [n, C, …].
at::Tensor over_channels(const at::Tensor& mask, const at::Tensor& features) {
  std::vector<int64_t> shape(features.dim(), 1);
  shape[1] = mask.size(0);
  return mask.view(shape);
}

RoutePlan checked(RoutePlan plan, const at::Tensor& features) {
  if (static_cast<int64_t>(plan.size()) != features.size(0))
    throw TensorError("the rule planned another number of samples",
                      {"", "plan", std::to_string(features.size(0)), std::to_string(plan.size())});
  return plan;
}

std::vector<GateScore> scores_of(const Gate& gate, const at::Tensor& features, RoutingStats& stats) {
  return timed(stats.gate_ms, [&] { return to_gate_scores(gate.scores(features)); });
}

}  // namespace

SwitchLayer::SwitchLayer(std::shared_ptr<const Gate> gate, PathNetwork light, PathNetwork heavy, at::Tensor mask)
    : gate_(std::move(gate)),
      light_(std::move(light)),
      heavy_(std::move(heavy)),
      mask_(mask.defined() ? checked_mask(mask) : mask) {}

SwitchLayer::Result SwitchLayer::forward(const at::Tensor& features, const RouteRule& rule) const {
  require_features(features, mask_);
  Result result;
  RoutingStats& stats = result.stats;
  const at::IntArrayRef shape = features.sizes().slice(1);
  stats.gate_cost = gate_->cost(shape);
  stats.light_cost = light_.cost(shape);
  stats.heavy_cost = heavy_.cost(shape);
  if (features.size(0) == 0) return result;
  result.plan = checked(rule(scores_of(*gate_, features, stats)), features);
  stats.light = result.plan.count(Path::light);
  stats.heavy = result.plan.count(Path::heavy);

  const Dispatched batches = dispatch(result.plan, features);
  at::Tensor light, heavy;
  if (batches.light.defined())
    light = timed(stats.light_ms, [&] {
      return light_.forward(mask_.defined() ? batches.light * over_channels(mask_, batches.light) : batches.light);
    });
  if (batches.heavy.defined()) heavy = timed(stats.heavy_ms, [&] { return heavy_.forward(batches.heavy); });
  result.output = combine(result.plan, light, heavy);
  return result;
}

GatedCompression::GatedCompression(std::shared_ptr<const Gate> gate, GateScore threshold, const at::Tensor& mask)
    : gate_(std::move(gate)), threshold_(threshold), mask_(checked_mask(mask)) {
  const at::Tensor kept = mask_.nonzero().flatten();
  channels_.assign(kept.const_data_ptr<int64_t>(), kept.const_data_ptr<int64_t>() + kept.numel());
}

GatedCompression::Result GatedCompression::forward(const at::Tensor& features) const {
  require_features(features, mask_);
  Result result;
  result.stats.gate_cost = gate_->cost(features.sizes().slice(1));
  if (features.size(0) == 0) return result;
  result.plan = plan_by_threshold(scores_of(*gate_, features, result.stats), threshold_);
  result.stats.light = result.plan.count(Path::light);
  result.stats.heavy = result.plan.count(Path::heavy);
  const at::Tensor onward = dispatch(result.plan, features).heavy;
  if (!onward.defined()) return result;
  const at::Tensor kept = at::tensor(channels_, at::kLong).to(onward.device());
  const at::Tensor mask = mask_.to(onward.device()).index_select(0, kept);
  result.kept = onward.index_select(1, kept) * over_channels(mask, onward);
  return result;
}

}  // namespace lightswitch
