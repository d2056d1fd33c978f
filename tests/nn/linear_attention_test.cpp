#include "nn/linear_attention.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "nn/gated.hpp"
#include "nn/layer_inputs.hpp"

namespace lightswitch {
namespace {

using nn::Activation;
using testing::close;
using testing::is_channels_last;
using testing::random_channels_last;

/// The definition, with the pixels x pixels matrix of weights, in double precision.
at::Tensor plain_linear_attention(const at::Tensor& qkv, int64_t head_size) {
  const int64_t batch = qkv.size(0), pixels = qkv.size(2) * qkv.size(3);
  const auto parts = qkv.to(at::kDouble).reshape({batch, -1, 3 * head_size, pixels}).split(head_size, 2);
  const at::Tensor weights = at::matmul(parts[1].relu().transpose(2, 3), parts[0].relu());
  const at::Tensor sums = weights.sum(2, true);
  const at::Tensor shares = at::where(sums > 0, weights / sums, at::zeros_like(weights));
  return at::matmul(parts[2], shares).reshape({batch, -1, qkv.size(2), qkv.size(3)});
}

TEST(LinearAttention, EqualsItsDefinition) {
  // Fewer and more pixels than a head has channels; odd sizes, several heads, one pixel.
  for (const auto& [batch, heads, size, height, width] :
       {std::tuple{1, 2, 32, 9, 7}, {2, 3, 8, 2, 3}, {3, 1, 16, 5, 4}, {1, 1, 4, 1, 1}}) {
    const at::Tensor qkv = random_channels_last({batch, 3 * heads * size, height, width}, 7);
    auto run = nn::Run::compute();
    const at::Tensor found = nn::relu_linear_attention(run, {qkv.clone()}, size);
    EXPECT_TRUE(close(found, plain_linear_attention(qkv, size), 1e-5)) << size << " x " << heads;
    EXPECT_TRUE(is_channels_last(found));
  }
}

TEST(LinearAttention, ScalesFollowEachOtherInTheResult) {
  const at::Tensor fine = random_channels_last({2, 48, 4, 5}, 1), coarse = random_channels_last({2, 48, 4, 5}, 2);
  auto run = nn::Run::compute();
  const at::Tensor found = nn::relu_linear_attention(run, {fine.clone(), coarse.clone()}, 8);
  EXPECT_TRUE(close(found, at::cat({plain_linear_attention(fine, 8), plain_linear_attention(coarse, 8)}, 1), 1e-5));
}

TEST(LinearAttention, TakesAnyLayoutAndKeepsBFloat16) {
  const at::Tensor qkv = testing::random_tensor({1, 24, 6, 5}, 3);
  auto run = nn::Run::compute();
  EXPECT_TRUE(close(nn::relu_linear_attention(run, {qkv.clone()}, 8), plain_linear_attention(qkv, 8), 1e-5));
  const at::Tensor rounded = qkv.to(at::kBFloat16);
  const at::Tensor found = nn::relu_linear_attention(run, {rounded.clone()}, 8);
  EXPECT_EQ(found.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(close(found, plain_linear_attention(rounded, 8), 0.01)) << "sums are to be made in fp32";
}

TEST(LinearAttention, SilentHeadsGiveZero) {
  auto run = nn::Run::compute();
  const at::Tensor qkv = -random_channels_last({1, 12, 3, 3}).abs();
  EXPECT_TRUE(close(nn::relu_linear_attention(run, {qkv}, 4), at::zeros({1, 4, 3, 3}), 0));
}

TEST(LinearAttention, CountsItsSums) {
  auto run = nn::Run::count();
  const at::Tensor shape = at::empty({2, 192, 5, 7}, at::kMeta);
  EXPECT_EQ(nn::relu_linear_attention(run, {shape, shape}, 32).sizes(), at::IntArrayRef({2, 128, 5, 7}));
  EXPECT_EQ(run.macs(), 2 * 2 * 66 * 64 * 5 * 7);
}

at::Tensor plain_gated(const at::Tensor& x, Activation act) {
  const auto halves = x.to(at::kDouble).chunk(2, 1);
  return halves[0] * testing::plain_activation(halves[1], act);
}

TEST(Gated, IsTheFirstHalfTimesTheActivatedSecond) {
  for (const Activation act : {Activation::relu, Activation::silu}) {
    for (const int64_t channels : {2, 6, 64, 70}) {
      const at::Tensor x = random_channels_last({2, channels, 5, 3}, 4) * 4;
      auto run = nn::Run::compute();
      const at::Tensor found = nn::gated(run, x, act);
      EXPECT_TRUE(close(found, plain_gated(x, act), 1e-5));
      EXPECT_TRUE(is_channels_last(found));
      EXPECT_TRUE(close(nn::gated(run, x.contiguous(), act), found, 0)) << "another layout";
    }
  }
}

TEST(Gated, RoundsToBFloat16Once) {
  const at::Tensor x = (random_channels_last({2, 64, 5, 3}, 4) * 4).to(at::kBFloat16);
  auto run = nn::Run::compute();
  for (const Activation act : {Activation::relu, Activation::silu}) {
    const at::Tensor found = nn::gated(run, x, act), expected = plain_gated(x, act);
    EXPECT_EQ(found.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(((found.to(at::kDouble) - expected).abs() <= expected.abs() / 256).all().item<bool>());
  }
}

}  // namespace
}  // namespace lightswitch
