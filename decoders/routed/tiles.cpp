#include "routed/tiles.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace lightswitch::routed {

TileGrid::TileGrid(int64_t height, int64_t width, int64_t tile)
    : height_(height),
      width_(width),
      tile_(tile),
      rows_((height + tile - 1) / tile),
      columns_((width + tile - 1) / tile) {}

at::Tensor TileGrid::cut(const at::Tensor& features, int64_t halo) const {
  const int64_t right = columns_ * tile_ - width_, bottom = rows_ * tile_ - height_, edge = tile_ + 2 * halo;
  const at::Tensor padded = at::constant_pad_nd(features, {halo, halo + right, halo, halo + bottom});
  const at::Tensor windows = padded.unfold(2, edge, tile_).unfold(3, edge, tile_);  // [1, C, rows, columns, edge, edge]
  return windows.permute({0, 2, 3, 1, 4, 5}).reshape({count(), features.size(1), edge, edge});
}

at::Tensor TileGrid::join(const at::Tensor& tiles, int64_t factor) const {
  const int64_t side = tile_ * factor;
  return tiles.reshape({rows_, columns_, 3, side, side})
      .permute({2, 0, 3, 1, 4})
      .reshape({1, 3, rows_ * side, columns_ * side})
      .slice(2, 0, height_ * factor)
      .slice(3, 0, width_ * factor);
}

bool TileGrid::is_light(const RoutePlan& plan, int64_t row, int64_t column) const {
  if (row < 0 || column < 0 || row >= rows_ || column >= columns_) return false;
  return plan[row * columns_ + column] == Path::light;
}

std::vector<int64_t> TileGrid::at_the_border(const RoutePlan& plan) const {
  std::vector<int64_t> found;
  for (const int64_t tile : plan.samples(Path::heavy)) {
    bool near = false;
    for (int64_t dy = -1; dy <= 1; ++dy)
      for (int64_t dx = -1; dx <= 1; ++dx) near = near || is_light(plan, tile / columns_ + dy, tile % columns_ + dx);
    if (near) found.push_back(tile);
  }
  return found;
}

at::Tensor TileGrid::heavy_weights(const RoutePlan& plan, const std::vector<int64_t>& tiles, int64_t factor) const {
  const int64_t side = tile_ * factor;
  at::Tensor weights = at::empty({static_cast<int64_t>(tiles.size()), 1, side, side});
  float* out = weights.mutable_data_ptr<float>();
  // Distance of a pixel from the tile before it, itself or the tile behind it, along one axis.
  const auto distance = [&](int64_t pixel, int64_t step) { return step < 0 ? pixel + 1 : step > 0 ? side - pixel : 0; };
  for (const int64_t tile : tiles)
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) {
        int64_t nearest = kBlend;
        for (int64_t dy = -1; dy <= 1; ++dy)
          for (int64_t dx = -1; dx <= 1; ++dx)
            if (is_light(plan, tile / columns_ + dy, tile % columns_ + dx))
              nearest = std::min(nearest, std::max(distance(y, dy), distance(x, dx)));
        *out++ = static_cast<float>(nearest) / kBlend;
      }
  return weights;
}

}  // namespace lightswitch::routed
