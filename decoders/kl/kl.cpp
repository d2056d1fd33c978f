#include "kl/kl.hpp"

#include <lightswitch/error.hpp>

#include "kl/names.hpp"
#include "kl/networks.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch::kl {
namespace {

constexpr size_t kMostStages = 16;
constexpr double kStableDiffusionScale = 0.18215;

bool recognises(const WeightSource& weights) {
  return holds(weights, kDecoder) || holds(weights, kEncoder) || holds_compvis_names(weights);
}

}  // namespace

LatentSpec make_spec(int64_t channels, size_t stages, const NetworkRequest& request) {
  if (stages < 1 || stages > kMostStages)
    throw WeightsError("not a usable number of stages",
                       {request.weights->origin(), "", "1 to " + std::to_string(kMostStages), std::to_string(stages)});
  LatentSpec spec;
  spec.channels = channels;
  spec.factor = int64_t(1) << (stages - 1);
  spec.network_input = LatentKind::raw;
  spec.scaling_factor = kStableDiffusionScale;
  spec.output_range = OutputRange::signed_unit;
  spec.global_operations = true;
  nn::apply_common_config(spec, request.config);
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
