#include "decoder/tiling.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace lightswitch {

std::vector<TileSpan> tile_spans(int64_t length, int64_t tile, int64_t halo) {
  std::vector<TileSpan> spans;
  for (int64_t begin = 0; begin < length; begin += tile) {
    const int64_t end = std::min(begin + tile, length);
    spans.push_back({begin, end, std::max<int64_t>(0, begin - halo), std::min(length, end + halo)});
  }
  return spans;
}

at::Tensor decode_exact_tiles(const at::Tensor& latents, int64_t tile, int64_t halo, int64_t factor,
                              const DecodeTile& decode_one, const TileProgress& progress) {
  const auto rows = tile_spans(latents.size(-2), tile, halo);
  const auto columns = tile_spans(latents.size(-1), tile, halo);
  auto picture = at::empty({latents.size(0), 3, latents.size(-2) * factor, latents.size(-1) * factor},
                           latents.options().dtype(at::kFloat));
  int64_t done = 0;
  for (const TileSpan& row : rows) {
    for (const TileSpan& column : columns) {
      const auto part =
          decode_one(latents.slice(-2, row.read_begin, row.read_end).slice(-1, column.read_begin, column.read_end));
      const auto kept =
          part.slice(2, (row.begin - row.read_begin) * factor, (row.end - row.read_begin) * factor)
              .slice(3, (column.begin - column.read_begin) * factor, (column.end - column.read_begin) * factor);
      picture.slice(2, row.begin * factor, row.end * factor)
          .slice(3, column.begin * factor, column.end * factor)
          .copy_(kept);
      if (progress) progress(++done, static_cast<int64_t>(rows.size() * columns.size()));
    }
  }
  return picture;
}

std::vector<int64_t> tile_starts(int64_t length, int64_t tile, int64_t overlap) {
  std::vector<int64_t> starts;
  const int64_t step = std::max<int64_t>(1, tile - overlap);
  for (int64_t start = 0; start + tile < length; start += step) starts.push_back(start);
  starts.push_back(std::max<int64_t>(0, length - tile));
  return starts;
}

namespace {

/// Weights along one axis of a tile [begin, end) of `length` pixels: rising over `ramp` pixels from each side that has
/// a neighbour, never zero.
at::Tensor edge_weights(int64_t begin, int64_t end, int64_t length, int64_t ramp) {
  const at::Tensor place = at::arange(end - begin, at::kFloat) + 0.5;
  at::Tensor weights = at::ones({end - begin});
  if (ramp == 0) return weights;
  if (begin > 0) weights = at::minimum(weights, place / ramp);
  if (end < length) weights = at::minimum(weights, place.flip(0) / ramp);
  return weights;
}

}  // namespace

at::Tensor decode_blended_tiles(const at::Tensor& latents, const TileOptions& tiles, int64_t factor,
                                const DecodeTile& decode_one, const TileProgress& progress) {
  const int64_t height = latents.size(-2), width = latents.size(-1);
  const int64_t overlap = std::llround(tiles.overlap * static_cast<double>(tiles.size)), ramp = overlap * factor;
  const auto rows = tile_starts(height, tiles.size, overlap), columns = tile_starts(width, tiles.size, overlap);
  const auto options = latents.options().dtype(at::kFloat);
  auto sum = at::zeros({latents.size(0), 3, height * factor, width * factor}, options);
  auto total = at::zeros({height * factor, width * factor}, options);
  int64_t done = 0;
  for (const int64_t top : rows) {
    const int64_t bottom = std::min(top + tiles.size, height);
    for (const int64_t left : columns) {
      const int64_t right = std::min(left + tiles.size, width);
      const auto place = [&](const at::Tensor& picture) {
        return picture.slice(-2, top * factor, bottom * factor).slice(-1, left * factor, right * factor);
      };
      const auto weights = at::outer(edge_weights(top * factor, bottom * factor, height * factor, ramp),
                                     edge_weights(left * factor, right * factor, width * factor, ramp));
      place(sum).addcmul_(decode_one(latents.slice(-2, top, bottom).slice(-1, left, right)), weights);
      place(total).add_(weights);
      if (progress) progress(++done, static_cast<int64_t>(rows.size() * columns.size()));
    }
  }
  return sum.div_(total);
}

at::Tensor thinned(const at::Tensor& latents, int64_t edge) {
  const int64_t longest = std::max(latents.size(-2), latents.size(-1));
  const int64_t step = (longest + edge - 1) / edge;
  // From the middle of the first step, so that no side counts for more; a short axis keeps one latent at least.
  const auto first = [&](int64_t axis) { return std::min(step / 2, latents.size(axis) - 1); };
  return latents.slice(-2, first(-2), latents.size(-2), step).slice(-1, first(-1), latents.size(-1), step);
}

}  // namespace lightswitch
