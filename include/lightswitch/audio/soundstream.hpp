#pragma once

#include <lightswitch/audio/layout.hpp>
#include <lightswitch/audio/stream_state.hpp>
#include <lightswitch/weights.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace lightswitch::audio {

class Network;

/// What both halves of SoundStream (arXiv 2107.03312) share. Immutable: one object serves any number of streams and
/// threads, each with a StreamState of its own. Streaming in chunks of any size gives the bits of the whole at once.
/// After the first call with a state, later ones of no more frames allocate nothing.
class SoundStreamNetwork {
 public:
  const Layout& layout() const { return layout_; }
  /// State before a stream.
  StreamState start() const;
  /// Trained numbers.
  int64_t parameters() const;
  /// Multiply-adds of one frame, counted by the layers.
  int64_t macs_per_frame() const;

 protected:
  SoundStreamNetwork(Layout layout, std::shared_ptr<const Network> network);
  /// @throws TensorError when the state is another network's.
  const Network& checked(const StreamState& state) const;
  /// Frames in so many numbers. @throws TensorError when they are no whole frames.
  static int64_t frames_in(std::span<const float> numbers, int64_t per_frame, const char* what);

  Layout layout_;
  std::shared_ptr<const Network> network_;
};

/// Samples to embeddings.
class SoundStreamEncoder : public SoundStreamNetwork {
 public:
  /// Takes every tensor under `prefix` ("encoder."), strictly; tensors elsewhere in the file are looked at only when
  /// `prefix` is empty.
  /// @throws WeightsError listing what is missing, unexpected and misshapen; OptionError for an impossible layout.
  SoundStreamEncoder(const Layout& layout, std::shared_ptr<const WeightSource> weights, const std::string& prefix = "");

  /// @param samples frames * hop numbers, about -1 … 1.
  /// @param embeddings room for frames * features numbers.
  /// @throws TensorError for anything but whole frames, too little room, or another network's state.
  void encode(std::span<const float> samples, StreamState& state, std::span<float> embeddings) const;
};

/// Embeddings to samples.
class SoundStreamDecoder : public SoundStreamNetwork {
 public:
  /// As SoundStreamEncoder's.
  SoundStreamDecoder(const Layout& layout, std::shared_ptr<const WeightSource> weights, const std::string& prefix = "");

  /// @param embeddings frames * features numbers.
  /// @param samples room for frames * hop numbers, about -1 … 1, not clamped.
  /// @throws TensorError as encode().
  void decode(std::span<const float> embeddings, StreamState& state, std::span<float> samples) const;

  /// R: a frame's samples depend on its own embedding and on the R before it, and on nothing else.
  int64_t reach() const;
  /// Sets `state` to what decode() leaves after these frames, computing in every layer only what samples to come still
  /// depend on (the receptive cone). With the last reach() frames of a stream, or all of a shorter one, it is exact:
  /// the bits that follow are those of a decoder that never stopped. Fewer frames of a longer stream are an
  /// approximation, as if the stream began there.
  /// @param embeddings whole frames; the last reach() of them count.
  void warm_up(std::span<const float> embeddings, StreamState& state) const;
  /// Multiply-adds of warm_up() over so many frames.
  int64_t warm_up_macs(int64_t frames) const;
};

}  // namespace lightswitch::audio
