#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/layers.hpp"

namespace lightswitch::nn::autoencoder {

/// Facts about a network that its layers need and single tensors do not show.
struct Plan {
  int64_t groups = 32;
  double eps = 1e-6;
};

/// Reads norm_num_groups and refuses an activation other than SiLU and norms other than group norm. @throws
/// OptionError, UnsupportedError.
Plan read_plan(const WeightLoader& loader);

/// Group norm with SiLU. @throws OptionError when the groups do not divide the channels.
GroupNorm norm_silu(WeightLoader& loader, const std::string& name, int64_t channels, const Plan& plan);

/// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1x1 convolution on the shortcut where the width changes.
class ResidualBlock {
 public:
  static constexpr const char* kFirstConvolution = "conv1.weight";

  ResidualBlock(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, const Plan& plan);
  at::Tensor operator()(Run& run, at::Tensor x) const;

 private:
  GroupNorm norm1_, norm2_;
  Conv2d conv1_, conv2_, shortcut_;
  bool widens_;
};

/// Self-attention over all pixels of each picture.
class AttentionBlock {
 public:
  AttentionBlock(WeightLoader& loader, const std::string& name, int64_t channels, const Plan& plan, int64_t heads = 1);
  at::Tensor operator()(Run& run, const at::Tensor& x) const;

 private:
  GroupNorm norm_;
  Conv2d qkv_, out_;
  int64_t heads_;
};

/// Output widths of NAME.0, NAME.1, …, read from the tensor `first_convolution` of their first blocks
/// (see WeightLoader::axis_of for `fallback`).
std::vector<int64_t> stage_widths(const WeightLoader& loader, const std::string& name,
                                  const std::string& first_convolution, int64_t fallback);

}  // namespace lightswitch::nn::autoencoder
