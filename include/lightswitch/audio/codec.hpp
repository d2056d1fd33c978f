#pragma once

#include <lightswitch/audio/codec_model.hpp>
#include <lightswitch/audio/switching_decoder.hpp>
#include <lightswitch/routing.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace lightswitch::audio {

/// One channel of sound to codes, frame by frame; zero delay beyond the frame itself. Copyable: copies go on alone.
/// After the first call, calls of no more frames allocate nothing.
class StreamEncoder {
 public:
  /// @param stages of the quantizer, 1 … model->quantizer().stages(); each costs bits. @throws OptionError.
  StreamEncoder(std::shared_ptr<const CodecModel> model, int64_t stages);

  /// @param samples whole frames at the model's rate, about -1 … 1.
  /// @return frames * stages indices, until the next call. @throws TensorError, NumericError.
  std::span<const int32_t> encode(std::span<const float> samples);
  /// Another number of stages from the next frame on. @throws OptionError.
  void set_stages(int64_t stages);
  int64_t stages() const { return stages_; }

 private:
  std::shared_ptr<const CodecModel> model_;
  int64_t stages_;
  StreamState state_;
  std::vector<float> embeddings_;
  std::vector<int32_t> indices_;
};

/// Codes of one channel to sound, frame by frame. Copyable. The light path allocates nothing once it runs.
///
/// Frames that did not arrive are concealed as Lyra does: the decoder is given embeddings of zeros; after 80 ms of that
/// the sound fades out in 40 ms, and it fades in again over 20 ms once frames come.
class StreamDecoder {
 public:
  /// The decoders that a stream may ask for.
  enum class Decoders {
    both,   ///< the light one always runs, so that every frame may take either path
    heavy,  ///< the light one does not run: every frame is heavy
  };

  /// A model without a light decoder has the heavy path alone. @throws OptionError.
  explicit StreamDecoder(std::shared_ptr<const CodecModel> model, SwitchingDecoder::Options options = {},
                         Decoders decoders = Decoders::both);

  /// All frames by one path.
  /// @param indices frames * stages. @return frames * hop samples, until the next call.
  /// @throws TensorError, OptionError for stages that the quantizer has not, UnsupportedError for a light path where
  /// the light decoder is not there or does not run.
  std::span<const float> decode(std::span<const int32_t> indices, int64_t stages, Path path);
  /// Each frame by its own path. @param paths one a frame.
  std::span<const float> decode(std::span<const int32_t> indices, int64_t stages, std::span<const Path> paths);
  /// Each frame by the path that a router chooses by the gate's scores. @throws UnsupportedError for a model without
  /// gate.
  std::span<const float> decode(std::span<const int32_t> indices, int64_t stages, LiveRouter& router);
  /// Frames that did not arrive.
  std::span<const float> conceal(int64_t frames);

  /// The gate's scores of frames that follow each other from the start of a stream, in pieces.
  /// @return one a frame, until the next call. @throws UnsupportedError for a model without gate.
  std::span<const GateScore> scores(std::span<const int32_t> indices, int64_t stages);

  /// Frames by path, and what they cost. Without a light decoder every frame is heavy.
  RoutingStats stats() const;
  /// Frames that were concealed.
  int64_t concealed() const { return concealed_; }

 private:
  std::span<const float> run(std::span<const Path> paths);
  void dequantize(std::span<const int32_t> indices, int64_t stages);
  void score_embeddings();
  void shift_gated(std::span<const float> embedding);
  void fade(bool lost, int64_t frames);

  std::shared_ptr<const CodecModel> model_;
  std::optional<SwitchingDecoder> switching_;
  SwitchingState state_;      // of `switching_`
  StreamState heavy_;         // without it
  int64_t heavy_frames_ = 0;  // without it
  std::vector<float> gated_;  // embeddings of the last frames that the gate looked at
  std::vector<float> embeddings_, samples_;
  std::vector<GateScore> scores_;
  std::vector<Path> paths_;
  int64_t concealed_ = 0;
  int64_t lost_samples_ = 0;  // since the last frame that arrived
  double level_ = 1;          // of the last sample
};

}  // namespace lightswitch::audio
