#include "routing/tiles.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <random>

#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using enum Path;

TEST(TileGrid, PlacesCoverThePictureOnce) {
  const TileGrid grid(5, 7, 2);
  ASSERT_EQ(grid.rows(), 3);
  ASSERT_EQ(grid.columns(), 4);
  at::Tensor picture = at::zeros({1, 3, 5 * 8, 7 * 8});
  for (int64_t row = 0; row < 3; ++row)
    for (int64_t column = 0; column < 4; ++column) grid.place(picture, {row, column}, 8).add_(1);
  EXPECT_TRUE(testing::close(picture, at::ones_like(picture), 0));
}

TEST(TileGrid, BlocksHoldEachHeavyTileOnce) {
  std::mt19937 random(1);
  for (const double share : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    const TileGrid grid(14, 21, 2);
    std::vector<Path> paths(grid.count());
    for (Path& path : paths) path = std::uniform_real_distribution<>(0, 1)(random) < share ? heavy : light;
    const RoutePlan plan(paths);
    for (const int64_t longest : {1, 2, 4}) {
      std::vector<int64_t> held;
      int64_t before = longest;
      for (const TileBlock& block : grid.heavy_blocks(plan, longest)) {
        EXPECT_LE(block.edge, before) << "larger ones first";
        before = block.edge;
        for (int64_t y = 0; y < block.edge; ++y)
          for (int64_t x = 0; x < block.edge; ++x) held.push_back((block.row + y) * grid.columns() + block.column + x);
      }
      std::ranges::sort(held);
      EXPECT_EQ(held, plan.samples(heavy)) << share << " " << longest;
    }
  }
}

TEST(TileGrid, LargerBlocksAreTakenFirst) {
  const TileGrid grid(6, 8, 2);
  const RoutePlan plan({light, heavy, heavy, light,  //
                        heavy, heavy, heavy, heavy,  //
                        heavy, light, light, heavy});
  const std::vector<TileBlock> expected = {{0, 1, 2}, {1, 0}, {1, 3}, {2, 0}, {2, 3}};
  EXPECT_EQ(grid.heavy_blocks(plan, 2), expected);
}

TEST(TileGrid, HeavyComesInBesideLight) {
  const TileGrid grid(4, 6, 2);  // 2 by 3 tiles of 16 pixels
  const RoutePlan plan({light, heavy, heavy, heavy, heavy, heavy});
  const at::Tensor weights = grid.heavy_weights(plan, 8);
  EXPECT_EQ(weights.sizes(), at::IntArrayRef({1, 1, 32, 48}));
  const auto at = [&](int64_t row, int64_t column, int64_t y, int64_t x) {
    return weights.index({0, 0, 16 * row + y, 16 * column + x}).item<float>();
  };
  EXPECT_EQ(at(0, 0, 15, 15), 0.0F);
  EXPECT_EQ(at(0, 1, 3, 0), 1.0F / 8);  // beside it
  EXPECT_EQ(at(0, 1, 15, 5), 6.0F / 8);
  EXPECT_EQ(at(0, 1, 0, 8), 1.0F);
  EXPECT_EQ(at(1, 0, 0, 9), 1.0F / 8);  // below it
  EXPECT_EQ(at(1, 1, 2, 4), 5.0F / 8);  // across the corner
  EXPECT_EQ(at(0, 2, 7, 7), 1.0F);      // away from it
}

}  // namespace
}  // namespace lightswitch
