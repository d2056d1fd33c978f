#pragma once

#include <lightswitch/routing.hpp>
#include <lightswitch/weights.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lightswitch::audio {

/// Says of a frame how much nearer to the original the heavy decoder is expected to come than the light one, from what
/// both decoders get: the dequantized embeddings of the frame and of the two before it. A convolution of 3 frames,
/// ReLU, and a weighted sum (arXiv 2404.04405 gives no layers; this is the project's own design).
///
/// Computed in integers: embeddings of 16 bits, weights of 8. Equal codes give equal scores on every machine and with
/// any number of threads.
class FrameGate {
 public:
  /// Frames that a score looks at, its own included.
  static constexpr int64_t frames = 3;

  /// Takes PREFIX conv.weight [H, features, 3], conv.bias [H], out.weight [1, H, 1], out.bias [1], strictly.
  /// @param range the largest magnitude in an embedding that matters; beyond the next power of two, numbers are cut
  /// off.
  /// @throws WeightsError listing what is missing, unexpected and misshapen; NumericError for NaN or infinity.
  FrameGate(int64_t features, float range, std::shared_ptr<const WeightSource> weights, const std::string& prefix = "");

  /// @param embeddings frames * features numbers: frame t-2, t-1, t; zeros before the stream.
  /// @throws TensorError for another size, NumericError for NaN.
  GateScore score(std::span<const float> embeddings) const;

  int64_t features() const { return features_; }
  int64_t parameters() const;
  int64_t macs_per_frame() const;

 private:
  struct Hidden {
    std::vector<int8_t> weights;  // [frame][feature]
    int64_t bias;                 // in units of the sum
    int unit;                     // binary exponent of those units
    int64_t out;                  // weight of the sum that follows, in units of 2^-kOutBits
  };

  int64_t features_;
  int embedding_unit_;  // binary exponent of one step of a rounded embedding
  int64_t out_bias_;    // in units of the score's sum
  std::vector<Hidden> hidden_;
};

}  // namespace lightswitch::audio
