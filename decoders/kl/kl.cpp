#include "kl/kl.hpp"

#include "kl/names.hpp"
#include "kl/networks.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch::kl {
namespace {

constexpr double kStableDiffusionScale = 0.18215;

bool recognises(const WeightSource& weights) {
  return holds(weights, kDecoder) || holds(weights, kEncoder) || holds_compvis_names(weights);
}

}  // namespace

LatentSpec make_spec(int64_t channels, int64_t factor, const Config& config) {
  LatentSpec spec;
  spec.channels = channels;
  spec.factor = factor;
  spec.network_input = LatentKind::raw;
  spec.scaling_factor = kStableDiffusionScale;
  spec.output_range = OutputRange::signed_unit;
  spec.global_operations = true;
  nn::apply_common_config(spec, config);
  return spec;
}

DecoderFamily family() {
  return {
      .name = "kl",
      .summary = "AutoencoderKL, the full VAE of Stable Diffusion and its kin (decoder and encoder, diffusers' names)",
      .recognises = recognises,
      .make_decoder = make_decoder,
      .make_encoder = make_encoder};
}

}  // namespace lightswitch::kl
