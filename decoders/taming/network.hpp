#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/network.hpp"
#include "taming/layout.hpp"

namespace lightswitch::taming {

/// relu(y + three 3x3 convolutions of y with ReLU between), y being x or, where the block pools, x plus a widening 1x1
/// convolution, group norm, ReLU and a narrowing one.
class Block {
 public:
  Block(nn::WeightLoader& loader, const BlockLayer& layer, int64_t width);
  at::Tensor operator()(nn::Run& run, at::Tensor x) const;

 private:
  struct Pool {
    nn::Conv2d widen;
    nn::GroupNorm norm;
    nn::Conv2d narrow;
  };
  std::optional<Pool> pool_;
  nn::Conv2d first_, second_, third_;
};

class TinyDecoder final : public nn::DecoderNetwork {
 public:
  TinyDecoder(const NetworkRequest& request, const Layout& layout);

 private:
  struct UpStage {
    nn::UpsampleConv2d upsample;  ///< not used in the first stage
    std::vector<Block> blocks;
  };
  at::Tensor pass(nn::Run& run, const at::Tensor& x) const override;

  nn::Conv2d conv_in_, conv_out_;
  std::vector<UpStage> stages_;
};

class TinyEncoder final : public nn::EncoderNetwork {
 public:
  TinyEncoder(const NetworkRequest& request, const Layout& layout);

 private:
  struct DownStage {
    nn::Conv2d downsample;  ///< not used in the first stage
    std::vector<Block> blocks;
  };
  at::Tensor pass(nn::Run& run, const at::Tensor& x) const override;

  nn::Conv2d conv_in_, conv_out_;
  std::vector<DownStage> stages_;
};

}  // namespace lightswitch::taming
