#include "decoder/tiling.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace lightswitch {

std::vector<TileSpan> tile_spans(int64_t length, int64_t tile, int64_t halo) {
  std::vector<TileSpan> spans;
  for (int64_t begin = 0; begin < length; begin += tile) {
    const int64_t end = std::min(begin + tile, length);
    spans.push_back({begin, end, std::max<int64_t>(0, begin - halo), std::min(length, end + halo)});
  }
  return spans;
}

at::Tensor decode_tiled(const at::Tensor& latents, int64_t tile, int64_t halo, int64_t factor,
                        const std::function<at::Tensor(const at::Tensor&)>& decode_one, const TileProgress& progress) {
  const auto rows = tile_spans(latents.size(2), tile, halo);
  const auto columns = tile_spans(latents.size(3), tile, halo);
  auto picture = at::empty({latents.size(0), 3, latents.size(2) * factor, latents.size(3) * factor},
                           latents.options().dtype(at::kFloat));
  int64_t done = 0;
  for (const TileSpan& row : rows) {
    for (const TileSpan& column : columns) {
      const auto part =
          decode_one(latents.slice(2, row.read_begin, row.read_end).slice(3, column.read_begin, column.read_end));
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

}  // namespace lightswitch
