#include "decoder/tiled_pair.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/stopwatch.hpp"
#include "decoder/latents.hpp"
#include "routing/tiles.hpp"

namespace lightswitch {
namespace {

/// A halo of some latents is shared well only by many tiles.
constexpr int64_t kLongestBlock = 8;

/// What of the latents a block of tiles needs, and where its own begin in that.
struct Window {
  int64_t top, left, height, width, row, column;
};

class TiledPair final : public Decoder, public RoutedDecoding {
 public:
  TiledPair(PairParts parts, const PairRule& rule) : parts_(std::move(parts)), spec_(parts_.spec()) {
    const Decoder& heavy = *parts_.heavy;
    if (heavy.spec().global_operations)
      throw UnsupportedError(
          "tiles of this pair cannot be routed: the heavy decoder normalises or attends over the whole picture",
          {"", "tile", "none with a heavy decoder of family " + heavy.info().family, std::to_string(rule.tile)});
    halo_ = heavy.spec().halo;
    // Pieces of a picture would be routed for themselves, on grids of their own.
    spec_.global_operations = true;
    take(rule);
  }

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  const RoutedDecoding* routing() const override { return this; }
  std::optional<double> budget_ms() const override { return rule_.heavy.budget_ms; }

  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override {
    return forward_observed(latents, {}, std::move(stop));
  }

  at::Tensor forward_observed(const at::Tensor& latents, const RouteObserver& observe,
                              std::stop_token stop) const override {
    rule_.heavy.require_settled();
    const at::Tensor all = parts_.to_diffusion(latents, LatentKind::diffusion);
    require_room(all.size(2), all.size(3));
    std::vector<at::Tensor> pictures;
    for (const at::Tensor& one : all.split(1)) {
      PictureRoute route = routed(one);
      pictures.push_back(make(one, route, stop));
      if (observe) observe(route);
    }
    return at::cat(pictures);
  }

  std::shared_ptr<const Decoder> with_heavy_share(double heavy_share) const override {
    auto other = std::make_shared<TiledPair>(*this);
    PairRule rule = rule_;
    rule.heavy = HeavyRule::of_share(heavy_share);
    other->take(rule);
    return other;
  }

  /// Of the share's tiles as if none had a neighbour, of all where the share is not known.
  int64_t macs(int64_t h, int64_t w) const override {
    const TileGrid grid(h, w, rule_.tile);
    const int64_t heavy = rule_.heavy.most(grid.count()), whole = parts_.heavy->macs(h, w);
    const int64_t edge = rule_.tile + 2 * halo_;
    const int64_t made =
        heavy == 0 ? 0 : std::min(whole, heavy * parts_.heavy->macs(std::min(edge, h), std::min(edge, w)));
    return (heavy == grid.count() ? 0 : parts_.light->macs(h, w)) + made + gate_cost(h, w).macs * grid.count();
  }

  std::optional<int64_t> activation_bytes(int64_t h, int64_t w) const override {
    const auto light = parts_.light->activation_bytes(h, w), heavy = parts_.heavy->activation_bytes(h, w);
    if (!light || !heavy) return std::nullopt;
    const int64_t picture = 3 * h * w * spec_.factor * spec_.factor * static_cast<int64_t>(sizeof(float));
    return std::max(*light, *heavy) + 2 * picture;
  }

 private:
  void take(const PairRule& rule) {
    rule_ = rule;
    info_ = parts_.info("tiles of " + std::to_string(rule_.tile) + " latents, " + rule_.heavy.text());
  }

  void require_room(int64_t height, int64_t width) const {
    const int64_t needed = rule_.tile + 2 * halo_;
    if (height > needed || width > needed) return;
    throw UnsupportedError(
        "tiles of this pair cannot be routed: the heavy decoder needs the whole picture for one of them",
        {"", "tile",
         "pictures of more than " + std::to_string(needed) + " latents (a tile of " + std::to_string(rule_.tile) +
             ", a halo of " + std::to_string(halo_) + " around it)",
         std::to_string(height) + "x" + std::to_string(width)});
  }

  PathCost gate_cost(int64_t h, int64_t w) const {
    return parts_.gate->cost({spec_.channels, std::min(rule_.tile, h), std::min(rule_.tile, w)});
  }

  /// The gate looks at every tile as it would at a picture.
  PictureRoute routed(const at::Tensor& latents) const {
    const Stopwatch watch;
    const TileGrid grid(latents.size(2), latents.size(3), rule_.tile);
    std::vector<at::Tensor> scores;
    for (int64_t row = 0; row < grid.rows(); ++row)
      for (int64_t column = 0; column < grid.columns(); ++column)
        scores.push_back(parts_.gate->scores(grid.place(latents, {row, column}, 1)));
    PictureRoute route;
    route.rows = grid.rows();
    route.columns = grid.columns();
    route.tile = rule_.tile * spec_.factor;
    route.scores = to_gate_scores(at::cat(scores));
    route.plan = rule_.heavy.plan(route.scores);
    route.stats.gate_ms = watch.ms();
    return route;
  }

  Window window_of(const TileBlock& block, int64_t height, int64_t width) const {
    const int64_t row = block.row * rule_.tile, column = block.column * rule_.tile;
    const int64_t top = std::max<int64_t>(0, row - halo_), left = std::max<int64_t>(0, column - halo_);
    const int64_t bottom = std::min(height, row + block.edge * rule_.tile + halo_);
    const int64_t right = std::min(width, column + block.edge * rule_.tile + halo_);
    return {top, left, bottom - top, right - left, row - top, column - left};
  }

  /// Makes the picture, and completes what the route tells.
  at::Tensor make(const at::Tensor& latents, PictureRoute& route, const std::stop_token& stop) const {
    const int64_t height = latents.size(2), width = latents.size(3);
    const TileGrid grid(height, width, rule_.tile);
    const int64_t whole_light = parts_.light->macs(height, width), whole_heavy = parts_.heavy->macs(height, width);
    RoutingStats& stats = route.stats;
    stats.light = route.plan.count(Path::light);
    stats.heavy = route.plan.count(Path::heavy);
    stats.light_cost = {whole_light / grid.count(), parts_.light->info().parameters};
    stats.heavy_cost = {whole_heavy / grid.count(), parts_.heavy->info().parameters};
    stats.gate_cost = gate_cost(height, width);

    auto blocks = grid.heavy_blocks(route.plan, kLongestBlock);
    int64_t heavy_macs = 0;
    std::map<std::pair<int64_t, int64_t>, int64_t> macs_of_size;  // few sizes occur
    for (const TileBlock& block : blocks) {
      const Window window = window_of(block, height, width);
      const auto [found, fresh] = macs_of_size.try_emplace({window.height, window.width});
      if (fresh) found->second = parts_.heavy->macs(window.height, window.width);
      heavy_macs += found->second;
    }
    if (heavy_macs >= whole_heavy) {
      blocks.clear();
      heavy_macs = whole_heavy;
    }
    stats.warm_up_macs =
        (stats.light > 0 ? whole_light : 0) + heavy_macs + grid.count() * stats.gate_cost.macs - stats.macs();

    const auto by = [&](const Decoder& decoder, const at::Tensor& part) {
      return forward_to_unit(decoder, part.contiguous(), LatentKind::diffusion, stop);
    };
    at::Tensor light, heavy;
    if (stats.light > 0) {
      const Stopwatch watch;
      light = by(*parts_.light, latents);
      stats.light_ms = watch.ms();
    }
    if (stats.heavy == 0) return light;
    const Stopwatch watch;
    if (blocks.empty()) {
      heavy = by(*parts_.heavy, latents);
    } else {
      heavy = light.clone();
      for (const TileBlock& block : blocks) {
        const Window window = window_of(block, height, width);
        const at::Tensor made =
            by(*parts_.heavy, latents.narrow(2, window.top, window.height).narrow(3, window.left, window.width));
        const at::Tensor place = grid.place(heavy, block, spec_.factor);
        place.copy_(made.narrow(2, window.row * spec_.factor, place.size(2))
                        .narrow(3, window.column * spec_.factor, place.size(3)));
      }
    }
    stats.heavy_ms = watch.ms();
    return light.defined() ? at::lerp(light, heavy, grid.heavy_weights(route.plan, spec_.factor)) : heavy;
  }

  PairParts parts_;
  LatentSpec spec_;
  NetworkInfo info_;
  PairRule rule_;
  int64_t halo_ = 0;
};

}  // namespace

std::shared_ptr<const Decoder> make_tiled_pair(PairParts parts, const PairRule& rule) {
  return std::make_shared<TiledPair>(std::move(parts), rule);
}

}  // namespace lightswitch
