#pragma once

#include <ATen/core/Tensor.h>

namespace lightswitch {

/// How near a picture is to a reference. Pictures are [3, H, W] or [N, 3, H, W] in [0, 1], both of one shape; a batch
/// gives the mean over its pictures.
/// Every function throws TensorError for other shapes and NumericError for NaN or infinity.

/// Peak signal-to-noise ratio in dB; infinity when equal.
double psnr(const at::Tensor& picture, const at::Tensor& reference);

/// Structural similarity (Wang et al. 2004): per channel, Gaussian window of 11x11 with sigma 1.5, K1 0.01, K2 0.03,
/// windows that lie inside the picture; H and W are at least 11. 1 when equal.
double ssim(const at::Tensor& picture, const at::Tensor& reference);

/// How differently a clip changes from frame to frame: the mean over pixels, channels and successive frames of
/// |(c[t+1] - c[t]) - (r[t+1] - r[t])|. 0 when equal, and for clips that differ by the same picture in every frame.
/// @param clip, reference [T, 3, H, W] in [0, 1], successive frames. @throws TensorError also for T below 2.
double flicker(const at::Tensor& clip, const at::Tensor& reference);

/// A learned distance such as LPIPS. See load_picture_distance() in torchscript.hpp.
class PictureDistance {
 public:
  virtual ~PictureDistance() = default;
  /// 0 when equal.
  virtual double operator()(const at::Tensor& picture, const at::Tensor& reference) const = 0;
};

}  // namespace lightswitch
