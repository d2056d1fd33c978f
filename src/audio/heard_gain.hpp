#pragma once

#include <lightswitch/audio/codec.hpp>

#include <memory>
#include <span>
#include <vector>

namespace lightswitch::audio {

/// What the heavy decoder really gains on each frame of one channel, as only the encoder can know it, who has the
/// original: the distance of the light decoder's sound from it less that of the heavy one's, in log-mel around the
/// frame. What the gate is trained to predict.
class HeardGain {
 public:
  /// @throws UnsupportedError for a model without a light decoder, or not of 16 kHz and frames of at most a window.
  explicit HeardGain(const std::shared_ptr<const CodecModel>& model);

  /// @param samples whole frames. @param indices what they were encoded to.
  void push(std::span<const float> samples, std::span<const int32_t> indices, int64_t stages);
  /// Of every frame; nothing may follow.
  std::vector<GateScore> finish();

 private:
  void measure();

  int64_t hop_, margin_;
  StreamDecoder light_, heavy_;
  std::vector<float> original_, by_light_, by_heavy_;  // from the first sample of the next frame's window
  std::vector<GateScore> gains_;
};

}  // namespace lightswitch::audio
