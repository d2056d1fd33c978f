#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>

#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::expect_error;

std::vector<GateScore> random_scores(size_t count, unsigned seed, int shift = 0) {
  std::mt19937 generator(seed);
  std::vector<GateScore> scores(count);
  for (GateScore& score : scores) score = static_cast<GateScore>(generator() % 201) - 100 + shift;
  return scores;
}

/// Scores that stay alike for a while, as those of speech do.
std::vector<GateScore> slow_scores(size_t count, unsigned seed) {
  auto scores = random_scores(count, seed);
  for (size_t i = 1; i < count; ++i) scores[i] = (9 * scores[i - 1] + scores[i]) / 10 + static_cast<int>(i % 3);
  return scores;
}

std::vector<int64_t> run_lengths(const RoutePlan& plan) {
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < plan.size(); ++i)
    if (i > 0 && plan[i] == plan[i - 1])
      ++lengths.back();
    else
      lengths.push_back(1);
  return lengths;
}

bool keeps_dwell(const RoutePlan& plan, int64_t dwell) {
  const auto lengths = run_lengths(plan);
  return lengths.size() <= 1 || *std::min_element(lengths.begin(), lengths.end()) >= dwell;
}

int64_t worth(std::span<const GateScore> scores, const RoutePlan& plan, const RunRules& rules) {
  int64_t sum = -rules.switch_cost * plan.switch_ons();
  for (size_t i = 0; i < plan.size(); ++i) sum += plan[i] == Path::heavy ? scores[i] - rules.price : 0;
  return sum;
}

/// Every plan there is, one after the other.
template <typename Visit>
void for_every_plan(size_t count, const Visit& visit) {
  for (unsigned bits = 0; bits < 1u << count; ++bits) {
    std::vector<Path> paths(count);
    for (size_t i = 0; i < count; ++i) paths[i] = bits >> i & 1 ? Path::heavy : Path::light;
    visit(RoutePlan(std::move(paths)));
  }
}

TEST(Runs, AreTheBestOfAllPlans) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const auto scores = random_scores(1 + seed % 11, seed);
    const RunRules rules{.price = static_cast<GateScore>(seed % 3) * 20 - 20,
                         .switch_cost = static_cast<int64_t>(seed % 4) * 40,
                         .minimum_dwell = 1 + seed % 3};
    int64_t best = std::numeric_limits<int64_t>::min();
    for_every_plan(scores.size(), [&](const RoutePlan& plan) {
      if (keeps_dwell(plan, rules.minimum_dwell)) best = std::max(best, worth(scores, plan, rules));
    });
    const RoutePlan found = plan_runs(scores, rules);
    EXPECT_TRUE(keeps_dwell(found, rules.minimum_dwell)) << seed;
    EXPECT_EQ(worth(scores, found, rules), best) << seed;
  }
}

TEST(Runs, WithoutSwitchCostAreAThreshold) {
  const auto scores = random_scores(300, 5);
  EXPECT_EQ(plan_runs(scores, {.price = 17}), plan_by_threshold(scores, 17));
}

TEST(Runs, GrowWithTheSwitchCost) {
  const auto scores = random_scores(400, 8);
  int64_t before = std::numeric_limits<int64_t>::max();
  for (const int64_t cost : {0, 50, 200, 1000, 100000}) {
    const int64_t changes = plan_runs(scores, {.switch_cost = cost}).switch_ons();
    EXPECT_LE(changes, before);
    before = changes;
  }
  EXPECT_EQ(before, 0);
}

TEST(Runs, OfNothingAndOfOneSample) {
  EXPECT_EQ(plan_runs({}, {}).size(), 0u);
  EXPECT_EQ(plan_runs(std::vector<GateScore>{1}, {.switch_cost = 50})[0], Path::heavy);  // a heavy start is free
  EXPECT_EQ(plan_runs(std::vector<GateScore>{0}, {})[0], Path::light);
  EXPECT_EQ(plan_runs(std::vector<GateScore>{5, -3}, {.minimum_dwell = 8}), RoutePlan::all(Path::heavy, 2));
}

TEST(Runs, RefuseImpossibleRules) {
  expect_error<OptionError>([] { plan_runs({}, {.switch_cost = -1}); });
  expect_error<OptionError>([] { plan_runs({}, {.minimum_dwell = 0}); });
}

struct BudgetCase {
  double share, warm_up;
  int64_t dwell;
};

TEST(Budget, IsMetWithinOneSample) {
  for (const BudgetCase& c :
       {BudgetCase{0.2, 0, 1}, {0.2, 3, 1}, {0.5, 8.7, 1}, {0.8, 2.5, 1}, {0.2, 0, 5}, {0.3, 8.7, 10}})
    for (unsigned seed = 0; seed < 20; ++seed)
      for (const bool slow : {false, true}) {
        const auto scores = slow ? slow_scores(400, seed) : random_scores(400, seed);
        const RoutePlan plan = plan_within(scores, {c.share, c.warm_up, c.dwell});
        const double left = std::round(c.share * 400) - heavy_cost(plan, c.warm_up);
        EXPECT_GE(left, -1e-6) << c.share << " " << c.warm_up << " " << c.dwell << " " << seed;
        EXPECT_LT(left, 1) << c.share << " " << c.warm_up << " " << c.dwell << " " << seed;
        EXPECT_TRUE(keeps_dwell(plan, c.dwell));
      }
}

TEST(Budget, OfAllAndOfNothing) {
  for (const int shift : {-200, 0, 200}) {
    const auto scores = random_scores(60, 4, shift);
    EXPECT_EQ(plan_within(scores, {1, 8.7, 3}), RoutePlan::all(Path::heavy, 60));
    EXPECT_EQ(plan_within(scores, {0, 8.7, 3}), RoutePlan::all(Path::light, 60));
  }
  EXPECT_EQ(plan_within({}, {0.5, 1, 1}).size(), 0u);
}

TEST(Budget, WithFreeChangesTakesTheLargestScores) {
  const auto scores = random_scores(201, 21);
  const auto sum = [&](const RoutePlan& plan) { return worth(scores, plan, {}); };
  for (const double share : {0.1, 0.4, 0.9})
    EXPECT_EQ(sum(plan_within(scores, {share, 0, 1})), sum(plan_by_share(scores, share)));
}

TEST(Budget, IsSpentNearlyAsWellAsByTryingEverything) {
  double ours = 0, best = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    const auto scores = random_scores(14, seed, 60);
    const RunBudget budget{0.5, 1.5, 1 + seed % 2};
    std::optional<int64_t> most;
    for_every_plan(scores.size(), [&](const RoutePlan& plan) {
      if (heavy_cost(plan, budget.warm_up) <= 7 && keeps_dwell(plan, budget.minimum_dwell))
        most = std::max(most.value_or(0), worth(scores, plan, {}));
    });
    const int64_t found = worth(scores, plan_within(scores, budget), {});
    EXPECT_LE(found, *most);
    ours += static_cast<double>(found);
    best += static_cast<double>(*most);
  }
  EXPECT_GE(ours, 0.95 * best);
}

TEST(Budget, RefusesImpossibleNumbers) {
  expect_error<OptionError>([] { plan_within({}, {1.5, 0, 1}); });
  expect_error<OptionError>([] { plan_within({}, {0.5, -1, 1}); });
  expect_error<OptionError>([] { plan_within({}, {0.5, std::numeric_limits<double>::quiet_NaN(), 1}); });
  expect_error<OptionError>([] { plan_within({}, {0.5, 0, 0}); });
}

TEST(Budget, OfAnHourOfSpeechIsPlanned) {
  const auto scores = slow_scores(180000, 2);
  const RoutePlan plan = plan_within(scores, {0.2, 8.7, 4});
  const double left = 36000 - heavy_cost(plan, 8.7);
  EXPECT_GE(left, -1e-6);
  EXPECT_LT(left, 1);
}

}  // namespace
}  // namespace lightswitch
