#include "audio/log_mel.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace lightswitch::audio {
namespace {

constexpr int64_t kBands = 80, kRate = 16000;

/// Slaney's mel scale: linear below 1 kHz, logarithmic above.
double mel_to_hz(double mel) {
  constexpr double kLinear = 200.0 / 3, kKnee = 1000.0 / kLinear;
  return mel < kKnee ? mel * kLinear : 1000 * std::exp(std::log(6.4) / 27 * (mel - kKnee));
}

double hz_to_mel(double hz) {
  constexpr double kLinear = 200.0 / 3, kKnee = 1000.0 / kLinear;
  return hz < 1000 ? hz / kLinear : kKnee + std::log(hz / 1000) / (std::log(6.4) / 27);
}

/// [bands, bins], triangles of area one.
at::Tensor mel_bands() {
  const int64_t bins = kMelWindow / 2 + 1;
  at::Tensor bands = at::zeros({kBands, bins}, at::kDouble);
  auto weights = bands.accessor<double, 2>();
  const double top = hz_to_mel(kRate / 2.0);
  const auto edge = [&](int64_t i) { return mel_to_hz(top * static_cast<double>(i) / (kBands + 1)); };
  for (int64_t band = 0; band < kBands; ++band) {
    const double low = edge(band), middle = edge(band + 1), high = edge(band + 2);
    for (int64_t bin = 0; bin < bins; ++bin) {
      const double hz = static_cast<double>(bin) * kRate / kMelWindow;
      weights[band][bin] =
          std::max(0.0, std::min((hz - low) / (middle - low), (high - hz) / (high - middle))) * 2 / (high - low);
    }
  }
  return bands;
}

}  // namespace

at::Tensor log_mel(const at::Tensor& sound, int64_t hop) {
  const at::Tensor padded = at::constant_pad_nd(sound, {0, std::max<int64_t>(0, kMelWindow - sound.numel())});
  const at::Tensor window = at::hann_window(kMelWindow, true, at::kDouble);
  const at::Tensor power = at::fft_rfft(padded.unfold(0, kMelWindow, hop) * window).abs().square();
  return at::matmul(power, mel_bands().t()).clamp_min(1e-5).log10();
}

}  // namespace lightswitch::audio
