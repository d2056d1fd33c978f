#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <algorithm>
#include <array>
#include <string>

#include "core/stopwatch.hpp"

namespace lightswitch {
namespace {

constexpr int kHalvings = 5;  // a share is found to within 1/32

/// Times decoders of one size. Noise scatters heavy tiles as far as any picture does, and with them what tiles that
/// meet cost.
class Measurement {
 public:
  Measurement(const LatentSpec& spec, int64_t height, int64_t width, std::stop_token stop)
      : latents_(at::randn({1, spec.channels, height, width}, at::detail::createCPUGenerator(0))),
        stop_(std::move(stop)) {}

  /// Median of three, after one that packs the weights for this size.
  double ms(const Decoder& decoder) const {
    decoder.forward(latents_, stop_);
    std::array<double, 3> found{};
    for (double& ms : found) {
      if (stop_.stop_requested()) throw Cancelled();
      const Stopwatch watch;
      decoder.forward(latents_, stop_);
      ms = watch.ms();
    }
    std::sort(found.begin(), found.end());
    return found[1];
  }

 private:
  at::Tensor latents_;
  std::stop_token stop_;
};

}  // namespace

SettledBudget settle_budget(const Decoder& decoder, int64_t height, int64_t width, std::stop_token stop) {
  const c10::InferenceMode guard;
  const RoutedDecoding* routing = decoder.routing();
  if (!routing || !routing->budget_ms())
    throw UnsupportedError("this decoder has no budget of time", {"", "budget-ms", "a routed decoder with one", ""});
  const double budget = *routing->budget_ms();
  const Measurement measure(decoder.spec(), height, width, std::move(stop));
  SettledBudget settled;
  const auto take = [&](double share, double ms, std::shared_ptr<const Decoder> with) {
    settled.heavy_share = share;
    settled.ms = ms;
    settled.decoder = std::move(with);
  };
  auto all_light = routing->with_heavy_share(0), all_heavy = routing->with_heavy_share(1);
  settled.light_ms = measure.ms(*all_light);
  settled.heavy_ms = measure.ms(*all_heavy);
  if (settled.light_ms > budget)
    throw OptionError("no share of heavy samples keeps the budget",
                      {"", "budget-ms", "at least " + std::to_string(settled.light_ms) + ", which all light takes here",
                       std::to_string(budget)});
  if (settled.heavy_ms <= budget) {
    take(1, settled.heavy_ms, std::move(all_heavy));
    return settled;
  }
  if (routing->path(Path::light)) {  // pictures are either: the mean over many is what a share decides
    const double share = (budget - settled.light_ms) / (settled.heavy_ms - settled.light_ms);
    take(share, budget, routing->with_heavy_share(share));
    return settled;
  }
  take(0, settled.light_ms, std::move(all_light));
  double too_much = 1;
  for (int i = 0; i < kHalvings; ++i) {
    const double share = (settled.heavy_share + too_much) / 2;
    auto tried = routing->with_heavy_share(share);
    const double ms = measure.ms(*tried);
    if (ms <= budget)
      take(share, ms, std::move(tried));
    else
      too_much = share;
  }
  return settled;
}

}  // namespace lightswitch
