#include "decoder/pair_parts.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "decoder/latents.hpp"

namespace lightswitch {
namespace {

template <typename Value>
void require_equal(const char* what, const Value& light, const Value& heavy) {
  if (light != heavy)
    throw UnsupportedError("light and heavy decoder are not of one latent space",
                           {"", what, c10::str(heavy) + ", as the heavy one has", c10::str(light)});
}

}  // namespace

LatentSpec PairParts::spec() const {
  const LatentSpec &light = this->light->spec(), &heavy = this->heavy->spec();
  for (const LatentSpec* spec : {&light, &heavy})
    if (spec->network_input == LatentKind::indices)
      throw UnsupportedError("a pair is routed by continuous latents",
                             {"", spec == &light ? "light" : "heavy", "raw or diffusion latents", "indices"});
  require_equal("channels", light.channels, heavy.channels);
  require_equal("factor", light.factor, heavy.factor);
  if (!light.space.empty() && !heavy.space.empty()) require_equal("space", light.space, heavy.space);
  if (light.network_input == LatentKind::raw && heavy.network_input == LatentKind::raw) {
    require_equal("scaling_factor", light.scaling_factor, heavy.scaling_factor);
    require_equal("shift_factor", light.shift_factor, heavy.shift_factor);
  }
  LatentSpec spec = heavy.network_input == LatentKind::raw ? heavy : light;  // the one that knows the scale
  if (spec.space.empty()) spec.space = light.space.empty() ? heavy.space : light.space;
  spec.network_input = LatentKind::diffusion;
  spec.output_range = OutputRange::unit;
  spec.codebook = 0;
  spec.halo = std::max(light.halo, heavy.halo);
  spec.global_operations = light.global_operations || heavy.global_operations;
  return spec;
}

NetworkInfo PairParts::info(const std::string& rule) const {
  NetworkInfo info = heavy->info();
  info.family = "routed";
  info.configuration = light->info().family + " and " + heavy->info().family + ", " + rule;
  info.parameters =
      light->info().parameters + heavy->info().parameters + gate->cost({heavy->spec().channels, 1, 1}).parameters;
  info.skipped.clear();
  return info;
}

at::Tensor PairParts::to_diffusion(const at::Tensor& latents, LatentKind kind) const {
  if (!latents.defined() || latents.dim() != 4 || !latents.is_floating_point())
    throw TensorError("unusable latents", {"", "latents", "[N, C, h, w] floating point", describe(latents)});
  return to_network_input(latents, kind, spec());
}

}  // namespace lightswitch
