#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/audio/metrics.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/weights.hpp>

#include <cmath>
#include <filesystem>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::expect_error;
using testing::noise;

std::vector<float> floats_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.to(at::kFloat).contiguous();
  const auto numbers = testing::numbers_of(dense);
  return {numbers.begin(), numbers.end()};
}

TEST(SoundMetrics, AreWhatNumPySays) {
  const auto stored =
      open_weights(std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures" / "sound_metrics.safetensors");
  const auto reference = floats_of(stored->read("reference")), sound = floats_of(stored->read("sound"));
  const auto expected = [&](const char* name) { return stored->read(name).item<double>(); };
  EXPECT_NEAR(si_snr(sound, reference), expected("si_snr"), 1e-6);
  EXPECT_NEAR(log_mel_distance(sound, reference), expected("log_mel"), 1e-6);
  EXPECT_NEAR(stoi(sound, reference), expected("stoi"), 1e-6);
  EXPECT_NEAR(segmental_snr(sound, reference), expected("segmental_snr"), 1e-6);
  EXPECT_LT(expected("stoi"), 0.95);
}

TEST(SoundMetrics, EqualSoundsAreAtTheBest) {
  const auto sound = noise(16000);
  EXPECT_GT(si_snr(sound, sound), 200);
  EXPECT_EQ(log_mel_distance(sound, sound), 0);
  EXPECT_NEAR(stoi(sound, sound), 1, 1e-9);
  EXPECT_DOUBLE_EQ(segmental_snr(sound, sound), 35);
  auto louder = sound;
  for (float& sample : louder) sample *= 2;
  EXPECT_GT(si_snr(louder, sound), 100);
  EXPECT_LT(segmental_snr(louder, sound), 1);
}

TEST(SoundMetrics, MoreNoiseIsWorse) {
  const auto sound = noise(16000, 1), noisy = noise(16000, 2);
  double snr = INFINITY, mel = -1, intelligible = 2;
  for (const double share : {0.1, 0.5, 2.0}) {
    auto mixed = sound;
    for (size_t i = 0; i < mixed.size(); ++i) mixed[i] += static_cast<float>(share) * noisy[i];
    EXPECT_NEAR(si_snr(mixed, sound), -20 * std::log10(share), 0.2);
    EXPECT_LT(si_snr(mixed, sound), snr);
    EXPECT_GT(log_mel_distance(mixed, sound), mel);
    EXPECT_LT(stoi(mixed, sound), intelligible);
    snr = si_snr(mixed, sound);
    mel = log_mel_distance(mixed, sound);
    intelligible = stoi(mixed, sound);
  }
}

TEST(SoundMetrics, WhatCannotBeComparedIsRefused) {
  const auto sound = noise(16000);
  expect_error<TensorError>([&] { si_snr(noise(10), noise(11)); });
  expect_error<TensorError>([&] { log_mel_distance({}, {}); });
  expect_error<NumericError>([&] { si_snr(sound, std::vector<float>(16000)); });
  expect_error<TensorError>([&] { stoi(noise(5000), noise(5000)); });
  expect_error<TensorError>([&] { stoi(noise(100), noise(100)); });
  expect_error<TensorError>([&] { stoi(sound, sound, 0); });
  expect_error<TensorError>([&] { segmental_snr(noise(479), noise(479)); });
  auto broken = sound;
  broken[7] = NAN;
  expect_error<NumericError>([&] { log_mel_distance(broken, sound); });
  expect_error<NumericError>([&] { stoi(sound, broken); });
}

}  // namespace
}  // namespace lightswitch::audio
