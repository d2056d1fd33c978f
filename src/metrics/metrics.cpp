#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/metrics.hpp>

#include <cmath>

#include "metrics/pair.hpp"

namespace lightswitch {
namespace {

constexpr int64_t kWindow = 11;
constexpr double kSigma = 1.5, kK1 = 0.01, kK2 = 0.03;

at::Tensor gaussian() {
  const at::Tensor place = at::arange(kWindow, at::kDouble) - (kWindow / 2);
  const at::Tensor weights = at::exp(-place.square() / (2 * kSigma * kSigma));
  return weights / weights.sum();
}

/// Means over the windows of [M, 1, H, W], rows and columns apart.
at::Tensor window_mean(const at::Tensor& x) {
  const at::Tensor weights = gaussian();
  return at::conv2d(at::conv2d(x, weights.view({1, 1, 1, -1})), weights.view({1, 1, -1, 1}));
}

at::Tensor metric_batch(const at::Tensor& picture, const char* name) {
  const bool fits = picture.defined() && picture.is_floating_point() && picture.numel() > 0 &&
                    (picture.dim() == 3 || picture.dim() == 4) && picture.size(-3) == 3;
  if (!fits)
    throw TensorError("unusable picture",
                      {"", name, "[3, H, W] or [N, 3, H, W] floating point",
                       picture.defined() ? c10::str(picture.sizes(), " ", picture.scalar_type()) : "undefined"});
  if (!at::isfinite(picture).all().item<bool>())
    throw NumericError("not finite", {"", name, "finite numbers", "NaN or infinity"});
  return picture.dim() == 3 ? picture.unsqueeze(0) : picture;
}

}  // namespace

MetricPair metric_pair(const at::Tensor& picture, const at::Tensor& reference) {
  MetricPair pair{metric_batch(picture, "picture"), metric_batch(reference, "reference")};
  if (pair.picture.sizes() != pair.reference.sizes())
    throw TensorError("pictures of different shapes cannot be compared",
                      {"", "picture", c10::str(pair.reference.sizes()), c10::str(pair.picture.sizes())});
  return pair;
}

double psnr(const at::Tensor& picture, const at::Tensor& reference) {
  const MetricPair pair = metric_pair(picture, reference);
  const at::Tensor error = (pair.picture.to(at::kDouble) - pair.reference.to(at::kDouble)).square().flatten(1).mean(1);
  return (-10 * at::log10(error)).mean().item<double>();
}

double ssim(const at::Tensor& picture, const at::Tensor& reference) {
  const MetricPair pair = metric_pair(picture, reference);
  const int64_t height = pair.picture.size(2), width = pair.picture.size(3);
  if (height < kWindow || width < kWindow)
    throw TensorError("too small for the window",
                      {"", "picture", "11x11 pixels or more", c10::str(width, "x", height)});
  const auto channels = [&](const at::Tensor& x) { return x.to(at::kDouble).reshape({-1, 1, height, width}); };
  const at::Tensor x = channels(pair.picture), y = channels(pair.reference);
  const at::Tensor mean_x = window_mean(x), mean_y = window_mean(y);
  const at::Tensor variances = window_mean(x * x) - mean_x.square() + window_mean(y * y) - mean_y.square();
  const at::Tensor covariance = window_mean(x * y) - mean_x * mean_y;
  constexpr double c1 = kK1 * kK1, c2 = kK2 * kK2;
  const at::Tensor map = (2 * mean_x * mean_y + c1) * (2 * covariance + c2) /
                         ((mean_x.square() + mean_y.square() + c1) * (variances + c2));
  return map.mean().item<double>();
}

double flicker(const at::Tensor& clip, const at::Tensor& reference) {
  const MetricPair pair = metric_pair(clip, reference);
  const int64_t changes = pair.picture.size(0) - 1;
  if (changes < 1) throw TensorError("one frame does not change", {"", "clip", "2 frames or more", "1"});
  const at::Tensor error = pair.picture.to(at::kDouble) - pair.reference.to(at::kDouble);
  return (error.narrow(0, 1, changes) - error.narrow(0, 0, changes)).abs().mean().item<double>();
}

}  // namespace lightswitch
