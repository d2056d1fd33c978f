#include "decoder/latents.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

namespace lightswitch {

std::string describe(const at::Tensor& tensor) {
  return tensor.defined() ? c10::str(tensor.sizes(), " ", tensor.scalar_type()) : "an undefined tensor";
}

void require_finite(const at::Tensor& tensor, const char* what) {
  // A sum is finite only if every element is, barring overflow of the double it is taken in; cheaper than a mask.
  if (!std::isfinite(tensor.sum(at::kDouble).item<double>())) {
    const int64_t bad = tensor.numel() - at::isfinite(tensor).sum().item<int64_t>();
    throw NumericError("not finite",
                       {"", what, "finite numbers",
                        std::to_string(bad) + " of " + std::to_string(tensor.numel()) + " are NaN or infinite"});
  }
}

at::Tensor to_network_input(const at::Tensor& latents, LatentKind kind, const LatentSpec& spec) {
  if (kind == LatentKind::indices) return latents;
  const auto x = latents.to(at::kFloat);
  if (kind == spec.network_input) return x;
  return kind == LatentKind::diffusion ? x / spec.scaling_factor + spec.shift_factor
                                       : (x - spec.shift_factor) * spec.scaling_factor;
}

at::Tensor to_unit(const at::Tensor& picture, OutputRange range) {
  auto unit = range == OutputRange::signed_unit ? picture * 0.5 + 0.5 : picture.clone();
  return unit.clamp_(0, 1).contiguous();
}

}  // namespace lightswitch
