#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/audio/frame_gate.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::expect_error;
using testing::noise;

struct GateCase {
  explicit GateCase(uint64_t seed) {
    auto generator = at::detail::createCPUGenerator(seed);
    conv = at::randn({16, 64, 3}, generator) / 14;
    bias = at::randn({16}, generator) * 0.3;
    out = at::randn({1, 16, 1}, generator) / 4;
    out_bias = at::randn({1}, generator);
  }
  FrameGate gate() const {
    return FrameGate(
        64, 4,
        weights_from_memory({{"conv.weight", conv}, {"conv.bias", bias}, {"out.weight", out}, {"out.bias", out_bias}}));
  }
  double score(const std::vector<float>& frames) const {
    const at::Tensor x = at::tensor(frames).reshape({1, 3, 64}).clamp(-4, 4).transpose(1, 2);
    return at::conv1d(at::relu(at::conv1d(x, conv, bias)), out, out_bias).item<double>();
  }

  at::Tensor conv, bias, out, out_bias;
};

TEST(FrameGate, IntegersComeNearTheNetworkTheyRound) {
  for (uint64_t seed = 1; seed < 4; ++seed) {
    const GateCase one(seed);
    const auto gate = one.gate();
    EXPECT_EQ(gate.parameters(), 3105);
    EXPECT_EQ(gate.macs_per_frame(), 3088);
    for (uint64_t frame = 0; frame < 50; ++frame) {
      const auto frames = noise(3 * 64, 100 + frame);
      // Weights of 8 bits, in units that are powers of two: half a step in 64 or more on each of 192 products.
      EXPECT_NEAR(static_cast<double>(gate.score(frames)) / gate_score_one, one.score(frames), 0.05);
    }
  }
}

TEST(FrameGate, ScoresAreThoseOfEveryMachine) {
  const auto gate = GateCase(1).gate();
  std::vector<float> ramp(3 * 64);
  for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50) / 16;
  const GateScore first = gate.score(ramp);
  EXPECT_EQ(gate.score(ramp), first);
  // Past the range, numbers are cut off.
  auto far = ramp, edge = ramp;
  far[70] = 1e9F;
  edge[70] = 8.0F;  // the power of two above the range
  EXPECT_EQ(gate.score(far), gate.score(edge));
  far[70] = INFINITY;
  EXPECT_EQ(gate.score(far), gate.score(edge));
}

TEST(FrameGate, ExtremeWeightsStayInRange) {
  GateCase one(2);
  one.conv = at::full({16, 64, 3}, 1e20);
  one.out = at::full({1, 16, 1}, 1e20);
  EXPECT_GT(one.gate().score(std::vector<float>(192, 4.0F)), 1 << 30);
  one.conv = at::zeros({16, 64, 3});
  one.bias = at::zeros({16});
  one.out_bias = at::full({1}, -3.0);
  EXPECT_EQ(one.gate().score(std::vector<float>(192, 4.0F)), -3 * gate_score_one);
}

TEST(FrameGate, WhatDoesNotFitIsRefused) {
  GateCase one(3);
  const auto gate = one.gate();
  expect_error<TensorError>([&] { gate.score(noise(191)); });
  auto frames = noise(192);
  frames[5] = NAN;
  expect_error<NumericError>([&] { gate.score(frames); });
  one.conv = at::randn({16, 64, 2});
  expect_error<WeightsError>([&] { one.gate(); });
  one.conv = at::full({16, 64, 3}, NAN);
  expect_error<NumericError>([&] { one.gate(); });
}

}  // namespace
}  // namespace lightswitch::audio
