#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder.hpp>

#include "nn/network.hpp"
#include "taming/layout.hpp"

/// What the networks of this room have in common.
namespace lightswitch::taming {

inline constexpr const char* kName = "taming";

LatentSpec make_spec(const Layout& layout, int64_t latent_channels, const Config& config);

/// Latents on each side that an output pixel of a decoder sees.
int64_t halo(const Layout& layout);

/// Latents squeezed softly into (-3, 3), as every decoder begins.
at::Tensor bounded(const at::Tensor& latents);

}  // namespace lightswitch::taming
