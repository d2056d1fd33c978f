#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder.hpp>

#include <cstdint>
#include <functional>
#include <stop_token>

namespace lightswitch {

/// Called after each tile (or after the whole picture): done of total.
using TileProgress = std::function<void(int64_t done, int64_t total)>;

/// How decode() runs a decoder.
struct DecodeOptions {
  LatentKind kind = LatentKind::diffusion;  ///< what the given latents are
  /// Edge of a tile in latents, halo not included; 0 decodes the picture whole. Tiles are exact (halo >= receptive
  /// field), so a decoder with global operations refuses them.
  int64_t tile_size = 0;
  TileProgress progress = {};  ///< called on the decoding thread; may be empty
  std::stop_token stop = {};   ///< checked between layers and tiles
};

/// Latents to pictures: checks shape and numbers, converts to what the network eats, tiles, maps to [0, 1] and clamps.
/// @param latents [N, C, h, w] floating point; indices are [N, h, w] int64.
/// @return [N, 3, h * factor, w * factor] float32 in [0, 1], contiguous. Picture i does not depend on the others.
/// @throws TensorError (shape, channels, dtype, kind), NumericError (NaN or infinity in or out), UnsupportedError
/// (tiles on a decoder with global operations), Cancelled.
at::Tensor decode(const Decoder& decoder, const at::Tensor& latents, const DecodeOptions& options = {});

/// Pictures to latents of the asked kind (a posterior's mode).
/// @param pictures [N, 3, H, W] float32 in [0, 1]; H and W multiples of the factor.
/// @return [N, C, H / factor, W / factor] float32.
/// @throws TensorError, NumericError, Cancelled.
at::Tensor encode(const Encoder& encoder, const at::Tensor& pictures, LatentKind kind = LatentKind::diffusion,
                  std::stop_token stop = {});

}  // namespace lightswitch
