#pragma once

#include <lightswitch/audio/soundstream.hpp>
#include <lightswitch/routing.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lightswitch::audio {

/// What a SwitchingDecoder remembers of a stream, and what it has done for it. Copyable, storable.
struct SwitchingState {
  StreamState light, heavy;
  std::vector<float> ring;       ///< the last embeddings, oldest first: as many frames as warming up looks at
  int64_t known = 0;             ///< frames of the stream in `ring`
  std::optional<Path> path;      ///< of the last frame
  bool heavy_is_current = true;  ///< `heavy` stands behind the last frame
  int64_t frames[2] = {0, 0};    ///< light, heavy
  int64_t switch_ons = 0;        ///< times that the heavy decoder was warmed up
  int64_t switching_macs =
      0;  ///< of warm-ups, of heavy frames that only fade out, and of light frames below heavy ones

  /// Little-endian: "LSSW", version, contents.
  std::string to_bytes() const;
  /// @throws FormatError for anything that to_bytes() did not write, NumericError for NaN or infinity.
  static SwitchingState from_bytes(std::string_view bytes);
};

/// Decodes each frame of a stream with the light or the heavy decoder, whichever it is told.
///
/// The light decoder always runs: its state is always right, and changing to it needs nothing. The heavy one stands
/// still while it is not heard; before it is, its state is built from the last embeddings alone
/// (SoundStreamDecoder::warm_up). So heavy frames are those of a decoder that never stopped, whatever the route, and a
/// seek is a change like any other. Where the path changes, the first samples of the frame fade from one decoder to the
/// other by a raised cosine; for the way back the heavy decoder runs one frame longer. Everywhere else samples are bit
/// for bit the plain decoder's.
class SwitchingDecoder {
 public:
  struct Options {
    /// Frames that the heavy decoder is warmed up with: the default is exact; fewer cost less and are an approximation.
    std::optional<int64_t> warm_up_frames = {};
    /// Samples of a fade; 5 ms at 16 kHz. At most a frame.
    int64_t fade = 80;
  };

  /// Keeps copies of both, which share their weights.
  /// @throws TensorError when they are not of one latent space, OptionError.
  SwitchingDecoder(SoundStreamDecoder light, SoundStreamDecoder heavy, Options options);
  SwitchingDecoder(SoundStreamDecoder light, SoundStreamDecoder heavy);

  SwitchingState start() const;

  /// @param embeddings paths.size() * features numbers. @param samples room for paths.size() * hop.
  /// @throws TensorError for other sizes or another decoder's state.
  void decode(std::span<const float> embeddings, std::span<const Path> paths, SwitchingState& state,
              std::span<float> samples) const;

  const SoundStreamDecoder& light() const { return light_; }
  const SoundStreamDecoder& heavy() const { return heavy_; }
  /// Frames that warming up looks at.
  int64_t warm_up_frames() const { return warm_up_frames_; }
  /// Heavy frames that a change to the heavy decoder costs in multiply-adds, the frame of the way back included: what
  /// plans call warm_up.
  double switch_cost() const;
  /// Multiply-adds and frames so far. What a heavy frame costs is the heavy decoder alone; the light one that runs
  /// below it counts, like warm-ups and fades, as warm_up_macs. @param gate of each frame.
  RoutingStats stats(const SwitchingState& state, PathCost gate = {}) const;

 private:
  void decode_block(std::span<const float> embeddings, std::span<const Path> paths, SwitchingState& state,
                    std::span<float> samples) const;

  SoundStreamDecoder light_, heavy_;
  int64_t warm_up_frames_;
  std::vector<float> fade_;  // weight of what comes, rising
};

}  // namespace lightswitch::audio
