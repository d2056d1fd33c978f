#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "layer_inputs.hpp"
#include "nn/layers.hpp"

namespace lightswitch::nn {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

struct NormCase {
  std::string name;
  std::vector<int64_t> input;
  int64_t groups;
  Activation act = Activation::none;

  friend std::ostream& operator<<(std::ostream& out, const NormCase& test) { return out << test.name; }
};

class Group : public ::testing::TestWithParam<NormCase> {
 protected:
  void check(DType dtype, double offset, double tolerance) const {
    const auto& [name, input, groups, act] = GetParam();
    const int64_t channels = input[1];
    const at::Tensor weight = 1 + 0.5 * random_tensor({channels}, 1), bias = random_tensor({channels}, 2);
    auto loader = loader_of({{"n.weight", weight}, {"n.bias", bias}}, dtype);
    const GroupNorm norm(loader, "n", channels, groups, 1e-6, act);
    loader.finish();
    const at::Tensor x = (random_channels_last(input, 3) + offset).to(loader.dtype());

    const at::Tensor wide = x.to(at::kDouble).reshape({input[0], groups, -1});
    const at::Tensor centred = wide - wide.mean(2, true);
    const at::Tensor scaled = (centred / at::sqrt(centred.square().mean(2, true) + 1e-6)).view(input);
    const at::Tensor expected = plain_activation(
        scaled * weight.to(at::kDouble).view({1, -1, 1, 1}) + bias.to(at::kDouble).view({1, -1, 1, 1}), act);

    const at::Tensor before = x.clone();
    nn::Run run = nn::Run::compute();
    const at::Tensor y = norm(run, x);
    EXPECT_EQ(y.scalar_type(), loader.dtype());
    EXPECT_TRUE(is_channels_last(y));
    EXPECT_TRUE(close(y, expected, tolerance));
    EXPECT_TRUE(at::equal(x, before)) << "the input was written to";
  }
};

TEST_P(Group, EqualsThePlainFormula) {
  check(DType::fp32, 0, 1e-5);
}
/// The mean must not be lost: subtracting a mean of squares from a square of means would.
TEST_P(Group, EqualsThePlainFormulaFarFromZero) {
  check(DType::fp32, 100, 2e-4);
}
TEST_P(Group, EqualsThePlainFormulaInBFloat16) {
  check(DType::bf16, 0, 4e-2);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Group,
                         ::testing::Values(NormCase{"plain", {1, 64, 16, 16}, 32},
                                           NormCase{"silu", {1, 64, 16, 16}, 32, Activation::silu},
                                           NormCase{"relu", {1, 64, 9, 9}, 4, Activation::relu},
                                           NormCase{"gelu", {1, 64, 9, 9}, 4, Activation::gelu},
                                           NormCase{"batch", {3, 32, 7, 5}, 8, Activation::silu},
                                           NormCase{"one_channel_each", {1, 16, 8, 8}, 16},
                                           NormCase{"one_group", {2, 24, 6, 6}, 1, Activation::silu},
                                           NormCase{"odd_group_size", {1, 30, 5, 7}, 10},
                                           NormCase{"many_rows", {1, 8, 130, 70}, 2, Activation::silu},
                                           NormCase{"one_pixel", {2, 32, 1, 1}, 4}),
                         [](const auto& test) { return test.param.name; });

TEST(GroupNormOverAllPictures, WithAGroupForEveryChannelIsBatchNormInTraining) {
  for (const int64_t batch : {1, 3}) {
    const at::Tensor weight = 1 + 0.5 * random_tensor({12}, 1), bias = random_tensor({12}, 2);
    auto loader = loader_of({{"n.weight", weight}, {"n.bias", bias}});
    const GroupNorm norm(loader, "n", 12, 12, 1e-5, Activation::relu, GroupNorm::Over::all_pictures);
    loader.finish();
    at::Tensor x = random_channels_last({batch, 12, 9, 7}, 3) + 2;
    x.select(0, 0).mul_(3);  // pictures must not be alike
    const at::Tensor expected = at::relu(at::batch_norm(x, weight, bias, {}, {}, true, 0, 1e-5, false));
    nn::Run run = nn::Run::compute();
    EXPECT_TRUE(close(norm(run, x), expected, 1e-5));
  }
}

TEST(GroupNormValues, StayFiniteForConstantAndLargeInputs) {
  auto loader = loader_of({{"n.weight", at::ones({8})}, {"n.bias", at::full({8}, 0.5)}});
  const GroupNorm norm(loader, "n", 8, 2, 1e-6, Activation::silu);
  nn::Run run = nn::Run::compute();
  const double silu_of_half = 0.5 / (1 + std::exp(-0.5));
  EXPECT_TRUE(close(norm(run, at::full({1, 8, 4, 4}, 7.0).contiguous(at::MemoryFormat::ChannelsLast)),
                    at::full({1, 8, 4, 4}, silu_of_half), 1e-6));
  EXPECT_TRUE(at::isfinite(norm(run, random_channels_last({1, 8, 4, 4}) * 1e15)).all().item<bool>());
}

TEST(GroupNormValues, SiluIsRightAcrossTheRange) {
  // One group per channel and a steep weight spread the normalised numbers from about -120 to 120.
  auto loader = loader_of({{"n.weight", at::full({4}, 60.0)}, {"n.bias", at::zeros({4})}});
  const GroupNorm norm(loader, "n", 4, 1, 0.0, Activation::silu);
  const at::Tensor x = at::linspace(-1, 1, 4 * 32 * 32).view({1, 4, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor wide = x.to(at::kDouble);
  const at::Tensor scaled = 60 * (wide - wide.mean()) / at::sqrt((wide - wide.mean()).square().mean());
  nn::Run run = nn::Run::compute();
  EXPECT_TRUE(close(norm(run, x), plain_activation(scaled, Activation::silu), 1e-4));
}

TEST(NormValues, NotANumberIsNeverHidden) {
  auto loader = loader_of({{"n.weight", at::ones({32})}, {"n.bias", at::ones({32})}});
  at::Tensor x = random_channels_last({1, 32, 4, 4});
  x[0][7][2][1] = std::numeric_limits<float>::quiet_NaN();
  nn::Run run = nn::Run::compute();
  for (const auto act : {Activation::none, Activation::relu, Activation::silu, Activation::gelu}) {
    EXPECT_TRUE(at::isnan(GroupNorm(loader, "n", 32, 4, 1e-6, act)(run, x)).any().item<bool>());
    EXPECT_TRUE(at::isnan(RmsNorm2d(loader, "n", 32, 1e-6, act)(run, x)).any().item<bool>());
  }
}

TEST(NormMemory, TemporariesAreOverwrittenAndOtherTensorsAreNot) {
  auto loader = loader_of({{"n.weight", random_tensor({16}, 1)}, {"n.bias", random_tensor({16}, 2)}});
  const GroupNorm group(loader, "n", 16, 4, 1e-6, Activation::silu);
  const RmsNorm2d rms(loader, "n", 16, 1e-6, Activation::relu);
  nn::Run run = nn::Run::compute();
  const auto check = [&](const auto& norm) {
    const at::Tensor x = random_channels_last({1, 16, 6, 6}, 3), before = x.clone();
    const at::Tensor y = norm(run, x);
    EXPECT_TRUE(at::equal(x, before));
    EXPECT_NE(y.const_data_ptr(), x.const_data_ptr());
    at::Tensor temporary = x.clone();
    const void* memory = temporary.const_data_ptr();
    const at::Tensor in_place = norm(run, std::move(temporary));
    EXPECT_EQ(in_place.const_data_ptr(), memory);
    EXPECT_TRUE(at::equal(in_place, y));
    const at::Tensor view = norm(run, x.narrow(0, 0, 1));
    EXPECT_TRUE(at::equal(view, y));
    EXPECT_TRUE(at::equal(x, before)) << "a view's memory belongs to somebody else";
  };
  check(group);
  check(rms);
}

TEST(RmsNorm, EqualsThePlainFormula) {
  const at::Tensor weight = random_tensor({24}, 1), bias = random_tensor({24}, 2);
  for (const auto act : {Activation::none, Activation::relu, Activation::silu, Activation::gelu}) {
    for (const auto& [dtype, tolerance] : {std::pair{DType::fp32, 1e-5}, {DType::bf16, 6e-2}}) {
      auto loader = loader_of({{"n.weight", weight}, {"n.bias", bias}}, dtype);
      const RmsNorm2d norm(loader, "n", 24, 1e-5, act);
      const at::Tensor x = random_channels_last({2, 24, 5, 9}, 3).to(loader.dtype());
      const at::Tensor wide = x.to(at::kDouble);
      const at::Tensor scaled = wide / at::sqrt(wide.square().mean({1}, true) + 1e-5);
      nn::Run run = nn::Run::compute();
      const at::Tensor y = norm(run, x);
      EXPECT_EQ(y.scalar_type(), loader.dtype());
      EXPECT_TRUE(is_channels_last(y));
      EXPECT_TRUE(
          close(y, plain_activation(scaled * weight.view({1, -1, 1, 1}) + bias.view({1, -1, 1, 1}), act), tolerance));
    }
  }
}

TEST(RmsNorm, APixelOfZerosGivesTheBias) {
  auto loader = loader_of({{"n.weight", at::ones({4})}, {"n.bias", at::full({4}, 0.25)}});
  const RmsNorm2d norm(loader, "n", 4, 1e-5);
  nn::Run run = nn::Run::compute();
  EXPECT_TRUE(close(norm(run, at::zeros({1, 4, 2, 2}).contiguous(at::MemoryFormat::ChannelsLast)),
                    at::full({1, 4, 2, 2}, 0.25), 0));
}

}  // namespace
}  // namespace lightswitch::nn
