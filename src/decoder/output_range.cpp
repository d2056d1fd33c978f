#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/noise.hpp>

namespace lightswitch {
namespace {

constexpr int64_t kEdge = 16;  // latents
/// Decoders of [0, 1] overshoot a little; this far below zero few of their numbers lie.
constexpr double kOvershoot = 0.1;
/// Shares of the numbers below that. TAESD's decoder has 0.001 in [0, 1] and 0.49 in [-1, 1].
constexpr double kMostOfUnit = 0.02, kLeastOfSigned = 0.2;

}  // namespace

std::optional<OutputRange> guess_output_range(const Decoder& decoder, std::stop_token stop) {
  const c10::InferenceMode guard;
  const LatentSpec& spec = decoder.spec();
  if (spec.network_input == LatentKind::indices) return std::nullopt;
  at::Tensor latents = NoiseSource(0, 1).draw({spec.channels, kEdge, kEdge});
  if (spec.network_input == LatentKind::raw) latents = latents / spec.scaling_factor + spec.shift_factor;
  const at::Tensor pictures = decoder.forward(latents, std::move(stop));
  const double below = pictures.lt(-kOvershoot).to(at::kFloat).mean().item<double>();
  if (!at::isfinite(pictures).all().item<bool>()) return std::nullopt;
  if (below <= kMostOfUnit) return OutputRange::unit;
  return below >= kLeastOfSigned ? std::optional(OutputRange::signed_unit) : std::nullopt;
}

}  // namespace lightswitch
