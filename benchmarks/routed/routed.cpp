// What a share of heavy tiles costs: each share's picture and the all-heavy one decoded in turn by the routed decoder
// of the shipped widths, random weights. `ratio` is its processor time by all heavy's, `computed` its multiply-adds by
// all heavy's: the time it should take. `alone` is what those multiply-adds would be, had every heavy tile a halo of
// its own. Names are routed/MAP/PIXELS/PERCENT/DTYPE: maps of noise are scattered, of soft blobs clustered.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <ctime>
#include <map>
#include <string>

#include "harness/gate.hpp"
#include "harness/program.hpp"
#include "harness/random_weights.hpp"
#include "harness/subjects.hpp"

namespace lightswitch::bench {
namespace {

struct Routed {
  std::shared_ptr<const Decoder> decoder;
  std::string fault;
};

const Routed& routed(DType dtype) {
  static std::map<DType, Routed> made;
  const auto [entry, fresh] = made.try_emplace(dtype);
  if (fresh) {
    const DecoderRegistry registry(builtin_decoder_families());
    const DecoderFamily& family = registry.family("routed");
    entry->second.fault = gate(family, "routed", dtype);
    entry->second.decoder = registry.make_decoder(
        family, {.weights = random_routed(64, 3, {64, 48, 24}, 16), .config = {{"tile", "4"}}, .dtype = dtype});
  }
  return entry->second;
}

at::Tensor latents_of(bool clustered, int64_t edge) {
  const auto generator = at::detail::createCPUGenerator(1);
  if (!clustered) return at::randn({1, 4, edge, edge}, generator);
  return at::upsample_bilinear2d(at::randn({1, 4, edge / 16, edge / 16}, generator), {edge, edge}, false) * 2;
}

struct Cost {
  double ms = 0;  ///< of the processor
  RoutingStats stats;
};

Cost cost_of(const Decoder& decoder, const at::Tensor& latents) {
  Cost cost;
  const std::clock_t begin = std::clock();
  decode(decoder, latents,
         {.kind = LatentKind::raw, .routed = [&](const PictureRoute& route) { cost.stats = route.stats; }});
  cost.ms = 1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  return cost;
}

void compare(benchmark::State& state, bool clustered, int64_t pixels, int64_t percent, DType dtype) {
  const Routed& one = routed(dtype);
  if (!one.fault.empty()) {
    state.SkipWithError(one.fault.c_str());
    return;
  }
  const auto share = one.decoder->routing()->with_heavy_share(static_cast<double>(percent) / 100);
  const auto heavy = one.decoder->routing()->with_heavy_share(1);
  const at::Tensor latents = latents_of(clustered, pixels / 8);
  const at::Tensor tile = latents.slice(2, 0, 4).slice(3, 0, 4);
  cost_of(*share, latents);
  cost_of(*heavy, latents);
  Cost with, all;
  for (auto _ : state) {
    all = cost_of(*heavy, latents);
    with = cost_of(*share, latents);
    state.SetIterationTime(with.ms * 1e-3);
    state.counters["ratio"] = with.ms / all.ms;
  }
  const auto whole = static_cast<double>(all.stats.macs());
  // A lone tile's heavy branch is what the picture of one tile costs, less its trunk and gate.
  const RoutingStats lone = cost_of(*heavy, tile).stats;
  state.counters["computed"] = static_cast<double>(with.stats.macs()) / whole;
  state.counters["alone"] =
      static_cast<double>(with.stats.samples() * (with.stats.shared_cost.macs + with.stats.gate_cost.macs) +
                          (with.stats.light > 0 ? with.stats.samples() * with.stats.light_cost.macs : 0) +
                          with.stats.heavy * lone.heavy_cost.macs) /
      whole;
}

void register_all() {
  for (const bool clustered : {false, true})
    for (const int64_t pixels : {256, 512})
      for (const int64_t percent : {0, 10, 20, 30, 50, 70, 90})
        for (const DType dtype : timed_dtypes())
          register_self_timed("routed/" + std::string(clustered ? "clustered/" : "scattered/") +
                                  std::to_string(pixels) + "/" + std::to_string(percent) + "/" + to_string(dtype),
                              [=](benchmark::State& state) { compare(state, clustered, pixels, percent, dtype); });
}

}  // namespace
}  // namespace lightswitch::bench

int main(int argc, char** argv) {
  return lightswitch::bench::run_program(argc, argv, lightswitch::bench::register_all);
}
