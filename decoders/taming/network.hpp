#pragma once

#include <vector>

#include "nn/network.hpp"
#include "taming/layout.hpp"

namespace lightswitch::taming {

/// relu(x + three 3x3 convolutions with ReLU between).
class Block {
 public:
  Block(nn::WeightLoader& loader, const std::string& name, int64_t width);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

 private:
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
