#pragma once

#include <lightswitch/decoder.hpp>
#include <lightswitch/routing.hpp>

#include <memory>
#include <string>

namespace lightswitch {

/// Two decoders of one latent space and the gate between them.
struct PairParts {
  std::shared_ptr<const Decoder> light, heavy;
  std::shared_ptr<const Gate> gate;

  /// What both are as one decoder: of diffusion latents, in unit range.
  /// @throws UnsupportedError for decoders of different spaces (channels, factor, name, scaling) and of indices.
  LatentSpec spec() const;
  NetworkInfo info(const std::string& rule) const;
  /// What the gate is given. @throws TensorError unless latents are [N, C, h, w] floating point.
  at::Tensor to_diffusion(const at::Tensor& latents, LatentKind kind) const;
};

}  // namespace lightswitch
