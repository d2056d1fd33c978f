#pragma once

#include <lightswitch/audio/layout.hpp>
#include <lightswitch/audio/stream_state.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "audio/convolution.hpp"

namespace lightswitch::nn {
class WeightLoader;
}

namespace lightswitch::audio {

/// Changes the channels, and mostly the time step.
struct Resampler {
  Convolution convolution;
  bool activated = false;  ///< the activation stands before it

  int64_t history() const { return convolution.history(); }
  int64_t channels() const { return convolution.inputs(); }
};

/// x + mix(act(conv(act(x)))).
struct Unit {
  std::optional<DepthwiseConvolution> depthwise;  ///< before `convolution`, which is 1x1 then
  Convolution convolution, mix;

  int64_t history() const { return depthwise ? depthwise->history() : convolution.history(); }
  int64_t channels() const { return mix.outputs(); }
  int64_t macs_per_step() const {
    return (depthwise ? depthwise->macs_per_step() : 0) + convolution.macs_per_step() + mix.macs_per_step();
  }
};

/// A causal chain of layers over rows of channels, one row a time step. "Frame" is the coarser of its two ends.
class Network {
 public:
  /// Names under the loader's prefix: first, stages.I.resample, stages.I.units.J.{depthwise, pointwise, conv, mix},
  /// last; `.weight` and `.bias`, as torch's nn.Conv1d and nn.ConvTranspose1d lay them out.
  static Network decoder(const Layout& layout, nn::WeightLoader& weights);
  /// Names the same; stages are counted from the samples.
  static Network encoder(const Layout& layout, nn::WeightLoader& weights);

  /// Numbers of a stream's state.
  int64_t memory() const { return memory_; }
  int64_t inputs_per_frame() const { return rows_in_ * layers_.front_channels; }
  int64_t outputs_per_frame() const { return rows_out_ * layers_.back_channels; }
  int64_t macs_per_frame() const { return macs_; }
  int64_t parameters() const { return parameters_; }

  /// Any number of frames; continues where `memory` ends and leaves it behind the last one.
  void run(std::span<const float> in, std::span<float> memory, Workspace& workspace, std::span<float> out) const;

  /// Frames of the past that the outputs to come depend on, from the layers. Of decoders.
  int64_t reach() const { return reach_; }
  /// Sets `memory` to what run() leaves after these frames, computing in each layer just the rows that outputs to come
  /// still look at. Fewer than reach() frames are the beginning of a stream; of more, the last ones count. Of decoders.
  void warm_up(std::span<const float> frames, std::span<float> memory, Workspace& workspace) const;
  /// Multiply-adds of warm_up() over that many frames.
  int64_t warm_up_macs(int64_t frames) const;

 private:
  struct Layers {
    std::vector<std::variant<Resampler, Unit>> all;
    int64_t front_channels = 0, back_channels = 0;
  };

  void finish(Activation activation);
  void reserve(Workspace& workspace, int64_t frames) const;
  void run_block(const float* in, int64_t frames, float* memory, Workspace& workspace, float* out) const;
  void activate(const float* x, float* out, int64_t count) const;
  template <typename Visit>
  int64_t walk_cone(int64_t frames, const Visit& visit) const;

  Layers layers_;
  Activation activation_ = Activation::leaky;
  std::vector<int64_t> offsets_;  ///< of each layer's rows in a stream's memory
  std::vector<int64_t> rows_;     ///< that a frame has at each layer's input
  std::vector<int64_t> needed_;   ///< rows of the past at each layer's input that outputs to come depend on
  int64_t memory_ = 0, rows_in_ = 1, rows_out_ = 1, macs_ = 0, parameters_ = 0, reach_ = 0;
};

}  // namespace lightswitch::audio
