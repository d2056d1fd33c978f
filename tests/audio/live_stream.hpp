#pragma once

#include <lightswitch/audio/codec.hpp>

#include <memory>
#include <vector>

#include "audio/codec_case.hpp"

namespace lightswitch::audio::testing {

/// A stream as an application runs it, of random weights, 20 ms a call: encoded, routed by the gate, decoded; one frame
/// of a hundred does not arrive.
class LiveStream {
 public:
  static constexpr int64_t kFramesPerMinute = 3000;

  void run(int64_t frames) {
    for (int64_t i = 0; i < frames; ++i, ++frame_) {
      const size_t start = static_cast<size_t>(frame_ * hop_) % (sound_.size() - hop_);
      const auto packet = encoder_.encode(std::span(sound_).subspan(start, hop_));
      frame_ % 100 == 99 ? decoder_.conceal(1) : decoder_.decode(packet, kStages, router_);
    }
  }
  RoutingStats stats() const { return decoder_.stats(); }

 private:
  static constexpr int64_t kStages = 16;
  std::shared_ptr<const CodecModel> model_ = std::make_shared<const CodecModel>(random_codec(true), "");
  int64_t hop_ = model_->hop();
  std::vector<float> sound_ = noise(1 << 18);
  StreamEncoder encoder_{model_, kStages};
  StreamDecoder decoder_{model_};
  LiveRouter router_{{.heavy_share = 0.2, .warm_up = 8.5}};
  int64_t frame_ = 0;
};

}  // namespace lightswitch::audio::testing
