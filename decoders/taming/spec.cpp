#include "taming/spec.hpp"

#include <ATen/ATen.h>

namespace lightswitch::taming {

LatentSpec make_spec(const Layout& layout, int64_t latent_channels, const Config& config) {
  LatentSpec spec;
  spec.channels = latent_channels;
  spec.factor = layout.factor();
  spec.network_input = LatentKind::diffusion;
  spec.output_range = OutputRange::unit;
  spec.global_operations = layout.pools();
  nn::apply_common_config(spec, config);
  return spec;
}

/// Followed from the output to the input, one convolution at a time.
int64_t halo(const Layout& layout) {
  int64_t reach = 1;  // conv_out
  for (auto stage = layout.stages.rbegin(); stage != layout.stages.rend(); ++stage) {
    reach += 3 * static_cast<int64_t>(stage->blocks.size());
    reach += 1;  // conv_in, or the convolution behind the upsampling
    if (!stage->resample.empty()) reach = (reach + 1) / 2;
  }
  return reach;
}

at::Tensor bounded(const at::Tensor& latents) {
  constexpr double bound = 3.0;
  return at::div(latents, bound).tanh_().mul_(bound);
}

}  // namespace lightswitch::taming
