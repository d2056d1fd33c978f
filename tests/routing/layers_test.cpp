#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include "support/errors.hpp"

namespace lightswitch {
namespace {

using testing::expect_error;

/// Multiplies by a number, and remembers the batches that it got.
struct Scaling {
  double factor;
  std::shared_ptr<std::vector<int64_t>> batches = std::make_shared<std::vector<int64_t>>();

  PathNetwork network(PathCost cost) const {
    return {[*this](const at::Tensor& batch) {
              batches->push_back(batch.size(0));
              return batch * factor;
            },
            [cost](at::IntArrayRef) { return cost; }};
  }
};

std::shared_ptr<const Gate> first_channel() {
  return std::make_shared<LinearGate>(at::tensor({1.0f, 0.0f}), at::tensor({0.0f}));
}

RouteRule share(double heavy) {
  return [heavy](std::span<const GateScore> scores) { return plan_by_share(scores, heavy); };
}

/// [4, 2, 3]: the first channel, which the gate reads, is 1, 4, 2, 3.
at::Tensor features() {
  return at::cat({at::tensor({1.0f, 4.0f, 2.0f, 3.0f}).view({4, 1, 1}), at::full({4, 1, 1}, 10.0f)}, 1)
      .expand({4, 2, 3});
}

TEST(LinearGate, WeighsTheMeansOfChannels) {
  at::manual_seed(0);
  const at::Tensor weight = at::randn({5}), x = at::randn({3, 5, 4, 6});
  const LinearGate gate(weight, at::tensor({0.25f}));
  EXPECT_TRUE(at::allclose(gate.scores(x), x.mean({2, 3}).matmul(weight) + 0.25, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(gate.scores(x.flatten(2).mean(2)), gate.scores(x), 1e-5, 1e-6));
  EXPECT_EQ(gate.cost({5, 4, 6}).parameters, 6);
  expect_error<TensorError>([&] { gate.scores(at::zeros({3, 4})); });
  expect_error<NumericError>([&] { LinearGate(at::full({2}, NAN), at::zeros({1})); });
  expect_error<TensorError>([&] { LinearGate(at::zeros({2, 2}), at::zeros({1})); });
}

TEST(SwitchLayer, RunsEachPathOnItsSamplesAlone) {
  const Scaling light{2}, heavy{-1};
  const SwitchLayer layer(first_channel(), light.network({10, 3}), heavy.network({100, 60}));
  const auto result = layer.forward(features(), share(0.25));
  EXPECT_EQ(result.plan.samples(Path::heavy), std::vector<int64_t>{1});
  EXPECT_EQ(*light.batches, std::vector<int64_t>{3});
  EXPECT_EQ(*heavy.batches, std::vector<int64_t>{1});
  const at::Tensor factors = at::tensor({2.0f, -1.0f, 2.0f, 2.0f}).view({4, 1, 1});
  EXPECT_TRUE(at::equal(result.output, features() * factors));
}

TEST(SwitchLayer, OfOnePathIsThatPath) {
  const Scaling light{2}, heavy{3};
  const SwitchLayer layer(first_channel(), light.network({}), heavy.network({}));
  EXPECT_TRUE(at::equal(layer.forward(features(), share(0)).output, features() * 2));
  EXPECT_TRUE(heavy.batches->empty());
  EXPECT_TRUE(at::equal(layer.forward(features(), share(1)).output, features() * 3));
  EXPECT_EQ(light.batches->size(), 1u);
}

TEST(SwitchLayer, MasksWhatTheLightPathReads) {
  const Scaling light{1}, heavy{1};
  const SwitchLayer layer(first_channel(), light.network({}), heavy.network({}), at::tensor({1.0f, 0.0f}));
  const at::Tensor output = layer.forward(features(), share(0.5)).output;
  EXPECT_EQ(output.select(1, 1).sum().item<float>(), 2 * 3 * 10);  // of the two heavy samples
  EXPECT_TRUE(at::equal(output.select(1, 0), features().select(1, 0)));
}

TEST(SwitchLayer, OfNothingIsNothing) {
  const Scaling light{1}, heavy{1};
  const auto result =
      SwitchLayer(first_channel(), light.network({}), heavy.network({})).forward(at::zeros({0, 2}), share(0.5));
  EXPECT_FALSE(result.output.defined());
  EXPECT_EQ(result.stats.samples(), 0);
  EXPECT_TRUE(light.batches->empty() && heavy.batches->empty());
}

TEST(SwitchLayer, RefusesWhatItCannotRoute) {
  const Scaling path{1};
  const SwitchLayer layer(first_channel(), path.network({}), path.network({}));
  expect_error<NumericError>([&] { layer.forward(at::full({2, 2}, NAN), share(0.5)); });
  expect_error<TensorError>([&] { layer.forward(at::zeros({2}), share(0.5)); });
  expect_error<TensorError>([&] { layer.forward(features(), [](auto) { return RoutePlan::all(Path::light, 1); }); });
  const PathNetwork shorter{[](const at::Tensor& batch) { return batch.slice(1, 0, 1); },
                            [](at::IntArrayRef) { return PathCost{}; }};
  expect_error<TensorError>(
      [&] { SwitchLayer(first_channel(), path.network({}), shorter).forward(features(), share(0.5)); });
}

TEST(GatedCompression, StopsNegativesAndKeepsChannels) {
  const GatedCompression layer(first_channel(), 2 * gate_score_one, at::tensor({0.0f, 0.5f}));
  EXPECT_EQ(layer.channels(), std::vector<int64_t>{1});
  const auto result = layer.forward(features());
  EXPECT_EQ(result.plan.samples(Path::heavy), (std::vector<int64_t>{1, 3}));
  EXPECT_TRUE(at::equal(result.kept, at::full({2, 1, 3}, 5.0f)));
  EXPECT_EQ(result.stats.light, 2);
  expect_error<TensorError>([&] { layer.forward(at::zeros({1, 3})); });
}

TEST(GatedCompression, MayStopEverything) {
  const GatedCompression layer(first_channel(), 100 * gate_score_one, at::ones({2}));
  EXPECT_FALSE(layer.forward(features()).kept.defined());
  EXPECT_FALSE(layer.forward(at::zeros({0, 2})).kept.defined());
}

/// The codec's own figures: 21.5x fewer parameters and 14.1x fewer multiplications for a light frame, gate included.
TEST(RoutingStats, TellBothFigures) {
  RoutingStats stats{.light = 80,
                     .heavy = 20,
                     .light_cost = {138816, 27673},
                     .heavy_cost = {1995008, 660289},
                     .gate_cost = {3088, 3105}};
  EXPECT_NEAR(stats.light_share(), 0.8, 1e-12);
  EXPECT_NEAR(stats.reduction_per_sample(), 14.06, 0.005);
  EXPECT_NEAR(stats.parameter_reduction(), 21.45, 0.005);
  EXPECT_NEAR(stats.mean_reduction(), 100 * 1995008.0 / (80 * 138816.0 + 20 * 1995008.0 + 100 * 3088.0), 1e-9);
  stats.warm_up_macs = 1995008 * 10;
  EXPECT_NEAR(stats.mean_reduction(), 100 * 1995008.0 / (80 * 138816.0 + 30 * 1995008.0 + 100 * 3088.0), 1e-9);
  EXPECT_EQ(stats.parameters_touched(), 27673 + 660289 + 3105);
}

TEST(RoutingStats, AddUp) {
  const RoutingStats one{
      .light = 3, .heavy = 1, .light_cost = {1, 1}, .heavy_cost = {10, 5}, .gate_cost = {}, .light_ms = 2};
  RoutingStats sum;
  sum += one;
  sum += one;
  sum += RoutingStats{};
  EXPECT_EQ(sum.light, 6);
  EXPECT_EQ(sum.macs(), 26);
  EXPECT_EQ(sum.light_ms, 4);
  RoutingStats other = one;
  other.heavy_cost.macs = 11;
  expect_error<TensorError>([&] { sum += other; });
  EXPECT_EQ(RoutingStats{}.mean_reduction(), 0);
}

}  // namespace
}  // namespace lightswitch
