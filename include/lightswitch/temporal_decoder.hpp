#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

namespace lightswitch {

/// The decoding of one clip, from its first frame to its last. Belongs to one thread; what it remembers of the frames
/// that went by is its own.
class FrameStream {
 public:
  virtual ~FrameStream() = default;

  /// @param latents [channels, T, h, w] float32 of kind spec().network_input: the next T frames of the clip.
  /// @return the frames that are ready, [T', 3, h * factor, w * factor] float32 in spec().output_range, unclamped.
  /// @throws TensorError, Cancelled: the stream is then over.
  virtual at::Tensor push(const at::Tensor& latents, std::stop_token stop = {}) = 0;
};

/// A network that turns the latents of a clip into its frames, looking at several at once. The object does not change
/// after construction and may serve several streams at once.
class TemporalDecoder {
 public:
  virtual ~TemporalDecoder() = default;

  virtual const LatentSpec& spec() const = 0;
  virtual const NetworkInfo& info() const = 0;

  /// True when frames depend on how the clip is cut into pushes: each then sees the frames of its own push alone.
  virtual bool depends_on_chunks() const = 0;
  /// Frames that a clip of so many latents has in all, 1 or more latents.
  virtual int64_t frames(int64_t latents) const { return latents; }
  /// The decoder must outlive the stream.
  virtual std::unique_ptr<FrameStream> begin() const = 0;
  /// begin() of a clip whose latents are all known, as push() takes them; what is pushed are these, in order. For
  /// decoders whose frames depend on the whole clip, however it is cut.
  virtual std::unique_ptr<FrameStream> begin_clip(const at::Tensor& /*latents*/) const { return begin(); }

  /// Multiply-adds of one push of [channels, frames, h, w], counted by the layers themselves.
  virtual int64_t macs(int64_t frames, int64_t h, int64_t w) const = 0;
};

/// Called when a decoder's numbers were not finite: may open the same network in a wider dtype. Null, or no such
/// function, lets the error through.
using OpenWiderClips = std::function<std::shared_ptr<const TemporalDecoder>(const NumericError&)>;

/// Called when memory ran out: whether to decode on with so many latents at once. No such function lets the error
/// through.
using TryShorterChunks = std::function<bool(const MemoryError&, int64_t chunk)>;

/// How decode_clip() runs a decoder.
struct ClipOptions {
  LatentKind kind = LatentKind::diffusion;  ///< what the given latents are
  int64_t chunk = 0;  ///< latents that are pushed at once, the last chunk may be shorter; 0: the whole clip
  /// Decodes the clip again from its start; the frames that the sink has are not given to it again. May be empty.
  OpenWiderClips wider = {};
  /// As `wider`; chunks are halved each time. Frames that depend on the chunks then come from chunks of both lengths.
  TryShorterChunks shorter = {};
  TileProgress progress = {};  ///< frames done, of all that the clip will have; may be empty
  std::stop_token stop = {};   ///< checked between layers and chunks

  /// @throws OptionError.
  void validate() const;
};

/// Takes frames [T, 3, H, W] float32 in [0, 1], in order, as they become ready.
using FrameSink = std::function<void(const at::Tensor& frames)>;

/// The latents of one clip to frames: checks shape and numbers, converts to what the network eats, pushes chunk by
/// chunk, maps to [0, 1] and clamps. Holds no more than one chunk's frames.
/// @param latents [channels, T, h, w] floating point.
/// @throws TensorError (also when the decoder gives frames of another shape or number), NumericError (NaN or infinity
/// in or out), MemoryError, OptionError, Cancelled.
void decode_clip(const TemporalDecoder& decoder, const at::Tensor& latents, const ClipOptions& options,
                 const FrameSink& sink);

/// A decoder of pictures as one of clips: every frame is decoded alone, whatever the chunks.
std::shared_ptr<const TemporalDecoder> frame_by_frame(std::shared_ptr<const Decoder> decoder);

}  // namespace lightswitch
