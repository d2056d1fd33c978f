#pragma once

#include <string>
#include <variant>

#include "nn/layers.hpp"

namespace lightswitch::vit {

/// Convolution plus the "duplicating" shortcut (each input channel repeated until there are as many as outputs). The
/// shortcut is a linear map of one pixel, so it is added to the centre of the kernel at load.
nn::Conv2d duplicating_conv(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out);

/// Convolution plus the "averaging" shortcut (groups of input channels averaged), in one kernel likewise.
nn::Conv2d averaging_conv(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out);

/// Twice the size: ConvPixelShuffle (four times the channels, then a shuffle) or InterpolateConv (nearest, then a
/// convolution), whichever the file's shape shows; with a duplicating shortcut or without one.
class Upsample {
 public:
  Upsample() = default;
  Upsample(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out, bool shortcut);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;
  /// Input pixels on each side that reach `radius` output pixels beyond the border.
  int64_t reach(int64_t radius) const;

 private:
  std::variant<nn::Conv2d, nn::UpsampleConv2d> conv_;
  int64_t repeats_ = 0;  ///< of an interpolation's shortcut; 0 without one
};

/// Half the size: ConvPixelUnshuffle (a quarter of the channels, then an unshuffle) or Conv (of stride 2), whichever
/// the file's shape shows; with an averaging shortcut or without one.
class Downsample {
 public:
  Downsample() = default;
  Downsample(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out, bool shortcut);
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

 private:
  nn::Conv2d conv_;
  bool unshuffles_ = true;
  int64_t group_ = 0;  ///< unshuffled channels averaged by the shortcut; 0 without one
};

}  // namespace lightswitch::vit
