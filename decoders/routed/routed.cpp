#include "routed/routed.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <bit>
#include <optional>

#include "core/stopwatch.hpp"
#include "nn/network.hpp"
#include "routed/branches.hpp"
#include "routing/heavy_rule.hpp"
#include "routing/tiles.hpp"

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

/// Heavy tiles are made one by one and in blocks of 2x2: larger ones save little more, and every shape costs code that
/// oneDNN builds for it.
constexpr int64_t kLongestBlock = 2;

/// Tiles that go through the heavy branch together.
constexpr int64_t kBatchTiles = 32;

/// How many of so many blocks go through the branch together: a power of two or half as much again, so that few sizes
/// ever occur.
int64_t batch_of(int64_t left, int64_t tiles_in_block) {
  const int64_t most = std::min(left, kBatchTiles / tiles_in_block);
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(most)));
  return power + power / 2 <= most ? power + power / 2 : power;
}

/// How the heavy branch makes its tiles of one picture.
struct HeavyWork {
  std::vector<TileBlock> blocks;  ///< none where the whole picture costs less
  int64_t macs = 0;
};

struct Made {
  at::Tensor picture;  ///< [1, 3, H, W]
  double light_ms = 0, heavy_ms = 0;
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
    for (int64_t edge = 1; edge <= kLongestBlock; ++edge) block_macs_[edge - 1] = block_macs(edge);
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
      const HeavyWork work = heavy_work(these, route.plan);
      Made made = make(run, these, route.plan, work);
      pictures.push_back(std::move(made.picture));
      if (!observe) continue;
      route.stats = costs(latents.size(2), latents.size(3), route, work);
      route.stats.light_ms = made.light_ms;
      route.stats.heavy_ms = made.heavy_ms;
      route.stats.shared_ms = shared_ms;
      route.stats.gate_ms = gate_ms;
      observe(route);
    }
    return pictures.size() == 1 ? pictures.front() : at::cat(pictures);
  }

  int64_t block_macs(int64_t edge) const {
    return macs_of(heavy_, {1, trunk_.width(), edge * tile_ + 2 * kHalo, edge * tile_ + 2 * kHalo});
  }

  /// @param features [1, C, h, w].
  HeavyWork heavy_work(const at::Tensor& features, const RoutePlan& plan) const {
    HeavyWork work;
    if (plan.count(Path::heavy) == 0) return work;
    const int64_t whole =
        macs_of(heavy_, {1, trunk_.width(), features.size(2) + 2 * kHalo, features.size(3) + 2 * kHalo});
    work.blocks = TileGrid(features.size(2), features.size(3), tile_).heavy_blocks(plan, kLongestBlock);
    for (const TileBlock& block : work.blocks) work.macs += block_macs_[block.edge - 1];
    if (work.macs < whole) return work;
    return {{}, whole};
  }

  /// @param features [1, C, h, w].
  Made make(nn::Run& run, const at::Tensor& features, const RoutePlan& plan, const HeavyWork& work) const {
    Made made;
    const auto timed = [&](double& ms, const auto& branch) {
      const Stopwatch watch;
      at::Tensor y = branch();
      ms = watch.ms();
      return y;
    };
    const at::Tensor around = with_halo(features);
    at::Tensor light, heavy;
    if (plan.count(Path::light) > 0) light = timed(made.light_ms, [&] { return light_(run, around); });
    if (plan.count(Path::heavy) > 0)
      heavy = timed(made.heavy_ms, [&] {
        return work.blocks.empty() ? heavy_(run, around) : in_blocks(run, around, work.blocks, light.clone());
      });
    if (light.defined() && heavy.defined()) {
      const TileGrid grid(features.size(2), features.size(3), tile_);
      made.picture = at::lerp(light, heavy, grid.heavy_weights(plan, spec_.factor).to(light.options()));
    } else {
      made.picture = light.defined() ? light : heavy;
    }
    return made;
  }

  /// The heavy branch on some blocks.
  /// @param around features with a halo. @param picture where its pixels go.
  at::Tensor in_blocks(nn::Run& run, const at::Tensor& around, const std::vector<TileBlock>& blocks,
                       at::Tensor picture) const {
    const int64_t height = around.size(2) - 2 * kHalo, width = around.size(3) - 2 * kHalo;
    const TileGrid grid(height, width, tile_);
    // Tiles at the right and the bottom are made whole.
    const at::Tensor padded =
        at::constant_pad_nd(around, {0, grid.columns() * tile_ - width, 0, grid.rows() * tile_ - height});
    for (auto first = blocks.begin(); first != blocks.end();) {
      const int64_t edge = first->edge, latents = edge * tile_ + 2 * kHalo;
      const auto end = std::find_if(first, blocks.end(), [&](const TileBlock& block) { return block.edge != edge; });
      const auto last = first + batch_of(end - first, edge * edge);
      std::vector<at::Tensor> parts;
      for (auto block = first; block != last; ++block)
        parts.push_back(padded.narrow(2, block->row * tile_, latents).narrow(3, block->column * tile_, latents));
      const at::Tensor made = heavy_(run, at::cat(parts).contiguous(at::MemoryFormat::ChannelsLast));
      for (int64_t i = 0; first != last; ++first, ++i) {
        const at::Tensor place = grid.place(picture, *first, spec_.factor);
        place.copy_(made.slice(0, i, i + 1).slice(2, 0, place.size(2)).slice(3, 0, place.size(3)));
      }
    }
    return picture;
  }

  template <typename Part, typename... More>
  int64_t macs_of(const Part& part, at::IntArrayRef shape, More... more) const {
    nn::Run run = nn::Run::count();
    part(run, at::empty(shape, at::TensorOptions(at::kMeta).dtype(nn::scalar_type(info_.dtype))), more...);
    return run.macs();
  }

  /// A path's cost is a tile's part of a picture that goes that way whole; what tiles cost beside that, with halos of
  /// their own and made both ways, is told apart.
  RoutingStats costs(int64_t height, int64_t width, const PictureRoute& route, const HeavyWork& work) const {
    RoutingStats stats = parameters_;
    const int64_t tiles = route.rows * route.columns, features = trunk_.width();
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
    stats.warm_up_macs = trunk + gate + (stats.light > 0 ? light : 0) + work.macs - stats.macs();
    return stats;
  }

  /// Which tiles are heavy is not known, how many is: none of them may have a neighbour. A threshold may choose them
  /// all.
  at::Tensor count(nn::Run& run, const at::Tensor& features, int64_t tiles) const {
    const int64_t heavy = rule_.most(tiles);
    const at::Tensor around = run.planned(with_halo(features));
    if (heavy == tiles) return heavy_(run, around);
    const at::Tensor light = light_(run, around);
    if (heavy == 0) return light;
    const at::Tensor picture = run.planned(at::empty_like(light));
    if (heavy * block_macs_[0] >= macs_of(heavy_, around.sizes())) {
      const at::Tensor made = heavy_(run, around);
      return run.planned(at::empty_like(light));
    }
    const int64_t edge = tile_ + 2 * kHalo;
    for (int64_t left = heavy; left > 0; left -= batch_of(left, 1))
      heavy_(run, run.planned(at::empty({batch_of(left, 1), features.size(1), edge, edge}, features.options())));
    return run.planned(at::empty_like(light));
  }

  static at::Tensor with_halo(const at::Tensor& features) {
    return at::constant_pad_nd(features, {kHalo, kHalo, kHalo, kHalo}).contiguous(at::MemoryFormat::ChannelsLast);
  }

  HeavyRule rule_;
  RoutingStats parameters_;  ///< what a picture's statistics start from
  int64_t tile_;
  Trunk trunk_;
  Heavy heavy_;
  Light light_;
  TileGate gate_;
  int64_t block_macs_[kLongestBlock] = {};  ///< of the heavy branch, by a block's edge less one
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
