#include <ATen/ATen.h>
#include <lightswitch/audio/metrics.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "audio/log_mel.hpp"

namespace lightswitch::audio {
namespace {

constexpr int64_t kMelHop = 256;
constexpr double kEps = std::numeric_limits<double>::epsilon();

/// Double precision; sums over whole sounds lose too much in single.
at::Tensor checked(std::span<const float> sound) {
  // from_blob wants a pointer that is not const; the clone is what is kept.
  const at::Tensor numbers =
      at::from_blob(const_cast<float*>(sound.data()), {static_cast<int64_t>(sound.size())}, at::kFloat)
          .to(at::kDouble, false, true);
  if (!at::isfinite(numbers).all().item<bool>()) throw NumericError("sound holds NaN or infinity");
  return numbers;
}

struct Pair {
  Pair(std::span<const float> sound, std::span<const float> original) {
    if (sound.size() != original.size() || sound.empty())
      throw TensorError("sounds of one length are compared",
                        {"", "samples", std::to_string(original.size()), std::to_string(sound.size())});
    found = checked(sound);
    reference = checked(original);
  }
  at::Tensor found, reference;
};

// STOI.
constexpr int64_t kStoiRate = 10000, kStoiFrame = 256, kStoiFft = 512, kStoiBands = 15, kStoiSegment = 30;
constexpr double kStoiLowest = 150, kStoiBeta = -15, kStoiRange = 40;

/// A Kaiser-windowed sinc, 60 dB down outside of its band.
at::Tensor resampling_filter(int64_t up, int64_t down) {
  const double cutoff = 1.0 / (2.0 * static_cast<double>(std::max(up, down)));
  constexpr double kRejection = 60;
  const auto half = static_cast<int64_t>(std::ceil((kRejection - 8) / (28.714 * cutoff / 10)));
  const at::Tensor t = at::arange(-half, half + 1, at::kDouble);
  const at::Tensor ideal = at::sinc(t * (2 * cutoff));
  const at::Tensor filter = at::kaiser_window(2 * half + 1, false, 0.1102 * (kRejection - 8.7), at::kDouble) * ideal;
  return filter / filter.sum() * static_cast<double>(up);
}

at::Tensor resampled(const at::Tensor& sound, int64_t from, int64_t to) {
  if (from == to) return sound;
  const int64_t common = std::gcd(from, to), up = to / common, down = from / common;
  const at::Tensor filter = resampling_filter(up, down);
  const int64_t half = filter.numel() / 2, count = sound.numel(), length = (count * up + down - 1) / down;
  at::Tensor out = at::empty({length}, at::kDouble);
  const double *x = sound.const_data_ptr<double>(), *h = filter.const_data_ptr<double>();
  for (int64_t n = 0; n < length; ++n) {
    // Sums x[m] h[n * down - m * up + half] over the m inside of the filter.
    const int64_t centre = n * down;
    const int64_t first = std::max<int64_t>(0, (centre - half + up - 1) / up);
    const int64_t last = std::min(count - 1, (centre + half) / up);
    double sum = 0;
    for (int64_t m = first; m <= last; ++m) sum += x[m] * h[centre - m * up + half];
    out.mutable_data_ptr<double>()[n] = sum;
  }
  return out;
}

/// Hann without its zeros.
at::Tensor stoi_window() {
  return at::hann_window(kStoiFrame + 2, false, at::kDouble).narrow(0, 1, kStoiFrame);
}

/// As the authors' code: without the frame that ends with the sound.
at::Tensor frames_of(const at::Tensor& sound) {
  if (sound.numel() <= kStoiFrame) return at::zeros({0, kStoiFrame}, at::kDouble);
  return sound.narrow(0, 0, sound.numel() - 1).unfold(0, kStoiFrame, kStoiFrame / 2) * stoi_window();
}

at::Tensor overlap_added(const at::Tensor& frames) {
  at::Tensor sound = at::zeros({(frames.size(0) + 1) * kStoiFrame / 2}, at::kDouble);
  for (int64_t i = 0; i < frames.size(0); ++i) sound.narrow(0, i * kStoiFrame / 2, kStoiFrame) += frames[i];
  return sound;
}

/// [bands, bins]: third octaves from 150 Hz.
at::Tensor third_octaves() {
  const int64_t bins = kStoiFft / 2 + 1;
  const auto bin_of = [](double hz) {
    return static_cast<int64_t>(std::ceil(hz * kStoiFft / kStoiRate - 0.5));  // the nearest, the lower of two
  };
  at::Tensor bands = at::zeros({kStoiBands, bins}, at::kDouble);
  for (int64_t k = 0; k < kStoiBands; ++k) {
    const int64_t low = bin_of(kStoiLowest * std::pow(2.0, static_cast<double>(2 * k - 1) / 6));
    const int64_t high = bin_of(kStoiLowest * std::pow(2.0, static_cast<double>(2 * k + 1) / 6));
    bands[k].narrow(0, low, high - low).fill_(1);
  }
  return bands;
}

/// [bands, frames].
at::Tensor band_levels(const at::Tensor& sound) {
  const at::Tensor power = at::fft_rfft(frames_of(sound), kStoiFft).abs().square();
  return at::matmul(third_octaves(), power.t()).sqrt();
}

}  // namespace

double si_snr(std::span<const float> sound, std::span<const float> original) {
  const Pair pair(sound, original);
  const at::Tensor found = pair.found - pair.found.mean(), reference = pair.reference - pair.reference.mean();
  const double power = reference.square().sum().item<double>();
  if (power == 0) throw NumericError("silence is no reference", {"", "reference", "sound", "silence"});
  const at::Tensor target = reference * ((found * reference).sum().item<double>() / power);
  const double noise = (found - target).square().sum().item<double>();
  return 10 * std::log10(target.square().sum().item<double>() / noise);
}

double log_mel_distance(std::span<const float> sound, std::span<const float> original) {
  const Pair pair(sound, original);
  return (log_mel(pair.found, kMelHop) - log_mel(pair.reference, kMelHop)).abs().mean().item<double>();
}

double stoi(std::span<const float> sound, std::span<const float> original, int64_t sample_rate) {
  if (sample_rate < 1000 || sample_rate > 1000000)
    throw TensorError("unusable rate", {"", "sample_rate", "1000 … 1000000", std::to_string(sample_rate)});
  const Pair pair(sound, original);
  at::Tensor x = frames_of(resampled(pair.reference, sample_rate, kStoiRate));
  at::Tensor y = frames_of(resampled(pair.found, sample_rate, kStoiRate));
  if (x.size(0) > 0) {
    const at::Tensor energy = (x.square().sum(1).sqrt() + kEps).log10() * 20;
    const at::Tensor loud = (energy.max() - kStoiRange - energy < 0).nonzero().squeeze(1);
    x = x.index_select(0, loud);
    y = y.index_select(0, loud);
  }
  if (x.size(0) <= kStoiSegment)  // put together again, they are a frame less
    throw TensorError("too short for intelligibility",
                      {"", "reference", "0.4 s that are no silence", std::to_string(x.size(0)) + " frames of 12.8 ms"});
  x = band_levels(overlap_added(x));
  y = band_levels(overlap_added(y));
  x = x.unfold(1, kStoiSegment, 1);  // [bands, segments, frames]
  y = y.unfold(1, kStoiSegment, 1);
  const auto norm = [](const at::Tensor& levels) { return levels.square().sum(2, true).sqrt(); };
  y = y * (norm(x) / (norm(y) + kEps));
  y = at::minimum(y, x * (1 + std::pow(10.0, -kStoiBeta / 20)));
  y = y - y.mean(2, true);
  x = x - x.mean(2, true);
  return ((x / (norm(x) + kEps)) * (y / (norm(y) + kEps))).sum(2).mean().item<double>();
}

double segmental_snr(std::span<const float> sound, std::span<const float> original, int64_t sample_rate) {
  if (sample_rate < 1000 || sample_rate > 1000000)
    throw TensorError("unusable rate", {"", "sample_rate", "1000 … 1000000", std::to_string(sample_rate)});
  const Pair pair(sound, original);
  const auto frame = static_cast<int64_t>(std::lround(0.03 * static_cast<double>(sample_rate)));
  if (pair.reference.numel() < frame)
    throw TensorError("too short for a frame",
                      {"", "reference", std::to_string(frame), std::to_string(pair.reference.numel())});
  const at::Tensor window = at::hann_window(frame + 2, false, at::kDouble).narrow(0, 1, frame);
  const auto energy = [&](const at::Tensor& numbers) {
    return (numbers.unfold(0, frame, frame / 4) * window).square().sum(1);
  };
  const at::Tensor ratio = energy(pair.reference) / (energy(pair.reference - pair.found) + kEps) + kEps;
  return (ratio.log10() * 10).clamp(-10, 35).mean().item<double>();
}

}  // namespace lightswitch::audio
