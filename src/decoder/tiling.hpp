#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decode.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace lightswitch {

/// The next smaller tiles that this decoder can have: those of the largest size below `tiles`, or of a whole picture.
/// Nothing where there are none.
/// @param height, width of the latents.
std::optional<TileOptions> smaller_tiles(const Decoder& decoder, int64_t height, int64_t width,
                                         const TileOptions& tiles);

/// One tile along one axis, in latents: [begin, end) is written, [read_begin, read_end) is decoded.
struct TileSpan {
  int64_t begin, end, read_begin, read_end;
};

/// Cuts `length` into tiles of `tile`, each read with `halo` more on both sides as far as there is anything.
std::vector<TileSpan> tile_spans(int64_t length, int64_t tile, int64_t halo);

/// What decodes one tile: [N, C, h, w] → [N, 3, h * factor, w * factor].
using DecodeTile = std::function<at::Tensor(const at::Tensor&)>;

/// Decodes tile by tile; exact when halo covers the receptive field.
at::Tensor decode_exact_tiles(const at::Tensor& latents, int64_t tile, int64_t halo, int64_t factor,
                              const DecodeTile& decode_one, const TileProgress& progress);

/// Where tiles of `tile` begin that overlap by at least `overlap`; the last one ends at `length`.
std::vector<int64_t> tile_starts(int64_t length, int64_t tile, int64_t overlap);

/// Decodes tiles that overlap and blends them: their weights rise across the overlap and are normalised.
at::Tensor decode_blended_tiles(const at::Tensor& latents, const TileOptions& tiles, int64_t factor,
                                const DecodeTile& decode_one, const TileProgress& progress);

/// Every k-th latent along both axes, k the least that leaves `edge` or fewer: values and so their statistics stay as
/// they are, which averaging would not leave them.
at::Tensor thinned(const at::Tensor& latents, int64_t edge);

}  // namespace lightswitch
