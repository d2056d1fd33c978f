#include "routed/routed.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include <cmath>

#include "routing/tiles.hpp"
#include "support/errors.hpp"
#include "support/network_contract.hpp"
#include "support/reference_case.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::random_tensor;
using testing::stored_case;

TEST(Routed, EqualsTheStoredReference) {
  testing::expect_parity(routed::family(), stored_case("routed"));
}

class RoutedPython : public ::testing::TestWithParam<const char*> {};

TEST_P(RoutedPython, EqualsTheReference) {
  const std::string config = std::string(R"({"width": 64, "blocks": 3, "heavy_widths": [64, 48, 24], "gate_width": 16,
                                             "tile": 4, "share": )") +
                             GetParam() + "}";
  LIGHTSWITCH_EXPECT_PYTHON_PARITY(routed::family(), config, "2x16x16");
}

INSTANTIATE_TEST_SUITE_P(Shares, RoutedPython, ::testing::Values("0", "0.3", "0.8", "1"),
                         [](const auto& test) { return "share_" + std::to_string(test.index); });

std::unique_ptr<Decoder> stored(Config config, DType dtype = DType::fp32) {
  const auto reference = stored_case("routed");
  NetworkRequest request = reference.request;
  request.config = std::move(config);
  request.config["tile"] = "2";
  request.dtype = dtype;
  return routed::family().make_decoder(request);
}

std::vector<PictureRoute> routes_of(const Decoder& decoder, const at::Tensor& latents, at::Tensor* picture = nullptr) {
  std::vector<PictureRoute> routes;
  const at::Tensor made =
      decoder.routing()->forward_observed(latents, [&](const PictureRoute& route) { routes.push_back(route); });
  if (picture) *picture = made;
  return routes;
}

TEST(Routed, SaysWhatItIs) {
  const auto decoder = stored({{"heavy-share", "0.25"}});
  EXPECT_EQ(decoder->spec().channels, 5);
  EXPECT_EQ(decoder->spec().factor, 8);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::raw);
  EXPECT_TRUE(contains(decoder->info().configuration, "tiles of 2 latents, 25 % heavy"));
}

TEST(Routed, EndsAreTheBranchesAndAThresholdReachesBoth) {
  const at::Tensor latents = random_tensor({1, 5, 6, 8});
  const at::Tensor light = stored({{"heavy-share", "0"}})->forward(latents);
  const at::Tensor heavy = stored({{"heavy-share", "1"}})->forward(latents);
  EXPECT_GT(testing::largest_difference(light, heavy), 0.01);
  EXPECT_TRUE(close(stored({{"threshold", "16000"}})->forward(latents), light, 0));
  EXPECT_TRUE(close(stored({{"threshold", "-16000"}})->forward(latents), heavy, 0));
}

/// Every pixel is the light branch's, the heavy one's, or blended from both: whatever block a tile was made in.
TEST(Routed, PixelsAreThoseOfTheBranches) {
  double largest = 0;
  for (const auto& [height, width] : {std::pair{12, 16}, {7, 9}}) {  // tiles of the second are partial
    const at::Tensor latents = random_tensor({1, 5, height, width});
    const at::Tensor light = stored({{"heavy-share", "0"}})->forward(latents);
    const at::Tensor heavy = stored({{"heavy-share", "1"}})->forward(latents);
    for (const char* share : {"0.1", "0.3", "0.5", "0.8", "0.95"}) {
      at::Tensor mixed;
      const auto route = routes_of(*stored({{"heavy-share", share}}), latents, &mixed).front();
      const at::Tensor weights = TileGrid(height, width, 2).heavy_weights(route.plan, 8);
      const at::Tensor expected = at::lerp(light, heavy, weights.expand_as(light));
      largest = std::max(largest, testing::largest_difference(mixed, expected));
      EXPECT_TRUE(close(mixed.masked_select(weights == 0), light.masked_select(weights == 0), 0)) << share;
    }
  }
  RecordProperty("largest_difference", c10::str(largest));
  EXPECT_LE(largest, 1e-6);
}

/// Neighbours share their halo, and no mixture's heavy tiles cost more than the whole picture heavy.
TEST(Routed, TilesThatMeetCostLessThanAlone) {
  const at::Tensor latents = random_tensor({1, 5, 24, 24});
  const auto stats_of = [&](const char* share) {
    return routes_of(*stored({{"heavy-share", share}}), latents).front().stats;
  };
  const int64_t heavy = stats_of("1").macs(), light = stats_of("0").macs();
  const auto one = stats_of("0.0069");  // of 144 tiles
  ASSERT_EQ(one.heavy, 1);
  const int64_t tile = one.macs() - light;
  for (const char* share : {"0.5", "0.6"}) {
    const auto stats = stats_of(share);
    EXPECT_LT(stats.macs() - light, stats.heavy * tile) << share;
  }
  const auto most = stats_of("0.97");
  EXPECT_EQ(most.macs(), heavy + 144 * most.light_cost.macs);
}

TEST(Routed, PicturesOfABatchAreRoutedAlone) {
  const auto decoder = stored({{"heavy-share", "0.4"}});
  testing::expect_batch_equals_single(*decoder, random_tensor({1, 5, 6, 8}));
  const at::Tensor latents = random_tensor({1, 5, 6, 8});
  testing::expect_thread_safe(*decoder, latents, decoder->forward(latents), 0);
}

TEST(Routed, CountsWhatItsShareCosts) {
  const int64_t light = stored({{"heavy-share", "0"}})->macs(8, 8), heavy = stored({{"heavy-share", "1"}})->macs(8, 8);
  int64_t before = light;
  for (const char* share : {"0.1", "0.3", "0.6"}) {
    const int64_t macs = stored({{"heavy-share", share}})->macs(8, 8);
    EXPECT_GT(macs, before);
    before = macs;
  }
  EXPECT_GT(heavy, light);
  EXPECT_EQ(stored({{"threshold", "0"}})->macs(8, 8), heavy);  // it may choose them all
}

TEST(Routed, TellsHowEachPictureWasRouted) {
  const auto decoder = stored({{"heavy-share", "0.4"}});
  const at::Tensor latents = random_tensor({2, 5, 7, 9});  // tiles at the right and the bottom are partial
  at::Tensor picture;
  const auto routes = routes_of(*decoder, latents, &picture);
  EXPECT_TRUE(close(picture, decoder->forward(latents), 0));
  ASSERT_EQ(routes.size(), 2u);
  EXPECT_FALSE(routes[0].plan == routes[1].plan);
  for (const PictureRoute& route : routes) {
    EXPECT_EQ(route.rows, 4);
    EXPECT_EQ(route.columns, 5);
    EXPECT_EQ(route.tile, 16);
    EXPECT_EQ(route.plan, plan_by_share(route.scores, 0.4));
    EXPECT_EQ(route.plan.count(Path::heavy), 8);
    EXPECT_EQ(route.stats.heavy, 8);
    EXPECT_EQ(route.stats.light, 12);
    EXPECT_GT(route.stats.warm_up_macs, 0);  // halos, and tiles made both ways
    EXPECT_GT(route.stats.mean_reduction(), 1);
  }
}

TEST(Routed, StatisticsOfTheEndsAreWhatTheDecoderCounts) {
  for (const char* share : {"0", "1"}) {
    const auto decoder = stored({{"heavy-share", share}});
    const auto stats = routes_of(*decoder, random_tensor({1, 5, 8, 8}))[0].stats;
    EXPECT_EQ(stats.macs(), decoder->macs(8, 8));
    EXPECT_LT(stats.warm_up_macs, stats.samples() * 4);  // rounding alone
    EXPECT_EQ(stats.shared_cost.parameters + stats.light_cost.parameters + stats.heavy_cost.parameters +
                  stats.gate_cost.parameters,
              decoder->info().parameters);
  }
}

/// At most what macs() plans for: there every heavy tile may have to be made both ways.
TEST(Routed, StatisticsStayBelowWhatTheDecoderCounts) {
  const auto decoder = stored({{"heavy-share", "0.5"}});
  const auto stats = routes_of(*decoder, random_tensor({1, 5, 8, 8}))[0].stats;
  EXPECT_LE(stats.macs(), decoder->macs(8, 8));
  EXPECT_GT(stats.macs(), decoder->macs(8, 8) / 2);
}

TEST(Routed, AnotherShareIsAnotherDecoder) {
  const at::Tensor latents = random_tensor({1, 5, 6, 8});
  const auto decoder = stored({{"threshold", "0"}});
  const at::Tensor before = decoder->forward(latents);
  const auto other = decoder->routing()->with_heavy_share(0.25);
  EXPECT_TRUE(close(other->forward(latents), stored({{"heavy-share", "0.25"}})->forward(latents), 0));
  EXPECT_TRUE(contains(other->info().configuration, "25 % heavy"));
  EXPECT_TRUE(close(decoder->forward(latents), before, 0));
  expect_error<OptionError>([&] { decoder->routing()->with_heavy_share(1.5); });
}

TEST(Routed, DecodesNothingWithABudgetThatIsNotSettled) {
  const auto decoder = stored({{"budget-ms", "5"}});
  EXPECT_EQ(decoder->routing()->budget_ms(), 5);
  EXPECT_EQ(expect_error<OptionError>([&] {
              decoder->forward(random_tensor({1, 5, 6, 8}));
            })
                .detail()
                .field,
            "budget-ms");
  EXPECT_TRUE(decoder->routing()->with_heavy_share(0)->forward(random_tensor({1, 5, 6, 8})).defined());
}

TEST(Routed, RefusesScoresThatAreNoNumbers) {
  auto tensors = testing::tensors_of(*stored_case("routed").request.weights);
  tensors["gate.out.bias"] = at::full({1}, std::nan(""));
  auto request = testing::with_tensors(stored_case("routed").request, tensors);
  request.dtype = DType::fp32;
  const auto decoder = routed::family().make_decoder(request);
  expect_error<NumericError>([&] { decoder->forward(random_tensor({1, 5, 6, 8})); });
}

TEST(Routed, RefusesImpossibleRules) {
  EXPECT_EQ(expect_error<OptionError>([] { stored({{"heavy-share", "1.1"}}); }).detail().field, "heavy-share");
  EXPECT_EQ(expect_error<OptionError>([] { stored({{"heavy-share", "half"}}); }).detail().field, "heavy-share");
  EXPECT_EQ(expect_error<OptionError>([] {
              stored({{"heavy-share", "0.5"}, {"threshold", "0"}});
            })
                .detail()
                .field,
            "threshold");
  EXPECT_EQ(expect_error<OptionError>([] { stored({{"threshold", "1e9"}}); }).detail().field, "threshold");
}

}  // namespace
}  // namespace lightswitch
