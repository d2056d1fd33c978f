#pragma once

#include <lightswitch/decoder.hpp>

#include <vector>

#include "nn/layers.hpp"
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

class TinyDecoder final : public Decoder {
 public:
  TinyDecoder(const NetworkRequest& request, const Layout& layout);

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override;
  int64_t macs(int64_t h, int64_t w) const override;

 private:
  struct UpStage {
    nn::UpsampleConv2d upsample;  ///< not used in the first stage
    std::vector<Block> blocks;
  };
  at::Tensor run_layers(nn::Run& run, const at::Tensor& latents) const;

  LatentSpec spec_;
  NetworkInfo info_;
  at::ScalarType dtype_;
  c10::Device device_;
  nn::Conv2d conv_in_, conv_out_;
  std::vector<UpStage> stages_;
};

class TinyEncoder final : public Encoder {
 public:
  TinyEncoder(const NetworkRequest& request, const Layout& layout);

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& pictures, std::stop_token stop) const override;
  int64_t macs(int64_t height, int64_t width) const override;

 private:
  struct DownStage {
    nn::Conv2d downsample;  ///< not used in the first stage
    std::vector<Block> blocks;
  };
  at::Tensor run_layers(nn::Run& run, const at::Tensor& pictures) const;

  LatentSpec spec_;
  NetworkInfo info_;
  at::ScalarType dtype_;
  c10::Device device_;
  nn::Conv2d conv_in_, conv_out_;
  std::vector<DownStage> stages_;
};

}  // namespace lightswitch::taming
