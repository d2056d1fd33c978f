#include "routing/tiles.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace lightswitch {
namespace {

/// The pixels along one axis of a tile that a neighbour may be near: the tile before it, behind it, or (0) beside it.
struct Reach {
  int64_t side, step;

  int64_t begin() const { return step > 0 ? std::max<int64_t>(0, side - kBlend) : 0; }
  int64_t end() const { return step < 0 ? std::min(side, kBlend) : side; }
  int64_t distance(int64_t pixel) const { return step < 0 ? pixel + 1 : step > 0 ? side - pixel : 0; }
};

}  // namespace

TileGrid::TileGrid(int64_t height, int64_t width, int64_t tile)
    : height_(height),
      width_(width),
      tile_(tile),
      rows_((height + tile - 1) / tile),
      columns_((width + tile - 1) / tile) {}

std::vector<TileBlock> TileGrid::heavy_blocks(const RoutePlan& plan, int64_t longest) const {
  std::vector<Path> left = plan.paths();
  std::vector<TileBlock> blocks;
  const auto each = [&](const TileBlock& block, const auto& visit) {
    for (int64_t y = block.row; y < block.row + block.edge; ++y)
      for (int64_t x = block.column; x < block.column + block.edge; ++x) visit(left[y * columns_ + x]);
  };
  for (int64_t edge = longest; edge > 0; edge /= 2)
    for (TileBlock block{0, 0, edge}; block.row + edge <= rows_; ++block.row)
      for (block.column = 0; block.column + edge <= columns_; ++block.column) {
        bool all = true;
        each(block, [&](Path path) { all = all && path == Path::heavy; });
        if (!all) continue;
        each(block, [](Path& path) { path = Path::light; });
        blocks.push_back(block);
      }
  return blocks;
}

at::Tensor TileGrid::place(const at::Tensor& picture, const TileBlock& block, int64_t factor) const {
  const int64_t side = tile_ * factor;
  return picture.slice(2, block.row * side, (block.row + block.edge) * side)
      .slice(3, block.column * side, (block.column + block.edge) * side);
}

bool TileGrid::is_light(const RoutePlan& plan, int64_t row, int64_t column) const {
  if (row < 0 || column < 0 || row >= rows_ || column >= columns_) return false;
  return plan[row * columns_ + column] == Path::light;
}

at::Tensor TileGrid::heavy_weights(const RoutePlan& plan, int64_t factor) const {
  const int64_t side = tile_ * factor, stride = columns_ * side;
  at::Tensor weights = at::zeros({1, 1, rows_ * side, stride});
  for (const int64_t tile : plan.samples(Path::heavy)) {
    const int64_t row = tile / columns_, column = tile % columns_;
    place(weights, {row, column}, factor).fill_(1);
    float* const corner = weights.mutable_data_ptr<float>() + row * side * stride + column * side;
    for (int64_t dy = -1; dy <= 1; ++dy)
      for (int64_t dx = -1; dx <= 1; ++dx) {
        if (!is_light(plan, row + dy, column + dx)) continue;
        const Reach down{side, dy}, across{side, dx};
        for (int64_t y = down.begin(); y < down.end(); ++y)
          for (int64_t x = across.begin(); x < across.end(); ++x) {
            float& weight = corner[y * stride + x];
            const int64_t distance = std::max(down.distance(y), across.distance(x));
            weight = std::min(weight, static_cast<float>(distance) / kBlend);
          }
      }
  }
  return weights.slice(2, 0, height_ * factor).slice(3, 0, width_ * factor);
}

}  // namespace lightswitch
