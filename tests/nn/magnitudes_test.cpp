#include "nn/magnitudes.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "layer_inputs.hpp"
#include "nn/layers.hpp"
#include "support/errors.hpp"

namespace lightswitch::nn {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(LargestMagnitude, SeesEveryNumberOfAnyLayout) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t size : {1, 7, 200}) {
      const at::Tensor x = random_channels_last({2, 3, size, size}).to(type);
      EXPECT_EQ(largest_magnitude(x), x.abs().max().item<double>());
      EXPECT_EQ(largest_magnitude(x.narrow(1, 1, 1)), x.narrow(1, 1, 1).abs().max().item<double>());
      for (const double bad : {kInfinity, -kInfinity, std::nan("")}) {
        at::Tensor spoilt = x.clone();
        spoilt[1][2][size - 1][size - 1] = bad;
        EXPECT_EQ(largest_magnitude(spoilt), kInfinity);
      }
    }
  }
}

TEST(Magnitudes, BelongToAStorageAndAreForgottenWithIt) {
  Magnitudes magnitudes;
  at::Tensor x = random_tensor({1, 4, 3, 3});
  EXPECT_EQ(magnitudes.bound(x), kInfinity);
  magnitudes.note(x, 5);
  EXPECT_EQ(magnitudes.bound(x.narrow(1, 0, 2)), 5);
  magnitudes.note(x, 7);
  EXPECT_EQ(magnitudes.bound(x), 7);
  magnitudes.note(x, std::nan(""));
  EXPECT_EQ(magnitudes.bound(x), kInfinity);
  magnitudes.measure(x);
  EXPECT_EQ(magnitudes.bound(x), x.abs().max().item<double>());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(magnitudes.bound(random_tensor({1, 4, 3, 3})), kInfinity);
}

TEST(Magnitudes, BoundsHoldWhateverALayerDoes) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    nn::Run run = nn::Run::compute();
    auto loader = loader_of({{"c.weight", random_tensor({8, 8, 3, 3}) * 40},
                             {"c.bias", random_tensor({8}) * 90},
                             {"u.weight", random_tensor({8, 8, 3, 3})},
                             {"n.weight", random_tensor({8}) * 6},
                             {"n.bias", random_tensor({8})}},
                            type == at::kFloat ? DType::fp32 : DType::bf16);
    const Conv2d conv(loader, "c", {.in = 8, .out = 8}, Activation::relu);
    const UpsampleConv2d upsample(loader, "u", 8, 8, false);
    const RmsNorm2d norm(loader, "n", 8, 1e-6);
    at::Tensor x = random_channels_last({1, 8, 6, 5}).to(type);
    const auto held = [&](const at::Tensor& y) {
      const double bound = run.magnitudes().bound(y);
      return std::isfinite(bound) && largest_magnitude(y) <= bound;
    };
    x = conv(run, x);
    if (std::isinf(run.magnitudes().bound(x))) GTEST_SKIP() << "no oneDNN convolutions here";
    EXPECT_TRUE(held(x));
    x = conv(run, x, x);
    EXPECT_TRUE(held(x));
    x = upsample(run, x);
    EXPECT_TRUE(held(x));
    const at::Tensor other = x.clone();
    run.magnitudes().measure(other);
    x = add(run, std::move(x), other);
    EXPECT_TRUE(held(x));
    x = pixel_unshuffle(run, x, 2);
    EXPECT_TRUE(held(x));
    x = pixel_shuffle(run, x, 2);
    x = norm(run, std::move(x));
    EXPECT_TRUE(held(x));
    EXPECT_LT(run.magnitudes().bound(x), 100);
  }
}

/// 3e38 times anything above 1.2 overflows, in fp32 and bf16 alike. What follows makes NaN of it, then ReLU 0 of that.
TEST(Relu, AnOverflowBeforeItIsNeverHidden) {
  for (const DType dtype : {DType::fp32, DType::bf16}) {
    for (const bool with_residual : {false, true}) {
      for (const double sign : {1.0, -1.0}) {
        auto loader = loader_of({{"steep.weight", at::full({8, 8, 3, 3}, sign * 3e38)}}, dtype);
        const Conv2d steep(loader, "steep", {.in = 8, .out = 8, .bias = false}, Activation::relu);
        const at::Tensor x = at::ones({1, 8, 4, 4}).to(loader.dtype()).contiguous(at::MemoryFormat::ChannelsLast);
        nn::Run run = nn::Run::compute();
        const auto error = expect_error<NumericError>([&] {
          at::Tensor y = steep(run, x, with_residual ? x : at::Tensor());
          // Where ReLU is not oneDNN's, the infinity is still there.
          nn::Run::require_finite("steep", y);
          if (sign < 0) throw NumericError("nothing is lost", {"", "steep", "", ""});
        });
        EXPECT_EQ(error.detail().field, "steep");
      }
    }
  }
}

TEST(Relu, LargeNumbersThatDoNotOverflowAreComputed) {
  auto loader = loader_of({{"large.weight", at::full({1, 1, 1, 1}, 1e20)}}, DType::fp32);
  const Conv2d large(loader, "large", {.in = 1, .out = 1, .kernel = 1, .bias = false}, Activation::relu);
  nn::Run run = nn::Run::compute();
  const at::Tensor y = large(run, at::full({1, 1, 30, 30}, 2e18));
  EXPECT_TRUE(close(y / 1e38, at::full({1, 1, 30, 30}, 2), 1e-5));
}

TEST(Relu, NaNThatComesInIsNotHidden) {
  auto loader = loader_of({{"c.weight", random_tensor({8, 8, 3, 3})}}, DType::fp32);
  const Conv2d conv(loader, "c", {.in = 8, .out = 8, .bias = false}, Activation::relu);
  at::Tensor x = random_channels_last({1, 8, 4, 4});
  x[0][3][1][2] = std::nan("");
  nn::Run run = nn::Run::compute();
  expect_error<NumericError>([&] { nn::Run::require_finite("c", conv(run, x)); });
}

}  // namespace
}  // namespace lightswitch::nn
