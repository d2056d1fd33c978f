// What tiles cost: the same 1024x1024 picture decoded whole and in tiles, in turn. `ratio` is the tiles' time by the
// whole picture's, `computed` their multiply-adds by the whole picture's, halos, overlaps and the decode that measures
// shared statistics included: the time they should take. Distances are of pictures in [0, 1]; those of exact tiles are
// rounding. Random weights. Names are tiles/FAMILY/LATENTS/DTYPE.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <lightswitch/decode.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/peak_memory.hpp"
#include "core/stopwatch.hpp"
#include "decoder/tiling.hpp"
#include "harness/program.hpp"
#include "harness/subjects.hpp"

namespace lightswitch::bench {
namespace {

constexpr int64_t kPixels = 1024;

/// Heights, or widths, of the tiles that one axis is cut into.
std::vector<int64_t> extents(const LatentSpec& spec, int64_t edge, const TileOptions& tiles) {
  std::vector<int64_t> sizes;
  if (spec.global_operations) {
    const auto overlap = std::llround(tiles.overlap * static_cast<double>(tiles.size));
    for (const int64_t start : tile_starts(edge, tiles.size, overlap))
      sizes.push_back(std::min(start + tiles.size, edge) - start);
  } else {
    for (const TileSpan& span : tile_spans(edge, tiles.size, spec.halo))
      sizes.push_back(span.read_end - span.read_begin);
  }
  return sizes;
}

double computed_share(const Decoder& decoder, const at::Tensor& latents, const TileOptions& tiles) {
  const auto heights = extents(decoder.spec(), latents.size(2), tiles),
             widths = extents(decoder.spec(), latents.size(3), tiles);
  double macs = 0;
  for (const int64_t height : heights)
    for (const int64_t width : widths) macs += static_cast<double>(decoder.macs(height, width));
  if (decoder.spec().global_operations) {
    const at::Tensor small = thinned(latents, tiles.size);
    macs += static_cast<double>(decoder.macs(small.size(2), small.size(3)));
  }
  return macs / static_cast<double>(decoder.macs(latents.size(2), latents.size(3)));
}

/// Milliseconds, and the peak in MiB, of one decode.
struct Cost {
  double ms, peak;
};

Cost cost_of(const Decoder& decoder, const at::Tensor& latents, const DecodeOptions& options, at::Tensor& picture) {
  picture = at::Tensor();
  const PeakMemory memory;
  const Stopwatch watch;
  picture = decode(decoder, latents, options);
  const double ms = watch.ms();
  return {ms, static_cast<double>(memory.bytes().value_or(0)) / (1 << 20)};
}

void compare(benchmark::State& state, const Subject& subject, int64_t tile, DType dtype) {
  const Contender& one = contender(subject, dtype);
  if (!one.fault.empty()) {
    state.SkipWithError(one.fault.c_str());
    return;
  }
  const int64_t edge = kPixels / one.decoder->spec().factor;
  const auto latents = at::randn({1, one.decoder->spec().channels, edge, edge}, at::detail::createCPUGenerator(1));
  const LatentKind kind = one.decoder->spec().network_input;
  const DecodeOptions whole{.kind = kind}, tiled{.kind = kind, .tiles = {.size = tile}};
  at::Tensor expected, picture;
  // Weights are packed for one size at a time: both ways pay for it in every turn, as in real use.
  cost_of(*one.decoder, latents, tiled, picture);
  for (auto _ : state) {
    const Cost without = cost_of(*one.decoder, latents, whole, expected);
    const Cost with = cost_of(*one.decoder, latents, tiled, picture);
    state.SetIterationTime(with.ms * 1e-3);
    state.counters["ratio"] = with.ms / without.ms;
    state.counters["whole_MiB"] = without.peak;
    state.counters["tiled_MiB"] = with.peak;
  }
  const at::Tensor difference = (picture - expected).to(at::kDouble);
  state.counters["computed"] = computed_share(*one.decoder, latents, tiled.tiles);
  state.counters["max_abs"] = difference.abs().max().item<double>();
  state.counters["dB"] = -10 * std::log10(std::max(difference.square().mean().item<double>(), 1e-20));
}

void register_all() {
  for (const Subject& subject : subjects())
    for (const int64_t tile : {64, 32})
      for (const DType dtype : timed_dtypes())
        register_self_timed("tiles/" + subject.name + "/" + std::to_string(tile) + "/" + to_string(dtype),
                            [&subject, tile, dtype](benchmark::State& state) { compare(state, subject, tile, dtype); });
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
