#pragma once

#include <string>

#include "nn/autoencoder/blocks.hpp"

namespace lightswitch::nn::autoencoder {

/// A 3-tap convolution along time, weights [out, in, 3, 1, 1]; beyond the ends there are zeros.
class TemporalConv {
 public:
  /// @param scale what weights and bias are multiplied by.
  TemporalConv(WeightLoader& loader, const std::string& name, int64_t channels, double scale = 1);
  /// @param frames [T, C, H, W], consecutive frames of one clip.
  at::Tensor operator()(Run& run, const at::Tensor& frames) const;

 private:
  std::string name_;
  at::Tensor weight_, bias_;
};

/// A residual block on each frame, then one along time, mixed by a learned factor. The batch is the frames of one clip;
/// the temporal norms take their statistics over all of them.
class SpatioTemporalBlock {
 public:
  static constexpr const char* kFirstConvolution = "spatial_res_block.conv1.weight";

  SpatioTemporalBlock(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, const Plan& plan);
  /// @param frames [T, in, H, W]. @return [T, out, H, W].
  at::Tensor operator()(Run& run, const at::Tensor& frames) const;

 private:
  ResidualBlock spatial_;
  GroupNorm norm1_, norm2_;
  TemporalConv conv1_, conv2_;
};

}  // namespace lightswitch::nn::autoencoder
