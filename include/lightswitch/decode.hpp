#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

namespace lightswitch {

/// Called after each tile (or after the whole picture): done of total.
using TileProgress = std::function<void(int64_t done, int64_t total)>;

/// Called when a decoder's numbers were not finite: may open the same network in a wider dtype, with which the pictures
/// are then decoded again. Null, or no such function, lets the error through.
using OpenWider = std::function<std::shared_ptr<const Decoder>(const NumericError&)>;

/// How a picture is cut up to bound memory. Tiles of a decoder without global operations are exact: each is read with
/// all that can influence it. Those of a decoder with global operations are approximate: their norms share statistics
/// that are measured on a thinned copy of the latents, attention sees one tile, and overlapping tiles are blended.
struct TileOptions {
  int64_t size = 0;  ///< edge of a tile in latents, the exact tiles' halo not included; 0 decodes the picture whole
  double overlap = 0.25;    ///< share of an approximate tile's edge that it has in common with its neighbour, 0 … 0.9
  bool only_exact = false;  ///< refuse a decoder whose tiles are approximate

  /// @throws OptionError.
  void validate() const;
};

/// Called when memory ran out, with the next smaller tiles: true decodes everything again in those. False, or no such
/// function, lets the error through.
using TrySmaller = std::function<bool(const MemoryError&, const TileOptions& smaller)>;

/// Bytes that decode() of one picture has in use at one time, weights not counted. Nothing where the decoder cannot
/// tell.
/// @param height, width of the latents.
std::optional<int64_t> predicted_decode_bytes(const Decoder& decoder, int64_t height, int64_t width,
                                              const TileOptions& tiles = {});

/// The whole picture, or the largest tiles with which decode() of one picture stays within max_bytes; `wanted` says
/// what tiles may be like, and their size is an upper bound where it is not 0.
/// @throws UnsupportedError when no tiles are small enough, or the decoder cannot tell or have any.
TileOptions fitting_tiles(const Decoder& decoder, int64_t height, int64_t width, int64_t max_bytes,
                          const TileOptions& wanted = {});

/// How decode() runs a decoder.
struct DecodeOptions {
  LatentKind kind = LatentKind::diffusion;  ///< what the given latents are
  TileOptions tiles = {};
  OpenWider wider = {};        ///< may be empty
  TrySmaller smaller = {};     ///< may be empty
  TileProgress progress = {};  ///< called on the decoding thread; may be empty
  RouteObserver routed = {};   ///< told afterwards of each picture, or tile of `tiles`, that a routed decoder made
  std::stop_token stop = {};   ///< checked between layers and tiles
};

/// Latents to pictures: checks shape and numbers, converts to what the network eats, tiles, maps to [0, 1] and clamps.
/// @param latents [N, C, h, w] floating point; indices are [N, h, w] int64.
/// @return [N, 3, h * factor, w * factor] float32 in [0, 1], contiguous. Picture i does not depend on the others, but
/// for decoders that route whole pictures: a share of heavy ones is one of this batch.
/// @throws TensorError (shape, channels, dtype, kind), NumericError (NaN or infinity in or out; the message names the
/// layer that made the first), UnsupportedError (tiles that this decoder cannot have), OptionError (tiles),
/// MemoryError, Cancelled.
at::Tensor decode(const Decoder& decoder, const at::Tensor& latents, const DecodeOptions& options = {});

/// Pictures to latents of the asked kind (a posterior's mode, or a codebook's indices).
/// @param pictures [N, 3, H, W] float32 in [0, 1]; H and W multiples of the factor.
/// @return [N, C, H / factor, W / factor] float32; indices are [N, H / factor, W / factor] int64.
/// @throws TensorError, NumericError, UnsupportedError (indices of an encoder without a codebook), Cancelled.
at::Tensor encode(const Encoder& encoder, const at::Tensor& pictures, LatentKind kind = LatentKind::diffusion,
                  std::stop_token stop = {});

/// The range that the pictures of this decoder seem to have, whatever its spec says: it decodes noise as a denoiser
/// starts from, in which a decoder trained to [-1, 1] leaves half of the numbers below zero and one trained to [0, 1]
/// nearly none. For trained weights; those of some tiny decoders are used both ways, and no file says which it is.
/// @return nullopt when the pictures fit neither, and for decoders of indices.
/// @throws Cancelled.
std::optional<OutputRange> guess_output_range(const Decoder& decoder, std::stop_token stop = {});

}  // namespace lightswitch
