#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder.hpp>

#include <stop_token>

namespace lightswitch {

/// A normal distribution over latents, each number on its own.
struct LatentPosterior {
  at::Tensor mean;       ///< [N, C, h, w] float32, the mode
  at::Tensor deviation;  ///< of mean's shape; undefined for an encoder that gives one point
};

/// What an Encoder is besides, when its network describes a distribution (AutoencoderKL): forward() gives its mean.
class PosteriorEncoder {
 public:
  virtual ~PosteriorEncoder() = default;
  /// @param pictures as Encoder::forward takes them. @return in the encoder's own space. @throws Cancelled.
  virtual LatentPosterior posterior(const at::Tensor& pictures, std::stop_token stop = {}) const = 0;
};

/// encode() to diffusion space with the deviation beside it: diffusers starts image to image from a sample.
/// @throws as encode().
LatentPosterior encode_posterior(const Encoder& encoder, const at::Tensor& pictures, std::stop_token stop = {});

}  // namespace lightswitch
