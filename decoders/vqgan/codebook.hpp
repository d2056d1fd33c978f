#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/run.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch::vqgan {

/// The entries that latents are snapped to, always in fp32: half precision would choose other ones. Two kinds: the
/// nearest entry, or the entry with the largest logit (Gumbel), which a 1x1 convolution computes from the latents.
class Codebook {
 public:
  /// Takes quantize.embedding.weight, or quantize.embed.weight and quantize.proj.
  Codebook(nn::WeightLoader& loader, int64_t channels);

  int64_t size() const { return entries_.size(0); }
  bool is_gumbel() const { return logits_weight_.defined(); }

  /// The entry of each latent. @param latents [N, C, h, w] floating point. @return [N, h, w] int64.
  at::Tensor indices_of(nn::Run& run, const at::Tensor& latents) const;
  /// @param indices [N, h, w] int64. @return [N, C, h, w] float32.
  /// @throws TensorError for another shape or dtype, or an index that the codebook has not.
  at::Tensor look_up(const at::Tensor& indices) const;

 private:
  at::Tensor entries_;                      // [size, C]
  at::Tensor logits_weight_, logits_bias_;  // [size, C] and [size], of the Gumbel kind alone
};

}  // namespace lightswitch::vqgan
