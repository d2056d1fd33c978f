#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/metrics.hpp>

#include <cmath>
#include <limits>

#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

at::Tensor picture(int64_t height, int64_t width, uint64_t seed = 0) {
  return random_tensor({3, height, width}, seed).sigmoid();
}

/// Wang et al.'s definition, window by window, pixel by pixel.
double plain_ssim(const at::Tensor& x, const at::Tensor& y) {
  const int64_t height = x.size(1), width = x.size(2);
  double weights[11][11], total = 0, sum = 0;
  for (int i = 0; i < 11; ++i)
    for (int j = 0; j < 11; ++j)
      total += weights[i][j] = std::exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / (2 * 1.5 * 1.5));
  const auto a = x.accessor<float, 3>(), b = y.accessor<float, 3>();
  int64_t windows = 0;
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t top = 0; top + 11 <= height; ++top) {
      for (int64_t left = 0; left + 11 <= width; ++left) {
        double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
        for (int i = 0; i < 11; ++i) {
          for (int j = 0; j < 11; ++j) {
            const double w = weights[i][j] / total, p = a[c][top + i][left + j], q = b[c][top + i][left + j];
            mean_a += w * p;
            mean_b += w * q;
            aa += w * p * p;
            bb += w * q * q;
            ab += w * p * q;
          }
        }
        const double variance = aa - mean_a * mean_a + bb - mean_b * mean_b, covariance = ab - mean_a * mean_b;
        sum += (2 * mean_a * mean_b + 1e-4) * (2 * covariance + 9e-4) /
               ((mean_a * mean_a + mean_b * mean_b + 1e-4) * (variance + 9e-4));
        ++windows;
      }
    }
  }
  return sum / static_cast<double>(windows);
}

TEST(Psnr, IsTheMeanSquareErrorInDecibels) {
  const at::Tensor x = at::full({3, 4, 4}, 0.5);
  EXPECT_NEAR(psnr(x + 0.1, x), 20, 1e-4);
  EXPECT_EQ(psnr(x, x), std::numeric_limits<double>::infinity());
}

TEST(Psnr, OfABatchIsTheMeanOverItsPictures) {
  const at::Tensor a = picture(8, 8, 1), b = picture(8, 8, 2), c = picture(8, 8, 3), d = picture(8, 8, 4);
  EXPECT_NEAR(psnr(at::stack({a, b}), at::stack({c, d})), (psnr(a, c) + psnr(b, d)) / 2, 1e-9);
}

TEST(Ssim, EqualsItsDefinition) {
  const at::Tensor x = picture(17, 23, 1);
  const at::Tensor y = (x + 0.2 * random_tensor({3, 17, 23}, 2)).clamp(0, 1).contiguous();
  EXPECT_NEAR(ssim(x, y), plain_ssim(x, y), 1e-9);
  EXPECT_NEAR(ssim(x, x), 1, 1e-12);
}

TEST(Ssim, OfABatchIsTheMeanOverItsPictures) {
  const at::Tensor a = picture(12, 15, 1), b = picture(12, 15, 2), c = picture(12, 15, 3), d = picture(12, 15, 4);
  EXPECT_NEAR(ssim(at::stack({a, b}), at::stack({c, d})), (ssim(a, c) + ssim(b, d)) / 2, 1e-9);
}

TEST(Metrics, UnusablePicturesAreRefused) {
  const at::Tensor x = picture(16, 16);
  EXPECT_EQ(expect_error<TensorError>([&] { psnr(at::zeros({1, 16, 16}), x); }).detail().field, "picture");
  EXPECT_EQ(expect_error<TensorError>([&] { psnr(x, at::Tensor()); }).detail().field, "reference");
  expect_error<TensorError>([&] { ssim(x, picture(16, 15)); });
  expect_error<TensorError>([&] { ssim(picture(10, 16), picture(10, 16)); });
  expect_error<NumericError>([&] { ssim(x * NAN, x); });
}

}  // namespace
}  // namespace lightswitch
