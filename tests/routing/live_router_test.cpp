#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <random>

#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::expect_error;

RoutePlan route(LiveRouter router, const std::vector<GateScore>& scores) {
  std::vector<Path> paths;
  for (const GateScore score : scores) paths.push_back(router.next(score));
  return RoutePlan(paths);
}

std::vector<GateScore> random_scores(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<GateScore> scores(count);
  for (GateScore& score : scores) score = static_cast<GateScore>(generator() % 201) - 100;
  return scores;
}

TEST(LiveRouter, WithoutLimitsIsAThreshold) {
  const auto scores = random_scores(200, 1);
  EXPECT_EQ(route(LiveRouter({.on = 5, .off = 5}), scores), plan_by_threshold(scores, 5));
}

TEST(LiveRouter, KeepsItsPathBetweenTheThresholds) {
  using enum Path;
  EXPECT_EQ(route(LiveRouter({.on = 10, .off = -10}), {0, 11, 0, -9, -10, 5, 10}),
            RoutePlan({light, heavy, heavy, heavy, light, light, light}));
}

TEST(LiveRouter, DwellsOnAPath) {
  using enum Path;
  EXPECT_EQ(route(LiveRouter({.minimum_dwell = 3}), {9, -9, -9, -9, 9, 9, 9, 9}),
            RoutePlan({heavy, heavy, heavy, light, light, light, heavy, heavy}));
}

TEST(LiveRouter, NeverSpendsMoreThanItsShareAndBurst) {
  for (const double share : {0.0, 0.2, 0.5, 0.9})
    for (const double warm_up : {0.0, 4.0, 8.7})
      for (const int64_t dwell : {1, 6}) {
        LiveRouter router({.minimum_dwell = dwell, .heavy_share = share, .warm_up = warm_up, .burst = 20});
        std::vector<Path> paths;
        for (const GateScore score : random_scores(500, 7)) {
          paths.push_back(router.next(score));
          const RoutePlan so_far(paths);
          ASSERT_LE(heavy_cost(so_far, warm_up), share * static_cast<double>(paths.size()) + 20 + 1e-9)
              << share << " " << warm_up << " " << dwell << " after " << paths.size();
        }
      }
}

TEST(LiveRouter, SpendsItsShareWhereItIsWanted) {
  const RoutePlan plan = route(LiveRouter({.heavy_share = 0.25, .burst = 10}), std::vector<GateScore>(1000, 50));
  EXPECT_NEAR(static_cast<double>(plan.count(Path::heavy)), 250, 11);
}

TEST(LiveRouter, CopiesGoOnAlike) {
  const auto scores = random_scores(100, 4);
  LiveRouter one({.on = 20, .off = -20, .minimum_dwell = 2, .heavy_share = 0.4, .warm_up = 2});
  for (size_t i = 0; i < 50; ++i) one.next(scores[i]);
  LiveRouter other = one;
  for (size_t i = 50; i < 100; ++i) EXPECT_EQ(one.next(scores[i]), other.next(scores[i]));
}

TEST(LiveRouter, RefusesImpossibleRules) {
  expect_error<OptionError>([] { LiveRouter({.on = 0, .off = 1}); });
  expect_error<OptionError>([] { LiveRouter({.minimum_dwell = 0}); });
  expect_error<OptionError>([] { LiveRouter({.heavy_share = 1.5}); });
  expect_error<OptionError>([] { LiveRouter({.warm_up = -1}); });
  expect_error<OptionError>([] { LiveRouter({.burst = -1}); });
}

}  // namespace
}  // namespace lightswitch
