#pragma once

#include <string>
#include <variant>
#include <vector>

#include "nn/layers.hpp"
#include "vit/layout.hpp"

namespace lightswitch::vit {

/// Of batch norm and RMS norm alike.
constexpr double norm_eps = 1e-5;

/// A bias-less convolution and the norm behind it. Batch norm with running statistics is folded into the convolution in
/// fp32; with the configuration's `bn` = `batch` it takes the statistics of what it is given, as in training.
class NormedConv2d {
 public:
  NormedConv2d() = default;
  /// @param linear the file has the weight of a linear map, [out, in].
  NormedConv2d(nn::WeightLoader& loader, const std::string& conv, const std::string& norm, const nn::ConvShape& shape,
               bool linear = false);
  /// norm(conv(x)) + residual
  at::Tensor operator()(nn::Run& run, const at::Tensor& x, at::Tensor residual) const;
  const nn::Conv2d& conv() const { return conv_; }

 private:
  nn::Conv2d conv_;
  std::variant<std::monostate, nn::RmsNorm2d, nn::GroupNorm> norm_;
};

/// The configuration's `bn`: true for `batch`, false for `running` (what a trained network uses).
/// @throws OptionError for another word, and for `batch` where `has_batch_norm` is false.
bool uses_batch_statistics(const Config& config, bool has_batch_norm);

/// x + normed conv(act(conv(x)))
class ResBlock {
 public:
  ResBlock(nn::WeightLoader& loader, const std::string& name, const Stage& stage);
  at::Tensor operator()(nn::Run& run, at::Tensor x) const;

 private:
  nn::Conv2d expand_;
  NormedConv2d contract_;
};

/// LiteMLA: x + normed 1x1 conv of ReLU linear attention over queries, keys and values, and over their neighbourhoods
/// where the file has them (multi-scale).
class LinearAttention {
 public:
  LinearAttention(nn::WeightLoader& loader, const std::string& name, const Stage& stage);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

 private:
  struct Scale {
    nn::Conv2d neighbourhood, mix;
  };
  int64_t head_size_;
  nn::Conv2d qkv_;
  std::vector<Scale> scales_;
  NormedConv2d project_;
};

/// GLUMBConv: x + normed 1x1 conv of a · act(b), a and b being the halves of depthwise(act(1x1 conv(x))).
class GatedConv {
 public:
  GatedConv(nn::WeightLoader& loader, const std::string& name, const Stage& stage);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

 private:
  nn::Activation act_;
  nn::Conv2d expand_, depthwise_;
  NormedConv2d contract_;
};

/// EViT_GLU: attention, then the gated convolution.
class AttentionBlock {
 public:
  AttentionBlock(nn::WeightLoader& loader, const std::string& name, const Stage& stage);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const { return local_(run, context_(run, x)); }

 private:
  LinearAttention context_;
  GatedConv local_;
};

using Block = std::variant<ResBlock, AttentionBlock>;

/// The blocks of a stage, without its resampler.
class Blocks {
 public:
  Blocks() = default;
  Blocks(nn::WeightLoader& loader, const Stage& stage);
  at::Tensor operator()(nn::Run& run, at::Tensor x) const;

 private:
  std::vector<Block> blocks_;
};

}  // namespace lightswitch::vit
