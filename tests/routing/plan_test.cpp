#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <limits>
#include <random>

#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::expect_error;

std::vector<GateScore> random_scores(size_t count, int seed, int range = 1000) {
  std::mt19937 generator(seed);
  std::vector<GateScore> scores(count);
  for (GateScore& score : scores) score = static_cast<GateScore>(generator() % (2 * range)) - range;
  return scores;
}

TEST(GateScores, AreRoundedToFixedPoint) {
  EXPECT_EQ(to_gate_scores(at::tensor({0.0, 1.0, -0.5, 1.0 / 65536, 0.4 / 65536})),
            (std::vector<GateScore>{0, 65536, -32768, 1, 0}));
  EXPECT_TRUE(to_gate_scores(at::empty({0})).empty());
}

TEST(GateScores, RefuseWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity, 16384.0f}) {
    const auto& error = expect_error<NumericError>([&] { to_gate_scores(at::tensor({0.0f, bad})); });
    EXPECT_EQ(error.detail().field, "scores[1]");
  }
  expect_error<TensorError>([] { to_gate_scores(at::zeros({2, 2})); });
  expect_error<TensorError>([] { to_gate_scores(at::zeros({2}, at::kLong)); });
  expect_error<TensorError>([] { to_gate_scores(at::Tensor()); });
}

TEST(Threshold, IsHeavyAboveIt) {
  const std::vector<GateScore> scores = {3, 5, 4, -1};
  EXPECT_EQ(plan_by_threshold(scores, 3).samples(Path::heavy), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(plan_by_threshold(scores, 5).count(Path::heavy), 0);
  EXPECT_EQ(plan_by_threshold(scores, -2).count(Path::heavy), 4);
}

TEST(Share, IsMetExactlyByTheLargestScores) {
  for (const size_t count : {1, 2, 7, 100, 1001}) {
    const auto scores = random_scores(count, static_cast<int>(count), 20);  // many equal ones
    for (const double share : {0.0, 0.1, 0.25, 0.5, 0.8, 1.0}) {
      const RoutePlan plan = plan_by_share(scores, share);
      ASSERT_EQ(plan.count(Path::heavy), std::llround(share * static_cast<double>(count)));
      GateScore least_heavy = std::numeric_limits<GateScore>::max(), most_light = std::numeric_limits<GateScore>::min();
      for (size_t i = 0; i < count; ++i)
        if (plan[i] == Path::heavy)
          least_heavy = std::min(least_heavy, scores[i]);
        else
          most_light = std::max(most_light, scores[i]);
      EXPECT_GE(least_heavy, most_light);
    }
  }
}

TEST(Share, GivesEqualScoresToTheEarlier) {
  EXPECT_EQ(plan_by_share(std::vector<GateScore>{7, 7, 7, 7}, 0.5).samples(Path::heavy), (std::vector<int64_t>{0, 1}));
}

TEST(Share, OfMoreHoldsThatOfLess) {
  const auto scores = random_scores(50, 3, 10);
  for (double share = 0; share < 1; share += 0.1) {
    const RoutePlan less = plan_by_share(scores, share), more = plan_by_share(scores, std::min(1.0, share + 0.1));
    for (size_t i = 0; i < scores.size(); ++i) EXPECT_TRUE(less[i] == Path::light || more[i] == Path::heavy);
  }
}

TEST(Share, RefusesWhatIsNoShare) {
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_EQ(expect_error<OptionError>([&] { plan_by_share({}, bad); }).detail().field, "heavy_share");
}

TEST(Plan, OfNothingIsEmpty) {
  EXPECT_EQ(plan_by_share({}, 0.5).size(), 0u);
  EXPECT_EQ(plan_by_threshold({}, 0).size(), 0u);
  EXPECT_EQ(RoutePlan().share(Path::heavy), 0);
}

TEST(Plan, CountsChanges) {
  using enum Path;
  EXPECT_EQ(RoutePlan({heavy, heavy, light, heavy, light, light, heavy}).switch_ons(), 2);
  EXPECT_EQ(RoutePlan::all(heavy, 5).switch_ons(), 0);
  EXPECT_EQ(heavy_cost(RoutePlan({light, heavy, light, heavy}), 2.5), 7.0);
}

TEST(Dispatch, ThenCombineIsTheIdentity) {
  for (int seed = 0; seed < 20; ++seed) {
    const RoutePlan plan = plan_by_threshold(random_scores(1 + seed * 3, seed), seed % 5 == 0 ? 2000 : 0);
    const at::Tensor samples = at::arange(static_cast<int64_t>(plan.size()) * 6).view({-1, 2, 3}).to(at::kFloat);
    const Dispatched batches = dispatch(plan, samples);
    EXPECT_EQ(batches.light.defined() ? batches.light.size(0) : 0, plan.count(Path::light));
    EXPECT_EQ(batches.heavy.defined() ? batches.heavy.size(0) : 0, plan.count(Path::heavy));
    EXPECT_TRUE(at::equal(combine(plan, batches.light, batches.heavy), samples));
  }
}

TEST(Dispatch, RefusesOtherNumbersOfSamples) {
  const RoutePlan plan({Path::light, Path::heavy});
  expect_error<TensorError>([&] { dispatch(plan, at::zeros({3, 2})); });
  expect_error<TensorError>([&] { combine(plan, at::zeros({1, 2}), at::Tensor()); });
  expect_error<TensorError>([&] { combine(plan, at::zeros({2, 2}), at::zeros({1, 2})); });
  expect_error<TensorError>([&] { combine(plan, at::zeros({1, 2}), at::zeros({1, 3})); });
}

TEST(Dispatch, OfNothingIsNothing) {
  EXPECT_FALSE(combine({}, {}, {}).defined());
  const Dispatched none = dispatch({}, at::zeros({0, 4}));
  EXPECT_FALSE(none.light.defined() || none.heavy.defined());
}

}  // namespace
}  // namespace lightswitch
