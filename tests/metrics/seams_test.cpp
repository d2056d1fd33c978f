#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/seams.hpp>

#include <cmath>
#include <limits>

#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::expect_error;
using testing::random_tensor;

/// Tiles of 8 that are 0 and `height` in turn, along columns.
at::Tensor steps(double height) {
  return (at::arange(64, at::kFloat).floor_divide(8).remainder(2) * height).expand({3, 64, 64});
}

TEST(Seams, AreOneWhereNothingIsSpecialAboutBorders) {
  EXPECT_NEAR(seam_ratio(random_tensor({3, 256, 256}), 16), 1, 0.02);
  EXPECT_NEAR(seam_ratio(at::arange(64, at::kFloat).expand({2, 3, 64, 64}), 8), 1, 0.02);
  EXPECT_EQ(seam_ratio(at::zeros({3, 16, 16}), 8), 1);
}

TEST(Seams, GrowWithTheStepAtBorders) {
  const at::Tensor ramp = at::arange(64, at::kFloat).expand({3, 64, 64}) / 100;
  // Along rows every neighbour differs by 0.01 and along columns by none, at borders as elsewhere; steps of both signs
  // of s at borders along one axis: (|s + 0.01| + |s - 0.01|) / 2 over 0.01, alternating.
  EXPECT_NEAR(seam_ratio(ramp + steps(0.05), 8), 5, 0.2);
  EXPECT_GT(seam_ratio(ramp + steps(0.1), 8), seam_ratio(ramp + steps(0.05), 8));
  EXPECT_EQ(seam_ratio(steps(0.1), 8), std::numeric_limits<double>::infinity());
}

TEST(Seams, ElsewhereAreNone) {
  const at::Tensor shifted = steps(0.1).roll(3, 2) + random_tensor({3, 64, 64}) / 1000;
  EXPECT_LT(seam_ratio(shifted, 8), 0.2);
}

TEST(Seams, RefuseWhatHasNoBorders) {
  EXPECT_EQ(expect_error<TensorError>([] { seam_ratio(at::zeros({3, 8, 8}), 8); }).detail().field, "tile");
  EXPECT_EQ(expect_error<TensorError>([] { seam_ratio(at::zeros({3, 8, 8}), 1); }).detail().field, "tile");
  expect_error<TensorError>([] { seam_ratio(at::zeros({8, 8}), 4); });
  expect_error<TensorError>([] { seam_ratio({}, 4); });
  expect_error<NumericError>([] { seam_ratio(at::full({3, 8, 8}, std::nan("")), 4); });
}

}  // namespace
}  // namespace lightswitch
