#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "layer_inputs.hpp"
#include "nn/int8/conv.hpp"
#include "nn/layers.hpp"
#include "support/errors.hpp"
#include "support/weights.hpp"

namespace lightswitch::nn {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

at::Tensor real(const at::Tensor& bytes, const Rounding& rounding) {
  return (bytes.to(at::kDouble) - double(rounding.zero)) * rounding.scale;
}

TEST(Rounding, KeepsZeroAndBothEndsOfTheRange) {
  const ActivationRange range{-0.3, 1.7};
  const Rounding rounding = Rounding::of(range);
  const at::Tensor x = at::tensor({-0.3f, 0.f, 1.7f, 5.f, -5.f}).view({1, 5, 1, 1});
  const at::Tensor back = real(round_to_bytes("layer", x, rounding), rounding).flatten();
  EXPECT_EQ(back[1].item<double>(), 0.0);
  EXPECT_NEAR(back[0].item<double>(), -0.3, rounding.scale / 2);
  EXPECT_NEAR(back[2].item<double>(), 1.7, rounding.scale / 2);
  EXPECT_EQ(back[3].item<double>(), back[2].item<double>());
  EXPECT_EQ(back[4].item<double>(), back[0].item<double>());
}

TEST(Rounding, IsToTheNearestByte) {
  const at::Tensor x = random_channels_last({2, 16, 9, 7}, 3);
  const Rounding rounding = Rounding::of({-4, 4});
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor typed = x.to(type);
    const at::Tensor inside = typed.to(at::kDouble).clamp(-4, 4);
    const at::Tensor bytes = round_to_bytes("layer", typed, rounding);
    EXPECT_TRUE(is_channels_last(bytes));
    EXPECT_LE((real(bytes, rounding) - inside).abs().max().item<double>(), rounding.scale * 0.501 + 1e-6);
  }
}

TEST(Rounding, OfALayerThatSawNothingButZerosIsUsable) {
  const Rounding rounding = Rounding::of({0, 0});
  EXPECT_GT(rounding.scale, 0);
  EXPECT_EQ(rounding.zero, 0);
}

TEST(Rounding, RefusesWhatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor x = at::zeros({1, 16, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
    x[0][3][1][2] = bad;
    const auto error = expect_error<NumericError>([&] { round_to_bytes("up.conv1", x, Rounding::of({-1, 1})); });
    EXPECT_EQ(error.detail().field, "up.conv1");
  }
}

struct Int8Case {
  std::string name;
  int64_t in, out, stride;
  Activation act;
  bool residual;

  friend std::ostream& operator<<(std::ostream& out, const Int8Case& test) { return out << test.name; }
};

class Int8 : public ::testing::TestWithParam<Int8Case> {
 protected:
  void SetUp() override {
    if (!multiplies_int8()) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
  }
};

/// What the layer computes, in doubles: bytes times bytes, summed exactly.
TEST_P(Int8, SumsOfBytesAreExact) {
  const auto& [name, in, out, stride, act, with_residual] = GetParam();
  const at::Tensor weight = random_weight({out, in, 3, 3}), bias = random_tensor({out}, 2);
  const Rounding rounding = Rounding::of({-3, 4});
  const Int8Conv conv(weight, bias, stride, 1, rounding, at::kFloat);
  const at::Tensor scales = weight.abs().amax({1, 2, 3}, true) / 127;
  const at::Tensor rounded_weight = ((weight / scales).round() * scales).to(at::kDouble);
  for (const int64_t side : {8, 13, 8}) {  // weights are put in order anew for another size
    const at::Tensor bytes = round_to_bytes("layer", random_channels_last({2, in, side, side + 1}, 3), rounding);
    at::Tensor expected = at::conv2d(real(bytes, rounding), rounded_weight, bias.to(at::kDouble), stride, 1);
    at::Tensor residual;
    if (with_residual) {
      residual = random_channels_last(expected.sizes(), 4);
      expected = expected + residual.to(at::kDouble);
    }
    nn::Run run = nn::Run::compute();
    EXPECT_TRUE(close(conv(run, bytes, residual, act), plain_activation(expected, act), 1e-4));
  }
}

INSTANTIATE_TEST_SUITE_P(, Int8,
                         ::testing::Values(Int8Case{"plain", 32, 48, 1, Activation::none, false},
                                           Int8Case{"relu", 64, 64, 1, Activation::relu, false},
                                           Int8Case{"silu", 16, 32, 1, Activation::silu, false},
                                           Int8Case{"gelu", 16, 32, 1, Activation::gelu, false},
                                           Int8Case{"strided", 32, 32, 2, Activation::none, false},
                                           Int8Case{"residual", 64, 64, 1, Activation::none, true},
                                           Int8Case{"relu_residual", 64, 64, 1, Activation::relu, true},
                                           Int8Case{"silu_residual", 32, 32, 1, Activation::silu, true}),
                         [](const auto& test) { return test.param.name; });

class Int8Layers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!multiplies_int8()) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
  }

  /// A loader of an int8 network with these layers.
  static WeightLoader loader_with(Tensors tensors, std::map<std::string, ActivationRange> ranges) {
    NetworkRequest request;
    request.weights = weights_from_memory(std::move(tensors), "memory");
    request.dtype = DType::int8;
    request.calibration = std::make_shared<const Calibration>(Calibration{std::move(ranges), "ranges.int8.json"});
    return WeightLoader(request, "");
  }

  static Tensors two_layers() {
    return {{"a.weight", random_weight({32, 32, 3, 3})},
            {"a.bias", random_tensor({32}, 2)},
            {"b.weight", random_weight({32, 32, 3, 3}, 5)},
            {"b.bias", random_tensor({32}, 6)}};
  }
  static constexpr ConvShape kShape{.in = 32, .out = 32};
};

TEST_F(Int8Layers, HandEachOtherBytes) {
  auto loader = loader_with(two_layers(), {{"a", {-4, 4}}, {"b", {0, 5}}});
  Conv2d first(loader, "a", kShape, Activation::relu);
  const Conv2d second(loader, "b", kShape);
  loader.finish();
  const at::Tensor x = random_channels_last({1, 32, 10, 12}, 3).to(loader.dtype());
  nn::Run run = nn::Run::compute();
  const at::Tensor apart = second(run, first(run, x));
  first.feeds(second);
  const at::Tensor between = first(run, x);
  EXPECT_EQ(between.scalar_type(), at::kByte);
  // Rounded once instead of to bf16 and then to bytes.
  EXPECT_TRUE(close(second(run, between), apart, 0.05));
}

TEST_F(Int8Layers, TakeBytesFromANorm) {
  Tensors tensors = two_layers();
  tensors["n.weight"] = random_tensor({32}, 7);
  tensors["n.bias"] = random_tensor({32}, 8);
  auto loader = loader_with(tensors, {{"a", {-1, 4}}, {"b", {0, 1}}});
  GroupNorm norm(loader, "n", 32, 4, 1e-6, Activation::silu);
  const Conv2d conv(loader, "a", kShape), other(loader, "b", kShape);
  loader.finish();
  const at::Tensor x = random_channels_last({2, 32, 10, 12}, 3).to(loader.dtype());
  nn::Run run = nn::Run::compute();
  const at::Tensor apart = conv(run, norm(run, x));
  norm.feeds(conv);
  EXPECT_EQ(norm(run, x).scalar_type(), at::kByte);
  EXPECT_TRUE(close(conv(run, norm(run, x)), apart, 0.05));
  at::Tensor spoilt = x.clone();
  spoilt[1][3][2][1] = std::numeric_limits<float>::quiet_NaN();
  expect_error<NumericError>([&] { norm(run, spoilt); });
}

TEST_F(Int8Layers, UpsampleAsTheyDoInFp32) {
  const Tensors tensors{{"u.weight", random_weight({24, 32, 3, 3})}, {"u.bias", random_tensor({24}, 2)}};
  auto exact_loader = loader_of(tensors);
  const UpsampleConv2d exact(exact_loader, "u", 32, 24);
  auto loader = loader_with(tensors, {{"u", {-4, 4}}});
  const UpsampleConv2d rounded(loader, "u", 32, 24);
  loader.finish();
  nn::Run run = nn::Run::compute();
  const at::Tensor x = random_channels_last({2, 32, 5, 7}, 3);
  const at::Tensor y = rounded(run, x.to(loader.dtype()));
  EXPECT_TRUE(is_channels_last(y));
  EXPECT_TRUE(close(y, exact(run, x), 0.1));
}

TEST_F(Int8Layers, ChangeNoResidualThatSomebodyElseSees) {
  auto loader = loader_with(two_layers(), {{"a", {-4, 4}}, {"b", {-4, 4}}});
  const Conv2d conv(loader, "a", kShape), other(loader, "b", kShape);
  loader.finish();
  const at::Tensor x = random_channels_last({1, 32, 10, 12}, 3).to(loader.dtype()), before = x.clone();
  nn::Run run = nn::Run::compute();
  const at::Tensor kept = conv(run, x, x);
  EXPECT_TRUE(at::equal(x, before));
  at::Tensor mine = x.clone(at::MemoryFormat::ChannelsLast);
  const void* place = mine.data_ptr();
  const at::Tensor moved = conv(run, x, std::move(mine));
  EXPECT_TRUE(at::equal(moved, kept));
  EXPECT_EQ(moved.data_ptr(), place);
}

TEST_F(Int8Layers, AreThoseOfTheCalibrationAndNoOthers) {
  auto loader = loader_with(two_layers(), {{"a", {-4, 4}}, {"c", {-4, 4}}});
  const Conv2d first(loader, "a", kShape), second(loader, "b", kShape);
  const auto error = expect_error<WeightsError>([&] { loader.finish(); });
  EXPECT_EQ(error.detail().file, "ranges.int8.json");
  EXPECT_TRUE(contains(error.what(), "1 missing: b"));
  EXPECT_TRUE(contains(error.what(), "1 unexpected: c"));
}

TEST_F(Int8Layers, NeedACalibration) {
  EXPECT_EQ(expect_error<OptionError>([&] { loader_of(two_layers(), DType::int8); }).detail().field, "calibration");
}

TEST_F(Int8Layers, AreWatchedBeforeTheyAreRounded) {
  auto loader = loader_of(two_layers());
  const Conv2d first(loader, "a", kShape, Activation::relu), second(loader, "b", kShape);
  const at::Tensor x = random_channels_last({1, 32, 10, 12}, 3);
  Calibration seen;
  nn::Run run = nn::Run::watch(seen, {});
  const at::Tensor between = first(run, x);
  second(run, between);
  ASSERT_EQ(seen.ranges.size(), 2u);
  EXPECT_EQ(seen.ranges["a"].low, x.min().item<float>());
  EXPECT_EQ(seen.ranges["a"].high, x.max().item<float>());
  EXPECT_EQ(seen.ranges["b"].low, 0);
  EXPECT_EQ(seen.ranges["b"].high, between.max().item<float>());
}

}  // namespace
}  // namespace lightswitch::nn
