#pragma once

#include <ATen/core/Tensor.h>

#include "nn/autoencoder/decoder_half.hpp"
#include "nn/autoencoder/spatio_temporal_block.hpp"

namespace lightswitch::svd {

/// The decoder of AutoencoderKLTemporalDecoder: latents [T, C, h, w], consecutive frames of one clip, to pictures.
class Frames {
 public:
  using Half = nn::autoencoder::DecoderHalf<nn::autoencoder::SpatioTemporalBlock>;

  explicit Frames(nn::WeightLoader& loader) : half_(loader), time_conv_out_(loader, "time_conv_out", 3) {}

  at::Tensor operator()(nn::Run& run, const at::Tensor& latents) const {
    return time_conv_out_(run, half_(run, latents));
  }
  const Half& half() const { return half_; }
  const nn::autoencoder::TemporalConv& time_conv_out() const { return time_conv_out_; }

 private:
  Half half_;
  nn::autoencoder::TemporalConv time_conv_out_;
};

}  // namespace lightswitch::svd
