#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/layers.hpp"

/// What the decoder and the encoder of an AutoencoderKL have in common.
namespace lightswitch::kl {

/// Facts about a network that its layers need and single tensors do not show.
struct Plan {
  int64_t groups = 32;
  double eps = 1e-6;
};

/// Reads norm_num_groups and refuses an activation other than SiLU. @throws OptionError, UnsupportedError.
Plan read_plan(const nn::WeightLoader& loader);

/// Group norm with SiLU. @throws OptionError when the groups do not divide the channels.
nn::GroupNorm norm_silu(nn::WeightLoader& loader, const std::string& name, int64_t channels, const Plan& plan);

/// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1x1 convolution on the shortcut where the width changes.
class ResidualBlock {
 public:
  ResidualBlock(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out, const Plan& plan);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

 private:
  nn::GroupNorm norm1_, norm2_;
  nn::Conv2d conv1_, conv2_, shortcut_;
  bool widens_;
};

/// Self-attention over all pixels with one head.
class AttentionBlock {
 public:
  AttentionBlock(nn::WeightLoader& loader, const std::string& name, int64_t channels, const Plan& plan);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

 private:
  nn::GroupNorm norm_;
  nn::Conv2d qkv_, out_;
};

/// Residual block, attention where the file has it, residual block.
class MidBlock {
 public:
  MidBlock(nn::WeightLoader& loader, int64_t channels, const Plan& plan);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;
  bool attends() const { return !attention_.empty(); }

 private:
  std::vector<ResidualBlock> resnets_;
  std::vector<AttentionBlock> attention_;  // none or one
};

/// The residual blocks of one resolution, counted in the file: NAME.resnets.0, .1, …
std::vector<ResidualBlock> load_resnets(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out,
                                        const Plan& plan);

/// Output widths of NAME.0, NAME.1, …, read from their first convolutions.
std::vector<int64_t> stage_widths(const nn::WeightLoader& loader, const std::string& name);

/// Width of the middle block.
int64_t mid_width(const nn::WeightLoader& loader);

/// One axis of a stored convolution's weight, or `fallback` when it has no such axis.
int64_t conv_axis(const nn::WeightLoader& loader, const std::string& name, size_t axis, int64_t fallback);

/// One line for NetworkInfo: "128-256-512-512, 3 blocks each, attention".
std::string describe(const std::vector<int64_t>& widths, size_t blocks, bool attends);

}  // namespace lightswitch::kl
