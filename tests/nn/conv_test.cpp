#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "layer_inputs.hpp"
#include "nn/layers.hpp"

namespace lightswitch::nn {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

struct ConvCase {
  std::string name;
  ConvShape shape;
  std::vector<int64_t> input;
  Activation act = Activation::none;
  bool residual = false;

  friend std::ostream& operator<<(std::ostream& out, const ConvCase& test) { return out << test.name; }
};

at::Tensor plain_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape) {
  const int64_t begin = shape.pad_begin < 0 ? shape.kernel / 2 : shape.pad_begin;
  const int64_t end = shape.pad_end < 0 ? shape.kernel / 2 : shape.pad_end;
  const at::Tensor padded = at::constant_pad_nd(x.to(at::kDouble), {begin, end, begin, end});
  const at::Tensor wide_bias = bias.defined() ? bias.to(at::kDouble) : bias;
  return at::conv2d(padded, weight.to(at::kDouble), wide_bias, at::IntArrayRef(shape.stride), at::IntArrayRef(0),
                    at::IntArrayRef(1), shape.groups);
}

class Conv : public ::testing::TestWithParam<ConvCase> {
 protected:
  void check(DType dtype, double tolerance) const {
    const ConvShape& shape = GetParam().shape;
    std::map<std::string, at::Tensor> tensors{
        {"c.weight", random_weight({shape.out, shape.in / shape.groups, shape.kernel, shape.kernel})}};
    if (shape.bias) tensors["c.bias"] = random_tensor({shape.out}, 2);
    auto loader = loader_of(tensors, dtype);
    const Conv2d conv(loader, "c", shape, GetParam().act);
    loader.finish();

    const at::Tensor x = random_tensor(GetParam().input, 3).to(loader.dtype());
    at::Tensor expected = plain_conv(x, tensors["c.weight"], shape.bias ? tensors["c.bias"] : at::Tensor(), shape);
    at::Tensor residual;
    if (GetParam().residual) {
      residual = random_channels_last(expected.sizes(), 4).to(loader.dtype());
      expected = expected + residual.to(at::kDouble);
    }
    expected = plain_activation(expected, GetParam().act);

    const at::Tensor before = residual.defined() ? residual.clone() : residual;
    nn::Run run = nn::Run::compute();
    const at::Tensor y = conv(run, x.contiguous(at::MemoryFormat::ChannelsLast), residual);
    EXPECT_EQ(y.scalar_type(), loader.dtype());
    EXPECT_TRUE(is_channels_last(y));
    EXPECT_TRUE(close(y, expected, tolerance));
    if (residual.defined()) {
      EXPECT_TRUE(at::equal(residual, before)) << "the residual was written to";
    }
  }
};

TEST_P(Conv, EqualsThePlainFormula) {
  check(DType::fp32, 2e-5);
}
TEST_P(Conv, EqualsThePlainFormulaInBFloat16) {
  check(DType::bf16, 6e-2);
}

TEST_P(Conv, CountsItsMultiplyAdds) {
  const ConvShape& shape = GetParam().shape;
  const at::Tensor weight = at::zeros({shape.out, shape.in / shape.groups, shape.kernel, shape.kernel});
  auto loader = loader_of({});
  const Conv2d conv(loader, "conv", weight, at::zeros({shape.out}), shape, GetParam().act);
  nn::Run run = nn::Run::count();
  const at::Tensor y = conv(run, at::empty(GetParam().input, at::kMeta));
  EXPECT_TRUE(y.is_meta());
  EXPECT_EQ(y.sizes(), plain_conv(at::zeros(GetParam().input), weight, {}, shape).sizes());
  EXPECT_EQ(run.macs(), y.numel() * weight[0].numel());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Conv,
    ::testing::Values(
        ConvCase{"three_by_three", {.in = 16, .out = 24}, {1, 16, 9, 11}},
        ConvCase{"without_bias", {.in = 8, .out = 8, .bias = false}, {2, 8, 6, 5}},
        ConvCase{"relu", {.in = 8, .out = 16}, {1, 8, 7, 7}, Activation::relu},
        ConvCase{"silu", {.in = 8, .out = 16}, {1, 8, 7, 7}, Activation::silu},
        ConvCase{"gelu", {.in = 8, .out = 16}, {1, 8, 7, 7}, Activation::gelu},
        ConvCase{"residual", {.in = 16, .out = 16}, {2, 16, 8, 8}, Activation::none, true},
        ConvCase{"residual_relu", {.in = 16, .out = 16}, {2, 16, 8, 8}, Activation::relu, true},
        ConvCase{
            "residual_relu_without_bias", {.in = 16, .out = 16, .bias = false}, {1, 16, 8, 8}, Activation::relu, true},
        ConvCase{"residual_silu", {.in = 16, .out = 16}, {1, 16, 8, 8}, Activation::silu, true},
        ConvCase{"pointwise", {.in = 32, .out = 48, .kernel = 1}, {2, 32, 5, 7}},
        ConvCase{"pointwise_residual", {.in = 32, .out = 32, .kernel = 1}, {1, 32, 5, 7}, Activation::none, true},
        ConvCase{"depthwise", {.in = 24, .out = 24, .groups = 24}, {1, 24, 9, 9}},
        ConvCase{"depthwise_five", {.in = 24, .out = 24, .kernel = 5, .groups = 24, .bias = false}, {1, 24, 9, 9}},
        ConvCase{"grouped", {.in = 24, .out = 24, .kernel = 1, .groups = 3, .bias = false}, {1, 24, 6, 6}},
        ConvCase{"stride_two", {.in = 8, .out = 8, .stride = 2}, {1, 8, 10, 8}},
        ConvCase{"padded_at_the_end", {.in = 8, .out = 8, .stride = 2, .pad_begin = 0, .pad_end = 1}, {1, 8, 10, 8}},
        ConvCase{"thin_input", {.in = 4, .out = 32}, {1, 4, 8, 8}},
        ConvCase{"thin_output", {.in = 32, .out = 3}, {1, 32, 16, 16}},
        ConvCase{"thin_output_of_a_row_of_four", {.in = 32, .out = 3}, {2, 32, 1, 4}},
        ConvCase{"thin_output_of_an_odd_row", {.in = 32, .out = 3}, {1, 32, 5, 13}},
        ConvCase{"thin_output_without_bias", {.in = 64, .out = 4, .bias = false}, {2, 64, 7, 20}, Activation::relu},
        ConvCase{"thin_output_gelu", {.in = 16, .out = 1}, {1, 16, 6, 8}, Activation::gelu},
        ConvCase{"one_pixel", {.in = 8, .out = 8}, {1, 8, 1, 1}}),
    [](const auto& test) { return test.param.name; });

struct UpsampleCase {
  std::string name;
  int64_t in, out;
  std::vector<int64_t> input;
  bool bias = true;

  friend std::ostream& operator<<(std::ostream& out, const UpsampleCase& test) { return out << test.name; }
};

class Upsample : public ::testing::TestWithParam<UpsampleCase> {
 protected:
  void check(DType dtype, double tolerance) const {
    const auto& [name, in, out, input, bias] = GetParam();
    std::map<std::string, at::Tensor> tensors{{"u.weight", random_weight({out, in, 3, 3})}};
    if (bias) tensors["u.bias"] = random_tensor({out}, 2);
    auto loader = loader_of(tensors, dtype);
    const UpsampleConv2d layer(loader, "u", in, out, bias);
    loader.finish();
    const at::Tensor x = random_channels_last(input, 3).to(loader.dtype());
    const at::Tensor larger = at::upsample_nearest2d(x.to(at::kDouble), {2 * x.size(2), 2 * x.size(3)});
    const at::Tensor expected = plain_conv(larger, tensors["u.weight"], bias ? tensors["u.bias"] : at::Tensor(), {});
    nn::Run run = nn::Run::compute();
    const at::Tensor y = layer(run, x);
    EXPECT_EQ(y.scalar_type(), loader.dtype());
    EXPECT_TRUE(is_channels_last(y));
    EXPECT_TRUE(close(y, expected, tolerance));
  }
};

TEST_P(Upsample, EqualsNearestAndConvolution) {
  check(DType::fp32, 2e-5);
}
TEST_P(Upsample, EqualsNearestAndConvolutionInBFloat16) {
  check(DType::bf16, 6e-2);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Upsample,
                         ::testing::Values(UpsampleCase{"square", 16, 24, {1, 16, 8, 8}},
                                           UpsampleCase{"oblong_batch", 8, 8, {2, 8, 5, 7}},
                                           UpsampleCase{"without_bias", 8, 8, {1, 8, 4, 4}, false},
                                           UpsampleCase{"one_pixel", 8, 16, {1, 8, 1, 1}},
                                           UpsampleCase{"one_row", 8, 8, {1, 8, 1, 9}},
                                           UpsampleCase{"wide", 64, 64, {1, 64, 32, 24}}),
                         [](const auto& test) { return test.param.name; });

TEST(UpsampleConv, CountsAsTheNetworkDefinesIt) {
  auto loader = loader_of({{"u.weight", at::zeros({6, 5, 3, 3})}, {"u.bias", at::zeros({6})}});
  const UpsampleConv2d layer(loader, "u", 5, 6);
  nn::Run run = nn::Run::count();
  const at::Tensor y = layer(run, at::empty({2, 5, 3, 4}, at::kMeta));
  EXPECT_EQ(y.sizes(), at::IntArrayRef({2, 6, 6, 8}));
  EXPECT_EQ(run.macs(), y.numel() * 5 * 9);
}

/// Weights are kept in the order that suits the last picture's size.
TEST(ConvWeights, StayRightWhenPicturesChangeTheirSize) {
  const at::Tensor weight = random_weight({64, 64, 3, 3}), bias = random_tensor({64}, 2);
  auto loader = loader_of({{"c.weight", weight}, {"c.bias", bias}});
  const Conv2d conv(loader, "c", {.in = 64, .out = 64});
  const UpsampleConv2d upsample(loader, "c", 64, 64);
  nn::Run run = nn::Run::compute();
  for (const int64_t size : {8, 96, 3, 96, 8}) {
    const at::Tensor x = random_channels_last({1, 64, size, size}, size);
    EXPECT_TRUE(close(conv(run, x), plain_conv(x, weight, bias, {}), 2e-5)) << size;
    const at::Tensor larger = at::upsample_nearest2d(x, {2 * size, 2 * size});
    EXPECT_TRUE(close(upsample(run, x), plain_conv(larger, weight, bias, {}), 2e-5)) << size;
  }
}

TEST(ConvResidual, IsWrittenOverWhereNobodyElseSeesIt) {
  const at::Tensor weight = random_weight({32, 32, 3, 3}), bias = random_tensor({32}, 2);
  auto loader = loader_of({});
  const Conv2d conv(loader, "conv", weight, bias, {.in = 32, .out = 32}, Activation::relu);
  const at::Tensor x = random_channels_last({1, 32, 12, 12}, 3);
  nn::Run run = nn::Run::compute();
  const at::Tensor expected = conv(run, x, x);
  at::Tensor mine = x.clone(at::MemoryFormat::ChannelsLast);
  const void* place = mine.data_ptr();
  const at::Tensor over = conv(run, x, std::move(mine));
  EXPECT_EQ(over.data_ptr(), place);
  EXPECT_TRUE(at::equal(over, expected));
}

TEST(ConvWeights, ServeThreadsWithPicturesOfDifferentSizes) {
  const at::Tensor weight = random_weight({32, 32, 3, 3}), bias = random_tensor({32}, 2);
  auto loader = loader_of({});
  const Conv2d conv(loader, "conv", weight, bias, {.in = 32, .out = 32});
  std::vector<at::Tensor> inputs, outputs(3);
  for (const int64_t size : {8, 24, 96}) inputs.push_back(random_channels_last({1, 32, size, size}, size));
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < inputs.size(); ++i)
      threads.emplace_back([&, i] {
        nn::Run run = nn::Run::compute();
        for (int round = 0; round < 10; ++round) outputs[i] = conv(run, inputs[i]);
      });
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    EXPECT_TRUE(close(outputs[i], plain_conv(inputs[i], weight, bias, {}), 2e-5));
}

TEST(ConvWeights, AreNotSharedWithTheirSource) {
  at::Tensor weight = at::ones({2, 2, 1, 1}), bias = at::ones({2});
  auto loader = loader_of({});
  const Conv2d conv(loader, "conv", weight, bias, {.in = 2, .out = 2, .kernel = 1});
  weight.zero_();
  bias.zero_();
  nn::Run run = nn::Run::compute();
  EXPECT_TRUE(close(conv(run, at::ones({1, 2, 3, 3})), at::full({1, 2, 3, 3}, 3.0), 1e-6));
}

}  // namespace
}  // namespace lightswitch::nn
