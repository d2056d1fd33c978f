#include "routed/routed.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <cmath>
#include <optional>

#include "nn/network.hpp"
#include "routed/branches.hpp"
#include "routed/tiles.hpp"

namespace lightswitch::routed {
namespace {

constexpr int64_t kLargestTile = 64;

/// Which tiles take the heavy branch.
struct Rule {
  double heavy_share = 0.3;
  std::optional<GateScore> threshold = {};  ///< instead of the share

  RoutePlan plan(std::span<const GateScore> scores) const {
    return threshold ? plan_by_threshold(scores, *threshold) : plan_by_share(scores, heavy_share);
  }
};

/// @throws OptionError.
Rule read_rule(const Config& config) {
  Rule rule;
  rule.heavy_share = nn::config_double(config, "heavy-share", rule.heavy_share);
  if (!(rule.heavy_share >= 0 && rule.heavy_share <= 1))
    throw OptionError("out of range", {"", "heavy-share", "0 … 1", std::to_string(rule.heavy_share)});
  if (!config.count("threshold")) return rule;
  if (config.count("heavy-share"))
    throw OptionError("either a share or a threshold", {"", "threshold", "no heavy-share beside it", "both"});
  const double threshold = nn::config_double(config, "threshold", 0);
  if (!(std::abs(threshold) < 16384))
    throw OptionError("out of range", {"", "threshold", "-16384 … 16384", std::to_string(threshold)});
  rule.threshold = static_cast<GateScore>(std::lrint(threshold * gate_score_one));
  return rule;
}

int64_t read_tile(const Config& config) {
  const int64_t tile = nn::config_int(config, "tile", 4);
  if (tile < 2 || tile > kLargestTile)
    throw OptionError("out of range", {"", "tile", "2 … " + std::to_string(kLargestTile), std::to_string(tile)});
  return tile;
}

class RoutedDecoder final : public nn::DecoderNetwork {
 public:
  explicit RoutedDecoder(const NetworkRequest& request) : RoutedDecoder(request, nn::WeightLoader(request, "")) {}

 private:
  RoutedDecoder(const NetworkRequest& request, nn::WeightLoader loader)
      : Network(request),
        rule_(read_rule(request.config)),
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
    // A share is one of the whole picture: tiles that were cut from it would be planned for themselves.
    spec_.global_operations = !rule_.threshold;
    nn::apply_common_config(spec_, request.config);
    info_ =
        loader.info("routed", "tiles of " + std::to_string(tile_) + " latents, " +
                                  (rule_.threshold ? "heavy above a threshold"
                                                   : std::to_string(std::lrint(100 * rule_.heavy_share)) + " % heavy"));
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override {
    nn::require_input(latents, "latents", trunk_.latent_channels());
    const at::Tensor features = trunk_(run, latents);
    const at::Tensor scores = gate_(run, features, tile_);
    std::vector<at::Tensor> pictures;
    for (int64_t i = 0; i < features.size(0); ++i)
      pictures.push_back(route(run, features.slice(0, i, i + 1), scores.select(0, i)));
    return pictures.size() == 1 ? pictures.front() : at::cat(pictures);
  }

  /// @param features [1, C, h, w]. @param scores [rows, columns]. @return [1, 3, H, W].
  at::Tensor route(nn::Run& run, const at::Tensor& features, const at::Tensor& scores) const {
    if (run.counting()) return count(run, features, scores.numel());
    const RoutePlan chosen = rule_.plan(to_gate_scores(scores.flatten()));
    if (chosen.count(Path::light) == 0) return heavy_(run, with_halo(features));
    if (chosen.count(Path::heavy) == 0) return light_(run, with_halo(features));
    const TileGrid grid(features.size(2), features.size(3), tile_);
    const at::Tensor tiles = grid.cut(features, kHalo);
    const auto border = grid.at_the_border(chosen);
    const auto these = [&](const std::vector<int64_t>& numbers) {
      return tiles.index_select(0, index(numbers, tiles)).contiguous(at::MemoryFormat::ChannelsLast);
    };
    const at::Tensor heavy = heavy_(run, these(chosen.samples(Path::heavy)));
    // Heavy tiles beside light ones are made both ways: the heavy one comes in over some pixels.
    auto light_too = chosen.samples(Path::light);
    light_too.insert(light_too.end(), border.begin(), border.end());
    const at::Tensor light = light_(run, these(light_too));
    at::Tensor all = at::empty({grid.count(), 3, heavy.size(2), heavy.size(3)}, heavy.options());
    all.index_copy_(0, index(chosen.samples(Path::heavy), all), heavy);
    const at::Tensor weights = grid.heavy_weights(chosen, border, spec_.factor).to(all.options());
    const at::Tensor places = index(border, all), under = light.slice(0, chosen.count(Path::light));
    all.index_copy_(0, places, at::lerp(under, all.index_select(0, places), weights));
    all.index_copy_(0, index(chosen.samples(Path::light), all), light.slice(0, 0, chosen.count(Path::light)));
    return grid.join(all, spec_.factor);
  }

  /// Which tiles are heavy is not known, how many is; a threshold may choose them all. All of them may have to be made
  /// both ways.
  at::Tensor count(nn::Run& run, const at::Tensor& features, int64_t tiles) const {
    const std::vector<GateScore> equal(tiles, 0);
    const int64_t heavy = rule_.threshold ? tiles : plan_by_share(equal, rule_.heavy_share).count(Path::heavy);
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

  Rule rule_;
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
          .options = {"heavy-share", "threshold", "tile"}};
}

}  // namespace lightswitch::routed
