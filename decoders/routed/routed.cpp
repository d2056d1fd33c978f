#include "routed/routed.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <optional>

#include "core/stopwatch.hpp"
#include "nn/network.hpp"
#include "routed/branches.hpp"
#include "routed/tiles.hpp"
#include "routing/heavy_rule.hpp"

namespace lightswitch::routed {
namespace {

constexpr int64_t kLargestTile = 64;

int64_t read_tile(const Config& config) {
  const int64_t tile = nn::config_int(config, "tile", 4);
  if (tile < 2 || tile > kLargestTile)
    throw OptionError("out of range", {"", "tile", "2 … " + std::to_string(kLargestTile), std::to_string(tile)});
  return tile;
}

/// Trained numbers of the part whose names start so.
int64_t parameters_of(const WeightSource& weights, const std::string& part) {
  int64_t count = 0;
  for (const TensorInfo& tensor : weights.tensors())
    if (tensor.name.starts_with(part)) count += c10::multiply_integers(tensor.shape);
  return count;
}

/// What a mixture computes beside what was planned for either branch.
struct Made {
  at::Tensor picture;  ///< [1, 3, H, W]
  double light_ms = 0, heavy_ms = 0;
  int64_t both_ways = 0;  ///< heavy tiles that were made light too
};

class RoutedDecoder final : public nn::DecoderNetwork, public RoutedDecoding {
 public:
  explicit RoutedDecoder(const NetworkRequest& request) : RoutedDecoder(request, nn::WeightLoader(request, "")) {}

  const RoutedDecoding* routing() const override { return this; }
  std::optional<double> budget_ms() const override { return rule_.budget_ms; }

  at::Tensor forward_observed(const at::Tensor& latents, const RouteObserver& observe,
                              std::stop_token stop) const override {
    return forward_by([&](nn::Run& run, const at::Tensor& x) { return pass_observed(run, x, observe); }, latents,
                      std::move(stop));
  }

  std::shared_ptr<const Decoder> with_heavy_share(double heavy_share) const override {
    auto other = std::make_shared<RoutedDecoder>(*this);
    other->take(HeavyRule::of_share(heavy_share));
    return other;
  }

 private:
  RoutedDecoder(const NetworkRequest& request, nn::WeightLoader loader)
      : Network(request),
        tile_(read_tile(request.config)),
        trunk_(loader),
        heavy_(loader, trunk_.width()),
        light_(loader, trunk_.width(), heavy_.factor()),
        gate_(loader, trunk_.width()) {
    loader.finish();
    spec_.channels = trunk_.latent_channels();
    spec_.factor = heavy_.factor();
    spec_.network_input = LatentKind::raw;
    spec_.output_range = OutputRange::signed_unit;
    // Pieces of a picture would be routed for themselves, on grids of their own.
    spec_.global_operations = true;
    nn::apply_common_config(spec_, request.config);
    info_ = loader.info("routed", "");
    parameters_.shared_cost.parameters = parameters_of(*request.weights, "trunk.");
    parameters_.light_cost.parameters = parameters_of(*request.weights, "light.");
    parameters_.heavy_cost.parameters = parameters_of(*request.weights, "heavy.");
    parameters_.gate_cost.parameters = parameters_of(*request.weights, "gate.");
    take(HeavyRule::read(request.config));
  }

  void take(const HeavyRule& rule) {
    rule_ = rule;
    info_.configuration = "tiles of " + std::to_string(tile_) + " latents, " + rule_.text();
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override { return pass_observed(run, latents, {}); }

  at::Tensor pass_observed(nn::Run& run, const at::Tensor& latents, const RouteObserver& observe) const {
    nn::require_input(latents, "latents", trunk_.latent_channels());
    if (!run.counting()) rule_.require_settled();
    const auto batch = static_cast<double>(latents.size(0));
    const Stopwatch trunk_watch;
    const at::Tensor features = trunk_(run, latents);
    const double shared_ms = trunk_watch.ms() / batch;
    const Stopwatch gate_watch;
    const at::Tensor scores = gate_(run, features, tile_);
    const double gate_ms = gate_watch.ms() / batch;
    std::vector<at::Tensor> pictures;
    for (int64_t i = 0; i < features.size(0); ++i) {
      const at::Tensor these = features.slice(0, i, i + 1);
      if (run.counting()) {
        pictures.push_back(count(run, these, scores[i].numel()));
        continue;
      }
      PictureRoute route;
      route.rows = scores.size(1);
      route.columns = scores.size(2);
      route.tile = tile_ * spec_.factor;
      route.scores = to_gate_scores(scores[i].flatten());
      route.plan = rule_.plan(route.scores);
      Made made = make(run, these, route.plan);
      pictures.push_back(std::move(made.picture));
      if (!observe) continue;
      route.stats = costs(latents.size(2), latents.size(3), route, made.both_ways);
      route.stats.light_ms = made.light_ms;
      route.stats.heavy_ms = made.heavy_ms;
      route.stats.shared_ms = shared_ms;
      route.stats.gate_ms = gate_ms;
      observe(route);
    }
    return pictures.size() == 1 ? pictures.front() : at::cat(pictures);
  }

  /// @param features [1, C, h, w].
  Made make(nn::Run& run, const at::Tensor& features, const RoutePlan& chosen) const {
    Made made;
    const auto timed = [&](const auto& branch, const at::Tensor& x, double& ms) {
      const Stopwatch watch;
      at::Tensor y = branch(run, x);
      ms = watch.ms();
      return y;
    };
    if (chosen.count(Path::light) == 0) made.picture = timed(heavy_, with_halo(features), made.heavy_ms);
    if (chosen.count(Path::heavy) == 0) made.picture = timed(light_, with_halo(features), made.light_ms);
    if (made.picture.defined()) return made;
    const TileGrid grid(features.size(2), features.size(3), tile_);
    const at::Tensor tiles = grid.cut(features, kHalo);
    const auto border = grid.at_the_border(chosen);
    made.both_ways = static_cast<int64_t>(border.size());
    const auto these = [&](const std::vector<int64_t>& numbers) {
      return tiles.index_select(0, index(numbers, tiles)).contiguous(at::MemoryFormat::ChannelsLast);
    };
    const at::Tensor heavy = timed(heavy_, these(chosen.samples(Path::heavy)), made.heavy_ms);
    // Heavy tiles beside light ones are made both ways: the heavy one comes in over some pixels.
    auto light_too = chosen.samples(Path::light);
    light_too.insert(light_too.end(), border.begin(), border.end());
    const at::Tensor light = timed(light_, these(light_too), made.light_ms);
    at::Tensor all = at::empty({grid.count(), 3, heavy.size(2), heavy.size(3)}, heavy.options());
    all.index_copy_(0, index(chosen.samples(Path::heavy), all), heavy);
    const at::Tensor weights = grid.heavy_weights(chosen, border, spec_.factor).to(all.options());
    const at::Tensor places = index(border, all), under = light.slice(0, chosen.count(Path::light));
    all.index_copy_(0, places, at::lerp(under, all.index_select(0, places), weights));
    all.index_copy_(0, index(chosen.samples(Path::light), all), light.slice(0, 0, chosen.count(Path::light)));
    made.picture = grid.join(all, spec_.factor);
    return made;
  }

  template <typename Part, typename... More>
  int64_t macs_of(const Part& part, at::IntArrayRef shape, More... more) const {
    nn::Run run = nn::Run::count();
    part(run, at::empty(shape, at::TensorOptions(at::kMeta).dtype(nn::scalar_type(info_.dtype))), more...);
    return run.macs();
  }

  /// A path's cost is a tile's part of a picture that goes that way whole; what tiles cost beside that, with halos of
  /// their own and made both ways, is told apart.
  RoutingStats costs(int64_t height, int64_t width, const PictureRoute& route, int64_t both_ways) const {
    RoutingStats stats = parameters_;
    const int64_t tiles = route.rows * route.columns, features = trunk_.width(), edge = tile_ + 2 * kHalo;
    stats.light = route.plan.count(Path::light);
    stats.heavy = route.plan.count(Path::heavy);
    const int64_t trunk = macs_of(trunk_, {1, trunk_.latent_channels(), height, width});
    const int64_t gate = macs_of(gate_, {1, features, height, width}, tile_);
    const at::DimVector whole{1, features, height + 2 * kHalo, width + 2 * kHalo};
    const int64_t light = macs_of(light_, whole), heavy = macs_of(heavy_, whole);
    stats.shared_cost.macs = trunk / tiles;
    stats.gate_cost.macs = gate / tiles;
    stats.light_cost.macs = light / tiles;
    stats.heavy_cost.macs = heavy / tiles;
    int64_t all = trunk + gate;
    if (stats.heavy == tiles || stats.light == tiles)
      all += stats.heavy == tiles ? heavy : light;
    else
      all += stats.heavy * macs_of(heavy_, {1, features, edge, edge}) +
             (stats.light + both_ways) * macs_of(light_, {1, features, edge, edge});
    stats.warm_up_macs = all - stats.macs();
    return stats;
  }

  /// Which tiles are heavy is not known, how many is; a threshold may choose them all. All of them may have to be made
  /// both ways.
  at::Tensor count(nn::Run& run, const at::Tensor& features, int64_t tiles) const {
    const int64_t heavy = rule_.most(tiles);
    if (heavy == tiles) return heavy_(run, run.planned(with_halo(features)));
    if (heavy == 0) return light_(run, run.planned(with_halo(features)));
    const auto cut = [&](int64_t count) {
      const int64_t edge = tile_ + 2 * kHalo;
      return run.planned(at::empty({count, features.size(1), edge, edge}, features.options()));
    };
    const at::Tensor every_tile = cut(tiles), heavy_made = heavy_(run, cut(heavy)),
                     light_made = light_(run, cut(tiles));
    const at::Tensor all = run.planned(at::empty_like(light_made));
    return run.planned(
        at::empty({1, 3, features.size(2) * spec_.factor, features.size(3) * spec_.factor}, features.options()));
  }

  static at::Tensor with_halo(const at::Tensor& features) {
    return at::constant_pad_nd(features, {kHalo, kHalo, kHalo, kHalo}).contiguous(at::MemoryFormat::ChannelsLast);
  }

  static at::Tensor index(const std::vector<int64_t>& numbers, const at::Tensor& like) {
    return at::tensor(numbers, at::kLong).to(like.device());
  }

  HeavyRule rule_;
  RoutingStats parameters_;  ///< what a picture's statistics start from
  int64_t tile_;
  Trunk trunk_;
  Heavy heavy_;
  Light light_;
  TileGate gate_;
};

bool recognises(const WeightSource& weights) {
  return weights.find("trunk.first.weight") && weights.find("heavy.enter.weight") && weights.find("light.out.weight");
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  return std::make_unique<RoutedDecoder>(request);
}

}  // namespace

DecoderFamily family() {
  return {.name = "routed",
          .summary = "a trunk for the whole picture, and a gate that gives each tile a light or a heavy branch",
          .recognises = recognises,
          .make_decoder = make_decoder,
          .options = {"heavy-share", "threshold", "budget-ms", "tile"}};
}

}  // namespace lightswitch::routed
