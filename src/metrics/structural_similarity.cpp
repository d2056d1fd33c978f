#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/metrics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "metrics/pair.hpp"

namespace lightswitch {
namespace {

constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;
constexpr std::array kExponents = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};  // Wang et al. 2003, section 3.2

struct Window {
  std::vector<double> weights;  ///< along either axis; their sum is 1
  double variance_factor = 1;   ///< what makes the estimates those of a sample

  int64_t size() const { return static_cast<int64_t>(weights.size()); }
};

Window make_window(SsimWindow kind) {
  if (kind == SsimWindow::uniform) {
    constexpr int64_t kSide = 7, kPixels = kSide * kSide;
    return {std::vector<double>(kSide, 1.0 / kSide), static_cast<double>(kPixels) / (kPixels - 1)};
  }
  constexpr int64_t kReach = 5;
  constexpr double kSigma = 1.5;
  Window window;
  double sum = 0;
  for (int64_t i = -kReach; i <= kReach; ++i) {
    window.weights.push_back(std::exp(-static_cast<double>(i * i) / (2 * kSigma * kSigma)));
    sum += window.weights.back();
  }
  for (double& weight : window.weights) weight /= sum;
  return window;
}

/// Shifted sums: a convolution in double precision would first copy every window.
at::Tensor means_along(const at::Tensor& plane, const Window& window, int64_t axis) {
  const int64_t length = plane.size(axis) - window.size() + 1;
  at::Tensor sum = plane.narrow(axis, 0, length) * window.weights[0];
  for (int64_t i = 1; i < window.size(); ++i) sum.add_(plane.narrow(axis, i, length), window.weights[i]);
  return sum;
}

at::Tensor means(const at::Tensor& plane, const Window& window) {
  return means_along(means_along(plane, window, 0), window, 1);
}

/// Means over a plane.
struct Similarity {
  double whole = 0;      ///< luminance, contrast and structure: SSIM
  double structure = 0;  ///< contrast and structure alone
};

/// @param x, y [H, W] in double precision.
Similarity similarity(const at::Tensor& x, const at::Tensor& y, const Window& window) {
  const at::Tensor mean_x = means(x, window), mean_y = means(y, window);
  const at::Tensor product = mean_x * mean_y, squares = mean_x.square() + mean_y.square();
  const at::Tensor variances = (means(x.square() + y.square(), window) - squares) * window.variance_factor;
  const at::Tensor covariance = (means(x * y, window) - product) * window.variance_factor;
  const at::Tensor structure = (2 * covariance + kC2) / (variances + kC2);
  const at::Tensor luminance = (2 * product + kC1) / (squares + kC1);
  return {(luminance * structure).mean().item<double>(), structure.mean().item<double>()};
}

/// Mean of `measure` over the planes of two batches, one plane at a time, which bounds the memory.
template <typename Measure>
double mean_over_planes(const MetricPair& pair, const Measure& measure) {
  const at::Tensor x = pair.picture.flatten(0, 1), y = pair.reference.flatten(0, 1);
  double sum = 0;
  for (int64_t i = 0; i < x.size(0); ++i) sum += measure(x[i].to(at::kDouble), y[i].to(at::kDouble));
  return sum / static_cast<double>(x.size(0));
}

void require_size(const at::Tensor& picture, int64_t least, const char* why) {
  const int64_t height = picture.size(2), width = picture.size(3);
  if (std::min(height, width) < least)
    throw TensorError(why,
                      {"", "picture", c10::str(least, "x", least, " pixels or more"), c10::str(width, "x", height)});
}

/// 2x2 means; what an odd size leaves over is averaged among itself.
at::Tensor halved(const at::Tensor& plane) {
  return at::avg_pool2d(plane.unsqueeze(0), {2, 2}, {2, 2}, 0, true, false).squeeze(0);
}

double multi_scale(at::Tensor x, at::Tensor y, const Window& window) {
  double product = 1;
  for (size_t scale = 0; scale < kExponents.size(); ++scale) {
    if (scale > 0) {
      x = halved(x);
      y = halved(y);
    }
    const Similarity at_scale = similarity(x, y, window);
    const double factor = scale + 1 == kExponents.size() ? at_scale.whole : at_scale.structure;
    product *= std::pow(std::max(factor, 0.0), kExponents[scale]);
  }
  return product;
}

}  // namespace

double ssim(const at::Tensor& picture, const at::Tensor& reference, SsimWindow kind) {
  const MetricPair pair = metric_pair(picture, reference);
  const Window window = make_window(kind);
  require_size(pair.picture, window.size(), "too small for the window");
  return mean_over_planes(pair,
                          [&](const at::Tensor& x, const at::Tensor& y) { return similarity(x, y, window).whole; });
}

double ms_ssim(const at::Tensor& picture, const at::Tensor& reference) {
  const MetricPair pair = metric_pair(picture, reference);
  const Window window = make_window(SsimWindow::gaussian);
  const int64_t last = int64_t{1} << (kExponents.size() - 1);  // pixels to one of the last scale, rounded up
  require_size(pair.picture, last * (window.size() - 1) + 1, "too small for five scales");
  return mean_over_planes(pair, [&](const at::Tensor& x, const at::Tensor& y) { return multi_scale(x, y, window); });
}

}  // namespace lightswitch
