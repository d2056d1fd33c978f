#pragma once

#include <lightswitch/decoder.hpp>

#include <optional>
#include <string>
#include <vector>

#include "nn/autoencoder/spatio_temporal_block.hpp"
#include "taming/network.hpp"

namespace lightswitch::taming {

/// DecoderTinyTemporal of arXiv 2503.04871: AutoencoderTiny's decoder with bilinear upsampling and, behind the first of
/// it, a middle of spatio-temporal blocks around attention within each frame.
class TemporalNetwork {
 public:
  /// The middle sees the frames that come together.
  static constexpr bool depends_on_chunks = true;
  struct Memory {};

  TemporalNetwork(nn::WeightLoader& loader, const Layout& layout);
  LatentSpec spec(const Layout& layout, const Config& config) const;
  std::string description(const Layout& layout) const;
  int64_t frames(int64_t latents) const { return latents; }
  at::Tensor operator()(nn::Run& run, const at::Tensor& latents, Memory& memory) const;

 private:
  struct UpStage {
    nn::Conv2d conv;  ///< behind the upsampling; not used in the first stage
    std::vector<Block> blocks;
  };
  struct Middle {
    nn::autoencoder::SpatioTemporalBlock first;
    nn::autoencoder::AttentionBlock attention;  ///< within each frame
    nn::autoencoder::SpatioTemporalBlock second;
  };

  at::Tensor up(nn::Run& run, const UpStage& stage, const at::Tensor& x) const;
  at::Tensor before_middle(nn::Run& run, const at::Tensor& latent) const;
  at::Tensor after_middle(nn::Run& run, at::Tensor x) const;

  nn::Conv2d conv_in_, conv_out_;
  std::vector<UpStage> stages_;
  std::optional<Middle> middle_;  ///< always there once built
};

}  // namespace lightswitch::taming
