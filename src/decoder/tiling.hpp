#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decode.hpp>

#include <cstdint>
#include <functional>
#include <vector>

namespace lightswitch {

/// One tile along one axis, in latents: [begin, end) is written, [read_begin, read_end) is decoded.
struct TileSpan {
  int64_t begin, end, read_begin, read_end;
};

/// Cuts `length` into tiles of `tile`, each read with `halo` more on both sides as far as there is anything.
std::vector<TileSpan> tile_spans(int64_t length, int64_t tile, int64_t halo);

/// Decodes tile by tile; exact when halo covers the receptive field.
/// @param decode_one [N, C, h, w] → [N, 3, h * factor, w * factor].
at::Tensor decode_tiled(const at::Tensor& latents, int64_t tile, int64_t halo, int64_t factor,
                        const std::function<at::Tensor(const at::Tensor&)>& decode_one, const TileProgress& progress);

}  // namespace lightswitch
