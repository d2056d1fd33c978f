#include "decoder/pair_decoder.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "core/stopwatch.hpp"
#include "decoder/latents.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch {
namespace {

template <typename Value>
void require_equal(const char* what, const Value& light, const Value& heavy) {
  if (light != heavy)
    throw UnsupportedError("light and heavy decoder are not of one latent space",
                           {"", what, c10::str(heavy) + ", as the heavy one has", c10::str(light)});
}

LatentSpec common_spec(const LatentSpec& light, const LatentSpec& heavy) {
  for (const LatentSpec* spec : {&light, &heavy})
    if (spec->network_input == LatentKind::indices)
      throw UnsupportedError("a pair is routed by continuous latents",
                             {"", spec == &light ? "light" : "heavy", "raw or diffusion latents", "indices"});
  require_equal("channels", light.channels, heavy.channels);
  require_equal("factor", light.factor, heavy.factor);
  if (!light.space.empty() && !heavy.space.empty()) require_equal("space", light.space, heavy.space);
  if (light.network_input == LatentKind::raw && heavy.network_input == LatentKind::raw) {
    require_equal("scaling_factor", light.scaling_factor, heavy.scaling_factor);
    require_equal("shift_factor", light.shift_factor, heavy.shift_factor);
  }
  LatentSpec spec = heavy.network_input == LatentKind::raw ? heavy : light;  // the one that knows the scale
  if (spec.space.empty()) spec.space = light.space.empty() ? heavy.space : light.space;
  spec.network_input = LatentKind::diffusion;
  spec.output_range = OutputRange::unit;
  spec.codebook = 0;
  spec.halo = std::max(light.halo, heavy.halo);
  spec.global_operations = light.global_operations || heavy.global_operations;
  return spec;
}

class PairDecoder final : public Decoder, public RoutedDecoding {
 public:
  PairDecoder(std::shared_ptr<const Decoder> light, std::shared_ptr<const Decoder> heavy,
              std::shared_ptr<const Gate> gate, const PairRule& rule)
      : light_(std::move(light)),
        heavy_(std::move(heavy)),
        gate_(std::move(gate)),
        spec_(common_spec(light_->spec(), heavy_->spec())) {
    take(rule);
  }

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  const RoutedDecoding* routing() const override { return this; }
  std::optional<double> budget_ms() const override { return rule_.heavy.budget_ms; }
  const Decoder* path(Path path) const override { return path == Path::light ? light_.get() : heavy_.get(); }

  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override {
    return forward_observed(latents, {}, std::move(stop));
  }

  at::Tensor forward_observed(const at::Tensor& latents, const RouteObserver& observe,
                              std::stop_token stop) const override {
    std::vector<at::Tensor> pictures;
    auto routes = plan(latents, LatentKind::diffusion, false);
    for (size_t i = 0; i < routes.size(); ++i) {
      const auto index = static_cast<int64_t>(i);
      RoutingStats& stats = routes[i].stats;
      const Decoder& taken = *path(routes[i].plan[0]);
      const Stopwatch watch;
      pictures.push_back(forward_to_unit(taken, latents.slice(0, index, index + 1), LatentKind::diffusion, stop));
      (stats.heavy > 0 ? stats.heavy_ms : stats.light_ms) = watch.ms();
      if (observe) observe(routes[i]);
    }
    return at::cat(pictures);
  }

  std::shared_ptr<const Decoder> with_heavy_share(double heavy_share) const override {
    auto other = std::make_shared<PairDecoder>(*this);
    other->take({HeavyRule::of_share(heavy_share), rule_.dwell});
    return other;
  }

  std::vector<PictureRoute> plan(const at::Tensor& latents, LatentKind kind, bool successive) const override {
    rule_.heavy.require_settled();
    const Stopwatch watch;
    const auto scores = to_gate_scores(gate_->scores(to_diffusion(latents, kind)));
    const double gate_ms = watch.ms() / static_cast<double>(std::max<size_t>(1, scores.size()));
    const RoutePlan chosen = successive ? plan_frames(scores) : rule_.heavy.plan(scores);
    const int64_t h = latents.size(-2), w = latents.size(-1);
    RoutingStats costs;
    costs.light_cost = {light_->macs(h, w), light_->info().parameters};
    costs.heavy_cost = {heavy_->macs(h, w), heavy_->info().parameters};
    costs.gate_cost = gate_->cost({spec_.channels, h, w});
    costs.gate_ms = gate_ms;
    std::vector<PictureRoute> routes(scores.size());
    for (size_t i = 0; i < routes.size(); ++i) {
      routes[i].plan = RoutePlan::all(chosen[i], 1);
      routes[i].scores = {scores[i]};
      routes[i].stats = costs;
      routes[i].stats.light = chosen[i] == Path::light;
      routes[i].stats.heavy = chosen[i] == Path::heavy;
    }
    return routes;
  }

  /// A mean over many pictures of the share, the dearest one where that is not known.
  int64_t macs(int64_t h, int64_t w) const override {
    const auto light = static_cast<double>(light_->macs(h, w)), heavy = static_cast<double>(heavy_->macs(h, w));
    const bool known = !rule_.heavy.threshold && !rule_.heavy.budget_ms;
    const double share = known ? rule_.heavy.heavy_share : 1;
    return static_cast<int64_t>(light + share * (heavy - light)) + gate_->cost({spec_.channels, h, w}).macs;
  }

  std::optional<int64_t> activation_bytes(int64_t h, int64_t w) const override {
    const auto light = light_->activation_bytes(h, w), heavy = heavy_->activation_bytes(h, w);
    if (!light || !heavy) return std::nullopt;
    return std::max(*light, *heavy);
  }

 private:
  void take(const PairRule& rule) {
    rule_ = rule;
    info_ = heavy_->info();
    info_.family = "routed";
    info_.configuration = light_->info().family + " and " + heavy_->info().family + ", " + rule_.heavy.text();
    info_.parameters =
        light_->info().parameters + heavy_->info().parameters + gate_->cost({spec_.channels, 1, 1}).parameters;
    info_.skipped.clear();
  }

  at::Tensor to_diffusion(const at::Tensor& latents, LatentKind kind) const {
    if (!latents.defined() || latents.dim() != 4 || !latents.is_floating_point())
      throw TensorError("unusable latents", {"", "latents", "[N, C, h, w] floating point", describe(latents)});
    return to_network_input(latents, kind, spec_);
  }

  RoutePlan plan_frames(const std::vector<GateScore>& scores) const {
    if (rule_.heavy.threshold)
      return plan_runs(scores, {.price = *rule_.heavy.threshold, .minimum_dwell = rule_.dwell});
    return plan_within(scores, {.heavy_share = rule_.heavy.heavy_share, .minimum_dwell = rule_.dwell});
  }

  std::shared_ptr<const Decoder> light_, heavy_;
  std::shared_ptr<const Gate> gate_;
  LatentSpec spec_;
  NetworkInfo info_;
  PairRule rule_;
};

}  // namespace

PairRule PairRule::read(const Config& config) {
  PairRule rule{HeavyRule::read(config)};
  rule.dwell = nn::config_int(config, "dwell", rule.dwell);
  if (rule.dwell < 1) throw OptionError("out of range", {"", "dwell", "1 or more frames", std::to_string(rule.dwell)});
  return rule;
}

std::shared_ptr<const Decoder> make_pair_decoder(std::shared_ptr<const Decoder> light,
                                                 std::shared_ptr<const Decoder> heavy, std::shared_ptr<const Gate> gate,
                                                 const PairRule& rule) {
  return std::make_shared<PairDecoder>(std::move(light), std::move(heavy), std::move(gate), rule);
}

}  // namespace lightswitch
