#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using enum Path;
using testing::close;
using testing::expect_error;

at::Tensor picture() {
  return testing::random_tensor({3, 10, 13}).abs().clamp(0, 1);
}

PictureRoute tiles_of_eight(std::vector<Path> paths) {
  return {.rows = 2, .columns = 2, .tile = 8, .plan = RoutePlan(std::move(paths)), .scores = {}, .stats = {}};
}

TEST(DrawRoute, KeepsHeavyTilesAndDarkensLightOnes) {
  const at::Tensor drawn = draw_route(picture(), tiles_of_eight({light, heavy, heavy, light}));
  const auto part = [](const at::Tensor& x, int64_t y0, int64_t y1, int64_t x0, int64_t x1) {
    return x.slice(1, y0, y1).slice(2, x0, x1);
  };
  EXPECT_TRUE(close(part(drawn, 0, 8, 8, 13), part(picture(), 0, 8, 8, 13), 0));
  EXPECT_TRUE(close(part(drawn, 8, 10, 0, 8), part(picture(), 8, 10, 0, 8), 0));
  const at::Tensor dark = part(drawn, 0, 8, 0, 8);
  EXPECT_TRUE(close(dark[0], dark[2], 0));
  EXPECT_LT(dark.mean().item<double>(), 0.5 * part(picture(), 0, 8, 0, 8).mean().item<double>());
  EXPECT_TRUE(close(part(drawn, 8, 10, 8, 13)[0], part(drawn, 8, 10, 8, 13)[1], 0));
}

TEST(DrawRoute, DrawsWholePictures) {
  PictureRoute whole;
  whole.plan = RoutePlan::all(heavy, 1);
  EXPECT_TRUE(close(draw_route(picture(), whole), picture(), 0));
  whole.plan = RoutePlan::all(light, 1);
  EXPECT_FALSE(close(draw_route(picture(), whole), picture(), 0.1));
}

TEST(DrawRoute, RefusesTheRouteOfAnotherPicture) {
  expect_error<TensorError>([] { draw_route(at::zeros({3, 17, 13}), tiles_of_eight({light, light, light, light})); });
  expect_error<TensorError>([] { draw_route(picture(), tiles_of_eight({light})); });
  expect_error<TensorError>([] { draw_route(at::zeros({10, 13}), tiles_of_eight({light, light, light, light})); });
}

}  // namespace
}  // namespace lightswitch
