#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/metrics.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
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

TEST(Ssim, OfTheUniformWindowIsAnotherFigure) {
  const at::Tensor x = picture(9, 7, 1), y = picture(9, 7, 2);
  EXPECT_NEAR(ssim(x, x, SsimWindow::uniform), 1, 1e-12);
  EXPECT_LT(ssim(x, y, SsimWindow::uniform), 0.9);
  expect_error<TensorError>([&] { ssim(x, y); });
  expect_error<TensorError>([&] { ssim(picture(6, 16), picture(6, 16), SsimWindow::uniform); });
}

TEST(MsSsim, OfABatchIsTheMeanOverItsPictures) {
  const at::Tensor a = picture(161, 170, 1), b = picture(161, 170, 2);
  const at::Tensor c = (a + 0.3 * picture(161, 170, 3)).clamp(0, 1), d = (b * 0.5).contiguous();
  EXPECT_NEAR(ms_ssim(a, a), 1, 1e-12);
  EXPECT_LT(ms_ssim(c, a), 0.999);
  EXPECT_NEAR(ms_ssim(at::stack({c, d}), at::stack({a, b})), (ms_ssim(c, a) + ms_ssim(d, b)) / 2, 1e-12);
}

TEST(MsSsim, OfNegativesIsNothing) {
  const at::Tensor x = picture(176, 176, 1);
  EXPECT_EQ(ms_ssim(1 - x, x), 0);
}

TEST(MsSsim, TooSmallPicturesAreRefusedWithTheSizeThatWouldDo) {
  const auto error = expect_error<TensorError>([] { ms_ssim(picture(160, 300), picture(160, 300)); });
  EXPECT_EQ(error.detail().expected, "161x161 pixels or more");
  EXPECT_EQ(error.detail().found, "300x160");
  expect_error<TensorError>([] { ms_ssim(picture(300, 160), picture(300, 160)); });
}

TEST(Ssim, OfABatchIsTheMeanOverItsPictures) {
  const at::Tensor a = picture(12, 15, 1), b = picture(12, 15, 2), c = picture(12, 15, 3), d = picture(12, 15, 4);
  EXPECT_NEAR(ssim(at::stack({a, b}), at::stack({c, d})), (ssim(a, c) + ssim(b, d)) / 2, 1e-9);
}

at::Tensor clip(int64_t frames, uint64_t seed) {
  return random_tensor({frames, 3, 6, 5}, seed).sigmoid();
}

TEST(Flicker, IsHowDifferentlyClipsChange) {
  const at::Tensor x = clip(4, 1);
  EXPECT_EQ(flicker(x, x), 0);
  EXPECT_NEAR(flicker(x + random_tensor({1, 3, 6, 5}, 2), x), 0, 1e-6) << "the same error in every frame";
  at::Tensor blinking = x.clone();
  blinking[1] += 0.25;  // one frame of four: two of three changes are off by that
  EXPECT_NEAR(flicker(blinking, x), 0.25 * 2 / 3, 1e-6);
}

TEST(Flicker, EqualsItsDefinitionInNumpy) {
  const char* const python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with numpy";
  const at::Tensor x = clip(7, 1), y = clip(7, 2);
  const TemporaryFolder folder;
  for (const auto& [name, tensor] : {std::pair{"x", x}, {"y", y}})
    write_file(folder / name, {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
  const std::string program =
      "import numpy, sys; read = lambda name: numpy.fromfile(name, numpy.float32).reshape(7, 3, 6, 5).astype(float); "
      "x, y = map(read, sys.argv[1:3]); "
      "open(sys.argv[3], 'w').write(repr(float(abs(numpy.diff(x, axis=0) - numpy.diff(y, axis=0)).mean())))";
  const auto path = [&](const char* name) { return " '" + (folder / name).string() + "'"; };
  ASSERT_EQ(std::system(
                ("'" + std::string(python) + "' -c \"" + program + "\"" + path("x") + path("y") + path("out")).c_str()),
            0);
  EXPECT_NEAR(flicker(x, y), std::stod(read_file(folder / "out")), 1e-9);
}

TEST(Metrics, UnusablePicturesAreRefused) {
  const at::Tensor x = picture(16, 16);
  EXPECT_EQ(expect_error<TensorError>([&] { psnr(at::zeros({1, 16, 16}), x); }).detail().field, "picture");
  EXPECT_EQ(expect_error<TensorError>([&] { psnr(x, at::Tensor()); }).detail().field, "reference");
  expect_error<TensorError>([&] { ssim(x, picture(16, 15)); });
  expect_error<TensorError>([&] { ssim(picture(10, 16), picture(10, 16)); });
  expect_error<NumericError>([&] { ssim(x * NAN, x); });
  expect_error<TensorError>([&] { flicker(clip(1, 1), clip(1, 2)); });
  expect_error<TensorError>([&] { flicker(clip(3, 1), clip(2, 2)); });
  expect_error<TensorError>([&] { flicker(x, x); });
}

}  // namespace
}  // namespace lightswitch
