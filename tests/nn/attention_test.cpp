#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "layer_inputs.hpp"
#include "nn/layers.hpp"

namespace lightswitch::nn {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

/// Softmax over an explicit score matrix, pixel by pixel as rows.
at::Tensor plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
  const auto rows = [&](const at::Tensor& x) {
    return x.to(at::kDouble).reshape({x.size(0), heads, x.size(1) / heads, -1}).transpose(2, 3);
  };
  const at::Tensor scores = at::matmul(rows(q), rows(k).transpose(2, 3)) / std::sqrt(double(q.size(1) / heads));
  return at::matmul(at::softmax(scores, -1), rows(v)).transpose(2, 3).reshape(q.sizes());
}

TEST(Attention, EqualsThePlainFormula) {
  for (const int64_t heads : {1, 4}) {
    for (const auto& [type, tolerance] : {std::pair{at::kFloat, 1e-5}, {at::kBFloat16, 3e-2}}) {
      const auto input = [type = type](uint64_t seed) { return random_channels_last({2, 64, 9, 7}, seed).to(type); };
      const at::Tensor q = input(1), k = input(2), v = input(3);
      nn::Run run = nn::Run::compute();
      const at::Tensor y = attention(run, q, k, v, heads);
      EXPECT_EQ(y.scalar_type(), type);
      EXPECT_TRUE(is_channels_last(y));
      EXPECT_TRUE(close(y, plain_attention(q, k, v, heads), tolerance)) << heads << " heads";
    }
  }
}

TEST(Attention, TakesSlicesOfOneTensor) {
  const at::Tensor joined = random_channels_last({1, 96, 8, 8}, 1);
  const auto parts = joined.chunk(3, 1);
  nn::Run run = nn::Run::compute();
  EXPECT_TRUE(
      close(attention(run, parts[0], parts[1], parts[2]), plain_attention(parts[0], parts[1], parts[2], 1), 1e-5));
}

TEST(Attention, OneWideHeadAsInTheVae) {
  const auto input = [](uint64_t seed) { return random_channels_last({1, 512, 16, 16}, seed); };
  const at::Tensor q = input(1), k = input(2), v = input(3);
  nn::Run run = nn::Run::compute();
  EXPECT_TRUE(close(attention(run, q, k, v), plain_attention(q, k, v, 1), 1e-5));
}

TEST(Attention, CountsBothProducts) {
  nn::Run run = nn::Run::count();
  const at::Tensor x = at::empty({2, 16, 6, 5}, at::kMeta);
  EXPECT_TRUE(attention(run, x, x, x, 4).is_meta());
  EXPECT_EQ(run.macs(), 2 * 2 * 30 * 30 * 16);
}

}  // namespace
}  // namespace lightswitch::nn
