#include "decoder/pair_decoder.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "core/stopwatch.hpp"
#include "decoder/latents.hpp"
#include "decoder/pair_parts.hpp"
#include "decoder/tiled_pair.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch {
namespace {

constexpr int64_t kSmallestTile = 4, kLargestTile = 256;

class PairDecoder final : public Decoder, public RoutedDecoding {
 public:
  PairDecoder(PairParts parts, const PairRule& rule) : parts_(std::move(parts)), spec_(parts_.spec()) { take(rule); }

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  const RoutedDecoding* routing() const override { return this; }
  std::optional<double> budget_ms() const override { return rule_.heavy.budget_ms; }
  const Decoder* path(Path path) const override {
    return path == Path::light ? parts_.light.get() : parts_.heavy.get();
  }

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
    const auto scores = to_gate_scores(parts_.gate->scores(parts_.to_diffusion(latents, kind)));
    const double gate_ms = watch.ms() / static_cast<double>(std::max<size_t>(1, scores.size()));
    const RoutePlan chosen = successive ? plan_frames(scores) : rule_.heavy.plan(scores);
    const int64_t h = latents.size(-2), w = latents.size(-1);
    RoutingStats costs;
    costs.light_cost = {parts_.light->macs(h, w), parts_.light->info().parameters};
    costs.heavy_cost = {parts_.heavy->macs(h, w), parts_.heavy->info().parameters};
    costs.gate_cost = parts_.gate->cost({spec_.channels, h, w});
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
    const auto light = static_cast<double>(parts_.light->macs(h, w)),
               heavy = static_cast<double>(parts_.heavy->macs(h, w));
    const bool known = !rule_.heavy.threshold && !rule_.heavy.budget_ms;
    const double share = known ? rule_.heavy.heavy_share : 1;
    return static_cast<int64_t>(light + share * (heavy - light)) + parts_.gate->cost({spec_.channels, h, w}).macs;
  }

  std::optional<int64_t> activation_bytes(int64_t h, int64_t w) const override {
    const auto light = parts_.light->activation_bytes(h, w), heavy = parts_.heavy->activation_bytes(h, w);
    if (!light || !heavy) return std::nullopt;
    return std::max(*light, *heavy);
  }

 private:
  void take(const PairRule& rule) {
    rule_ = rule;
    info_ = parts_.info(rule_.heavy.text());
  }

  RoutePlan plan_frames(const std::vector<GateScore>& scores) const {
    if (rule_.heavy.threshold)
      return plan_runs(scores, {.price = *rule_.heavy.threshold, .minimum_dwell = rule_.dwell});
    return plan_within(scores, {.heavy_share = rule_.heavy.heavy_share, .minimum_dwell = rule_.dwell});
  }

  PairParts parts_;
  LatentSpec spec_;
  NetworkInfo info_;
  PairRule rule_;
};

}  // namespace

PairRule PairRule::read(const Config& config) {
  PairRule rule{HeavyRule::read(config)};
  rule.dwell = nn::config_int(config, "dwell", rule.dwell);
  if (rule.dwell < 1) throw OptionError("out of range", {"", "dwell", "1 or more frames", std::to_string(rule.dwell)});
  if (!config.count("tile")) return rule;
  rule.tile = nn::config_int(config, "tile", 0);
  if (rule.tile < kSmallestTile || rule.tile > kLargestTile)
    throw OptionError("out of range",
                      {"", "tile", std::to_string(kSmallestTile) + " … " + std::to_string(kLargestTile) + " latents",
                       std::to_string(rule.tile)});
  if (config.count("dwell"))
    throw OptionError("only whole frames keep a path", {"", "dwell", "no tile beside it", "both"});
  return rule;
}

std::shared_ptr<const Decoder> make_pair_decoder(std::shared_ptr<const Decoder> light,
                                                 std::shared_ptr<const Decoder> heavy, std::shared_ptr<const Gate> gate,
                                                 const PairRule& rule) {
  PairParts parts{std::move(light), std::move(heavy), std::move(gate)};
  if (rule.tile > 0) return make_tiled_pair(std::move(parts), rule);
  return std::make_shared<PairDecoder>(std::move(parts), rule);
}

}  // namespace lightswitch
