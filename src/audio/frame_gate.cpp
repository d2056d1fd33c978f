#include <ATen/ATen.h>
#include <lightswitch/audio/frame_gate.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "audio/parts.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch::audio {
namespace {

constexpr int kOutBits = 20;     // behind the point of the second layer's weights
constexpr int kHiddenBits = 16;  // behind the point of what goes into it
constexpr int kScoreBits = 16;   // behind the point of a GateScore
static_assert(gate_score_one == 1 << kScoreBits);
/// Hidden sums and weights are cut off here, so that no product of the second layer overflows.
constexpr int64_t kLargestHidden = int64_t(1) << 31, kLargestOut = int64_t(1) << 28;
constexpr int64_t kMostHidden = 256, kMostFeatures = 4096;

/// Binary exponent of a unit in which `largest` is at most `steps`.
int unit_for(float largest, float steps) {
  int exponent = 0;
  std::frexp(std::max(largest, 1e-20F) / steps, &exponent);
  return exponent;
}

int64_t in_units(float value, int unit, int64_t largest) {
  const double units = std::nearbyint(std::ldexp(static_cast<double>(value), -unit));
  return static_cast<int64_t>(std::clamp(units, -static_cast<double>(largest), static_cast<double>(largest)));
}

int64_t shifted(int64_t value, int left) {
  if (left <= -63) return value < 0 ? -1 : 0;
  if (left <= 0) return value >> -left;
  const int64_t most = std::numeric_limits<int64_t>::max() >> std::min(left, 62);
  return std::clamp(value, -most, most) << std::min(left, 62);
}

}  // namespace

FrameGate::FrameGate(int64_t features, float range, std::shared_ptr<const WeightSource> weights,
                     const std::string& prefix)
    : features_(features), embedding_unit_(unit_for(range, 32767)) {
  nn::WeightLoader loader = part_loader(std::move(weights), prefix);
  const auto shape = loader.shape_of("conv.weight");
  const int64_t count = shape.empty() ? 1 : std::clamp<int64_t>(shape[0], 1, kMostHidden);
  const at::Tensor weight = loader.take("conv.weight", {count, features, frames});
  const at::Tensor bias = loader.take("conv.bias", {count});
  const at::Tensor out = loader.take("out.weight", {1, count, 1}), out_bias = loader.take("out.bias", {1});
  loader.finish();
  for (const at::Tensor& tensor : {weight, bias, out, out_bias})
    if (!at::isfinite(tensor).all().item<bool>())
      throw NumericError("NaN or infinity", {loader.origin(), prefix, "", ""});
  for (int64_t h = 0; h < count; ++h) {
    const at::Tensor row = weight[h].transpose(0, 1).contiguous();  // [frame, feature]
    const int unit = unit_for(row.abs().max().item<float>(), 127);
    Hidden hidden{.weights = {}, .bias = 0, .unit = unit + embedding_unit_, .out = 0};
    for (int64_t i = 0; i < row.numel(); ++i)
      hidden.weights.push_back(static_cast<int8_t>(in_units(row.const_data_ptr<float>()[i], unit, 127)));
    hidden.bias = in_units(bias[h].item<float>(), hidden.unit, kLargestHidden);
    hidden.out = in_units(out[0][h][0].item<float>(), -kOutBits, kLargestOut);
    hidden_.push_back(std::move(hidden));
  }
  out_bias_ = in_units(out_bias[0].item<float>(), -kOutBits - kHiddenBits, int64_t(1) << 60);
}

int64_t FrameGate::parameters() const {
  return static_cast<int64_t>(hidden_.size()) * (frames * features_ + 2) + 1;
}

int64_t FrameGate::macs_per_frame() const {
  return static_cast<int64_t>(hidden_.size()) * (frames * features_ + 1);
}

GateScore FrameGate::score(std::span<const float> embeddings) const {
  const int64_t count = frames * features_;
  if (static_cast<int64_t>(embeddings.size()) != count)
    throw TensorError("not the frames of a score",
                      {"", "embeddings", std::to_string(count), std::to_string(embeddings.size())});
  std::array<int16_t, frames * kMostFeatures> rounded;
  // Multiplying by a power of two is exact; adding and taking away 1.5 * 2^23 rounds to the nearest even integer.
  const float scale = std::ldexp(1.0F, -embedding_unit_);
  constexpr float kRound = 12582912.0F;
  bool sound = true;
  for (int64_t i = 0; i < count; ++i) {
    const float value = embeddings[i] * scale;
    sound &= value == value;
    const float cut = std::min(std::max(value, -32767.0F), 32767.0F);
    rounded[i] = static_cast<int16_t>((cut + kRound) - kRound);
  }
  if (!sound) throw NumericError("NaN", {"", "embeddings", "", ""});
  int64_t score = out_bias_;
  for (const Hidden& hidden : hidden_) {
    // Pieces of 128 products of 2^15 * 2^7 fit 32 bits.
    int64_t sum = hidden.bias;
    for (int64_t start = 0; start < count; start += 128) {
      int32_t piece = 0;
      const int64_t end = std::min(count, start + 128);
      for (int64_t i = start; i < end; ++i) piece += int32_t(rounded[i]) * hidden.weights[i];
      sum += piece;
    }
    if (sum <= 0) continue;
    score += std::min(shifted(sum, hidden.unit + kHiddenBits), kLargestHidden) * hidden.out;
  }
  score = shifted(score, kScoreBits - kOutBits - kHiddenBits);
  return static_cast<GateScore>(
      std::clamp<int64_t>(score, std::numeric_limits<GateScore>::min(), std::numeric_limits<GateScore>::max()));
}

}  // namespace lightswitch::audio
