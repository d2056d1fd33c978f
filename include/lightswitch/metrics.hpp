#pragma once

#include <ATen/core/Tensor.h>

namespace lightswitch {

/// How near a picture is to a reference. Pictures are [3, H, W] or [N, 3, H, W] in [0, 1], both of one shape; a batch
/// gives the mean over its pictures.
/// Every function throws TensorError for other shapes and NumericError for NaN or infinity.
/// Distances of whole sets of pictures are in frechet.hpp, those of sounds in audio/metrics.hpp.

/// Peak signal-to-noise ratio in dB; infinity when equal.
double psnr(const at::Tensor& picture, const at::Tensor& reference);

/// What SSIM takes its local statistics with. Figures of different windows cannot be compared.
enum class SsimWindow {
  gaussian,  ///< Wang et al. 2004: 11x11 with sigma 1.5, variances of a population. What papers mean by SSIM
  uniform,   ///< scikit-image's structural_similarity() as called without options: 7x7 equal weights, sample variances
};

/// Structural similarity (Wang et al. 2004): per channel, K1 0.01, K2 0.03, over the windows that lie inside the
/// picture, whose H and W are at least the window's. 1 when equal.
double ssim(const at::Tensor& picture, const at::Tensor& reference, SsimWindow window = SsimWindow::gaussian);

/// Multi-scale SSIM (Wang, Simoncelli, Bovik 2003): per channel, five scales, each the 2x2 means of the one before (an
/// odd row or column is repeated, as the authors' code does), exponents 0.0448 0.2856 0.3001 0.2363 0.1333, the
/// Gaussian window. A scale of negative correlation counts as 0. 1 when equal.
/// @throws TensorError also for H or W below 161, whose fifth scale is smaller than the window.
double ms_ssim(const at::Tensor& picture, const at::Tensor& reference);

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
