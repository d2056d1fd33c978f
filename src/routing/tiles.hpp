#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/routing.hpp>

#include <cstdint>
#include <vector>

namespace lightswitch {

/// Pixels of a heavy tile over which it comes in beside a light one.
inline constexpr int64_t kBlend = 8;

/// Tiles that are made together: a square of the grid.
struct TileBlock {
  int64_t row = 0, column = 0;
  int64_t edge = 1;
  bool operator==(const TileBlock&) const = default;
};

/// The tiles of one picture, row after row.
class TileGrid {
 public:
  /// @param height, width of the picture and edge of a tile, in latents. Tiles at the right and the bottom may be
  /// partial.
  TileGrid(int64_t height, int64_t width, int64_t tile);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t count() const { return rows_ * columns_; }

  /// The heavy tiles as blocks, each in one of them, so that neighbours share their halo. Edges are powers of two, so
  /// that few sizes ever occur; larger blocks are taken first, from the top left.
  /// @param longest edge of a block in tiles, a power of two.
  std::vector<TileBlock> heavy_blocks(const RoutePlan& plan, int64_t longest) const;

  /// Where a block lies in something of the picture's size [N, C, height * factor, width * factor]: a view, cut off at
  /// the right and the bottom where its last tiles are partial.
  at::Tensor place(const at::Tensor& picture, const TileBlock& block, int64_t factor) const;

  /// Weight of the heavy path at each pixel: 0 on light tiles, 1 on heavy ones, and there beside light ones the
  /// distance from the nearest light pixel (the larger of both axes) over kBlend.
  /// @return [1, 1, height * factor, width * factor] float32.
  at::Tensor heavy_weights(const RoutePlan& plan, int64_t factor) const;

 private:
  bool is_light(const RoutePlan& plan, int64_t row, int64_t column) const;

  int64_t height_, width_, tile_, rows_, columns_;
};

}  // namespace lightswitch
