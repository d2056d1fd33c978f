#include "decoder/latents.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <cmath>

namespace lightswitch {

bool is_finite(const at::Tensor& tensor) {
  // The sum of finite numbers is finite, unless it overflows; cheaper than a mask, and takes no memory.
  return std::isfinite(tensor.sum().item<double>()) || at::isfinite(tensor).all().item<bool>();
}

std::string count_of_bad(const at::Tensor& tensor) {
  const int64_t bad = tensor.numel() - at::isfinite(tensor).sum().item<int64_t>();
  return std::to_string(bad) + " of " + std::to_string(tensor.numel()) + " are NaN or infinite";
}

void require_finite(const at::Tensor& tensor, const char* what) {
  if (!is_finite(tensor)) throw NumericError("not finite", {"", what, "finite numbers", count_of_bad(tensor)});
}

at::Tensor to_network_input(const at::Tensor& latents, LatentKind kind, const LatentSpec& spec) {
  if (kind == LatentKind::indices) return latents;
  const auto x = latents.to(at::kFloat);
  if (kind == spec.network_input) return x;
  return kind == LatentKind::diffusion ? x / spec.scaling_factor + spec.shift_factor
                                       : (x - spec.shift_factor) * spec.scaling_factor;
}

at::Tensor forward_to_unit(const Decoder& decoder, const at::Tensor& latents, LatentKind kind, std::stop_token stop) {
  const LatentSpec& spec = decoder.spec();
  const at::Tensor picture = decoder.forward(to_network_input(latents, kind, spec), std::move(stop));
  return spec.output_range == OutputRange::unit ? picture : picture * 0.5 + 0.5;
}

at::Tensor to_unit(const at::Tensor& picture, OutputRange range) {
  auto unit = range == OutputRange::signed_unit ? (picture * 0.5).add_(0.5) : picture.clone();
  return unit.clamp_(0, 1).contiguous();
}

void require_latents(const at::Tensor& latents, LatentKind kind, const LatentSpec& spec) {
  if (kind == LatentKind::indices || spec.network_input == LatentKind::indices) {
    if (kind != spec.network_input && !(kind == LatentKind::indices && spec.codebook > 0))
      throw TensorError("codebook indices and continuous latents cannot be converted",
                        {"", "kind", to_string(spec.network_input), to_string(kind)});
    if (!latents.defined() || latents.dim() != 3 || latents.scalar_type() != at::kLong || latents.numel() == 0)
      throw TensorError("unusable indices", {"", "indices", "[N, h, w] int64", describe(latents)});
    return;
  }
  const std::string expected = "[N, " + std::to_string(spec.channels) + ", h, w] floating point";
  if (!latents.defined() || latents.dim() != 4 || !latents.is_floating_point() || latents.numel() == 0 ||
      latents.size(1) != spec.channels)
    throw TensorError("unusable latents", {"", "latents", expected, describe(latents)});
  require_finite(latents, "latents");
}

}  // namespace lightswitch
