#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/routing.hpp>

#include <cstdint>
#include <vector>

namespace lightswitch::routed {

/// Pixels of a heavy tile over which it comes in beside a light one.
inline constexpr int64_t kBlend = 8;

/// The tiles of one picture, row after row.
class TileGrid {
 public:
  /// @param height, width of the picture and edge of a tile, in latents. Tiles at the right and the bottom may be
  /// partial.
  TileGrid(int64_t height, int64_t width, int64_t tile);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t count() const { return rows_ * columns_; }

  /// Features [1, C, h, w] as tiles with a halo, zeros beyond the picture: [count, C, tile + 2 halo, tile + 2 halo].
  at::Tensor cut(const at::Tensor& features, int64_t halo) const;
  /// Pixels of all tiles [count, 3, tile * factor, tile * factor] as the picture [1, 3, h * factor, w * factor].
  at::Tensor join(const at::Tensor& tiles, int64_t factor) const;

  /// Heavy tiles that have a light one among their eight neighbours.
  std::vector<int64_t> at_the_border(const RoutePlan& plan) const;
  /// Weight of the heavy branch at each pixel of those tiles: the distance from the nearest light pixel (the larger of
  /// both axes) over kBlend, at most 1. [tiles, 1, tile * factor, tile * factor] float32.
  at::Tensor heavy_weights(const RoutePlan& plan, const std::vector<int64_t>& tiles, int64_t factor) const;

 private:
  bool is_light(const RoutePlan& plan, int64_t row, int64_t column) const;

  int64_t height_, width_, tile_, rows_, columns_;
};

}  // namespace lightswitch::routed
