#include "cli/sound_picture.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace lightswitch::cli {
namespace {

constexpr int64_t kWindow = 512, kWaveRows = 64, kSpectrogramRows = 160, kRouteRows = 12, kGapRows = 3;
constexpr double kRange = 80;  // dB

using Colour = std::array<float, 3>;
constexpr Colour kInk = {0.16F, 0.22F, 0.38F}, kLight = {0.72F, 0.85F, 0.95F}, kHeavy = {0.93F, 0.49F, 0.13F};
/// From silence to the loudest.
constexpr std::array<Colour, 5> kHeat = {
    {{0, 0, 0.02F}, {0.24F, 0.07F, 0.42F}, {0.69F, 0.21F, 0.36F}, {0.97F, 0.55F, 0.2F}, {1, 0.98F, 0.75F}}};

/// Bins from 0 Hz up, one column for each hop.
at::Tensor power(std::span<const float> samples, int64_t hop) {
  at::Tensor sound =
      at::from_blob(const_cast<float*>(samples.data()), {static_cast<int64_t>(samples.size())}, at::kFloat);
  if (sound.size(0) < kWindow) sound = at::constant_pad_nd(sound, {0, kWindow - sound.size(0)});
  const at::Tensor frames = sound.unfold(0, kWindow, hop) * at::hann_window(kWindow);
  return at::fft_rfft(frames).abs().square().transpose(0, 1).contiguous();
}

/// values [H, W] of 0 … 1.
at::Tensor heat(const at::Tensor& values) {
  const at::Tensor place = values * static_cast<double>(kHeat.size() - 1);
  std::vector<at::Tensor> channels;
  for (size_t channel = 0; channel < 3; ++channel) {
    at::Tensor colour = at::full_like(values, kHeat[0][channel]);
    for (size_t stop = 1; stop < kHeat.size(); ++stop)
      colour += (place - static_cast<double>(stop - 1)).clamp(0, 1) * (kHeat[stop][channel] - kHeat[stop - 1][channel]);
    channels.push_back(colour);
  }
  return at::stack(channels);
}

at::Tensor spectrogram(std::span<const float> samples, std::span<const float> reference, int64_t width) {
  const auto hop = std::max<int64_t>(64, static_cast<int64_t>(samples.size()) / width);
  const double loudest = power(reference, hop).max().item<double>() + 1e-12;
  const at::Tensor level = ((power(samples, hop) / loudest + 1e-12).log10() * 10 / kRange + 1).clamp(0, 1);
  const at::Tensor sized = at::adaptive_avg_pool2d(level.flip({0}).unsqueeze(0), {kSpectrogramRows, width})[0];
  return heat(sized);
}

/// Where column `x` of `width` begins among `count` things.
int64_t start_of(int64_t x, int64_t count, int64_t width) {
  return std::min(x * count / width, count - 1);
}

at::Tensor wave(std::span<const float> samples, int64_t width) {
  at::Tensor picture = at::ones({3, kWaveRows, width});
  auto pixels = picture.accessor<float, 3>();
  const auto count = static_cast<int64_t>(samples.size());
  const auto row = [](float sample) {
    return std::clamp<int64_t>(std::llround((1 - sample) / 2 * (kWaveRows - 1)), 0, kWaveRows - 1);
  };
  for (int64_t x = 0; x < width; ++x) {
    const int64_t begin = start_of(x, count, width), end = std::max(begin + 1, start_of(x + 1, count, width));
    const auto [low, high] = std::minmax_element(samples.begin() + begin, samples.begin() + end);
    for (int64_t y = row(*high); y <= row(*low); ++y)
      for (int64_t channel = 0; channel < 3; ++channel) pixels[channel][y][x] = kInk[channel];
  }
  return picture;
}

at::Tensor route(std::span<const Path> paths, int64_t width) {
  at::Tensor picture = at::empty({3, kRouteRows, width});
  auto pixels = picture.accessor<float, 3>();
  const auto count = static_cast<int64_t>(paths.size());
  for (int64_t x = 0; x < width; ++x) {
    const int64_t begin = start_of(x, count, width), end = std::max(begin + 1, start_of(x + 1, count, width));
    const auto heavy = std::count(paths.begin() + begin, paths.begin() + end, Path::heavy);
    const float share = static_cast<float>(heavy) / static_cast<float>(end - begin);
    for (int64_t y = 0; y < kRouteRows; ++y)
      for (int64_t channel = 0; channel < 3; ++channel)
        pixels[channel][y][x] = kLight[channel] + share * (kHeavy[channel] - kLight[channel]);
  }
  return picture;
}

}  // namespace

at::Tensor sound_picture(std::span<const float> samples, std::span<const float> reference, std::span<const Path> paths,
                         int64_t width) {
  const at::Tensor gap = at::ones({3, kGapRows, width});
  std::vector<at::Tensor> rows = {wave(samples, width), gap, spectrogram(samples, reference, width)};
  if (!paths.empty()) {
    rows.push_back(gap);
    rows.push_back(route(paths, width));
  }
  return at::cat(rows, 1);
}

}  // namespace lightswitch::cli
