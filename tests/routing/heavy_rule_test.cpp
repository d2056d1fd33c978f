#include "routing/heavy_rule.hpp"

#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include "support/errors.hpp"

namespace lightswitch {
namespace {

using enum Path;
using testing::expect_error;

const std::vector<GateScore> kScores = {3, 9, -4, 9};

TEST(HeavyRule, IsAShareUnlessSaidOtherwise) {
  EXPECT_EQ(HeavyRule::read({}).plan(kScores), RoutePlan({light, heavy, light, light}));  // 0.3 of four
  EXPECT_EQ(HeavyRule::read({{"heavy-share", "0.5"}}).plan(kScores), RoutePlan({light, heavy, light, heavy}));
  EXPECT_EQ(HeavyRule::read({{"heavy-share", "0.5"}}).most(5), 3);
  EXPECT_EQ(HeavyRule::of_share(1).plan(kScores), RoutePlan::all(heavy, 4));
  EXPECT_EQ(HeavyRule::of_share(0.25).text(), "25 % heavy");
}

TEST(HeavyRule, MayBeAThreshold) {
  const HeavyRule rule = HeavyRule::read({{"threshold", "0"}});
  EXPECT_EQ(rule.plan(kScores), RoutePlan({heavy, heavy, light, heavy}));
  EXPECT_EQ(rule.most(5), 5);
  EXPECT_TRUE(rule.plan({}).paths().empty());
}

TEST(HeavyRule, PlansNothingOfABudget) {
  const HeavyRule rule = HeavyRule::read({{"budget-ms", "12.5"}});
  EXPECT_EQ(rule.budget_ms, 12.5);
  EXPECT_EQ(expect_error<OptionError>([&] { rule.plan(kScores); }).detail().field, "budget-ms");
}

TEST(HeavyRule, RefusesTwoAndImpossibleOnes) {
  const auto field = [](const Config& config) {
    return expect_error<OptionError>([&] { HeavyRule::read(config); }).detail().field;
  };
  EXPECT_EQ(field({{"heavy-share", "0.5"}, {"threshold", "0"}}), "threshold");
  EXPECT_EQ(field({{"heavy-share", "0.5"}, {"budget-ms", "3"}}), "budget-ms");
  EXPECT_EQ(field({{"threshold", "0"}, {"budget-ms", "3"}}), "budget-ms");
  for (const char* budget : {"0", "-1", "soon", "nan", "inf"}) EXPECT_EQ(field({{"budget-ms", budget}}), "budget-ms");
  for (const char* share : {"-0.1", "1.1", "half", "nan"}) EXPECT_EQ(field({{"heavy-share", share}}), "heavy-share");
  for (const char* threshold : {"16384", "-1e9", "nan"}) EXPECT_EQ(field({{"threshold", threshold}}), "threshold");
}

}  // namespace
}  // namespace lightswitch
