#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/seams.hpp>

#include <chrono>
#include <limits>
#include <thread>

#include "support/errors.hpp"
#include "support/reference_case.hpp"
#include "support/tensors.hpp"

/// Routed decoders behind decode(): what observers are told, budgets, seams.
namespace lightswitch {
namespace {

using testing::close;
using testing::expect_error;
using testing::random_tensor;

std::shared_ptr<const Decoder> routed(Config config) {
  NetworkRequest request = testing::stored_case("routed").request;
  request.config = std::move(config);
  request.config["tile"] = "2";
  request.dtype = DType::fp32;
  const DecoderRegistry registry(builtin_decoder_families());
  return registry.make_decoder(registry.family("routed"), request);
}

std::vector<PictureRoute> routes(const Decoder& decoder, const at::Tensor& latents, DecodeOptions options = {}) {
  std::vector<PictureRoute> found;
  options.routed = [&](const PictureRoute& route) { found.push_back(route); };
  decode(decoder, latents, options);
  return found;
}

TEST(RoutedDecode, TellsOfEveryPicture) {
  const auto decoder = routed({{"heavy-share", "0.25"}});
  const at::Tensor latents = random_tensor({3, 5, 8, 8});
  const auto found = routes(*decoder, latents);
  ASSERT_EQ(found.size(), 3u);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found[i].plan.count(Path::heavy), 4);
    EXPECT_EQ(found[i].plan, routes(*decoder, latents.slice(0, i, i + 1))[0].plan);
  }
}

TEST(RoutedDecode, IsTheSameWhetherObservedOrNot) {
  const auto decoder = routed({{"heavy-share", "0.5"}});
  const at::Tensor latents = random_tensor({2, 5, 8, 8});
  DecodeOptions options;
  options.routed = [](const PictureRoute&) {};
  EXPECT_TRUE(close(decode(*decoder, latents, options), decode(*decoder, latents), 0));
}

TEST(RoutedDecode, TellsOfEveryTileOfAPictureInPieces) {
  DecodeOptions options;
  options.tiles = {.size = 4, .overlap = 0};
  EXPECT_EQ(routes(*routed({{"heavy-share", "0.25"}}), random_tensor({1, 5, 8, 8}), options).size(), 4u);
  EXPECT_EQ(routes(*routed({{"threshold", "0"}}), random_tensor({1, 5, 8, 8}), options).size(), 4u);
  options.tiles.only_exact = true;  // no rule makes the same tiles of a piece as of the whole
  expect_error<UnsupportedError>([&] { routes(*routed({{"threshold", "0"}}), random_tensor({1, 5, 8, 8}), options); });
}

/// Tells of a route, then makes numbers that are none.
class Overflowing final : public Decoder, public RoutedDecoding {
 public:
  explicit Overflowing(std::shared_ptr<const Decoder> decoder) : decoder_(std::move(decoder)) {}
  const LatentSpec& spec() const override { return decoder_->spec(); }
  const NetworkInfo& info() const override { return decoder_->info(); }
  const RoutedDecoding* routing() const override { return this; }
  int64_t macs(int64_t h, int64_t w) const override { return decoder_->macs(h, w); }
  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override {
    return decoder_->forward(latents, std::move(stop)) * std::numeric_limits<float>::infinity();
  }
  at::Tensor forward_observed(const at::Tensor& latents, const RouteObserver& observe,
                              std::stop_token stop) const override {
    observe({});
    return forward(latents, std::move(stop));
  }
  std::shared_ptr<const Decoder> with_heavy_share(double) const override { return nullptr; }
  std::optional<double> budget_ms() const override { return {}; }

 private:
  std::shared_ptr<const Decoder> decoder_;
};

/// Nothing is told of a picture whose numbers overflowed: it is decoded again.
TEST(RoutedDecode, TellsOfWhatWasUsed) {
  const auto sound = routed({{"heavy-share", "0.25"}});
  DecodeOptions options;
  options.wider = [&](const NumericError&) { return sound; };
  const auto found = routes(Overflowing(sound), random_tensor({1, 5, 8, 8}), options);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].plan.count(Path::heavy), 4);
}

TEST(Budget, BecomesTheLargestShareThatKeepsIt) {
  const SettledBudget all = settle_budget(*routed({{"budget-ms", "100000"}}), 16, 16);
  EXPECT_EQ(all.heavy_share, 1);
  EXPECT_GT(all.heavy_ms, 0);
  const at::Tensor latents = random_tensor({1, 5, 16, 16});
  EXPECT_TRUE(close(decode(*all.decoder, latents), decode(*routed({{"heavy-share", "1"}}), latents), 0));
  EXPECT_FALSE(all.decoder->routing()->budget_ms());
}

TEST(Budget, IsRefusedWhereAllLightExceedsIt) {
  const auto error = expect_error<OptionError>([] { settle_budget(*routed({{"budget-ms", "1e-6"}}), 8, 8); });
  EXPECT_EQ(error.detail().field, "budget-ms");
  expect_error<UnsupportedError>([] { settle_budget(*routed({{"heavy-share", "0.5"}}), 8, 8); });
}

/// Takes at least 2 ms and 100 ms times its share.
class Sleeping final : public Decoder, public RoutedDecoding {
 public:
  Sleeping(double heavy_share, double budget_ms) : heavy_share_(heavy_share), budget_ms_(budget_ms) {}
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  const RoutedDecoding* routing() const override { return this; }
  int64_t macs(int64_t, int64_t) const override { return 0; }
  static double least_ms(double heavy_share) { return 2 + 100 * heavy_share; }
  at::Tensor forward(const at::Tensor& latents, std::stop_token) const override {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(least_ms(heavy_share_)));
    return latents;
  }
  at::Tensor forward_observed(const at::Tensor& latents, const RouteObserver&, std::stop_token stop) const override {
    return forward(latents, std::move(stop));
  }
  std::shared_ptr<const Decoder> with_heavy_share(double heavy_share) const override {
    return std::make_shared<Sleeping>(heavy_share, budget_ms_);
  }
  std::optional<double> budget_ms() const override { return budget_ms_; }

 private:
  double heavy_share_, budget_ms_;
  LatentSpec spec_;
  NetworkInfo info_;
};

/// A busy machine finds a smaller share, never a larger one.
TEST(Budget, IsKeptByWhatWasMeasured) {
  const SettledBudget settled = settle_budget(Sleeping(0, 60), 4, 4);
  EXPECT_LE(settled.ms, 60);
  EXPECT_GT(settled.heavy_share, 0);
  EXPECT_LE(Sleeping::least_ms(settled.heavy_share), 60);
  EXPECT_GE(settled.ms, Sleeping::least_ms(settled.heavy_share));
}

TEST(Budget, HasToBeSettledBeforeAnythingIsDecoded) {
  const auto error =
      expect_error<OptionError>([] { decode(*routed({{"budget-ms", "5"}}), random_tensor({1, 5, 8, 8})); });
  EXPECT_EQ(error.detail().field, "budget-ms");
}

/// Random weights make branches that differ everywhere: put side by side their tiles can be seen, blended they cannot.
TEST(RoutedDecode, LeavesNoSeams) {
  const at::Tensor latents = random_tensor({1, 5, 24, 24});
  const at::Tensor light = decode(*routed({{"heavy-share", "0"}}), latents);
  const at::Tensor heavy = decode(*routed({{"heavy-share", "1"}}), latents);
  PictureRoute route;
  DecodeOptions options;
  options.routed = [&](const PictureRoute& found) { route = found; };
  const at::Tensor mixed = decode(*routed({{"heavy-share", "0.5"}}), latents, options);
  at::Tensor side_by_side = light.clone();
  for (const int64_t tile : route.plan.samples(Path::heavy)) {
    const int64_t y = tile / route.columns * route.tile, x = tile % route.columns * route.tile;
    const auto place = [&](const at::Tensor& picture) {
      return picture.slice(2, y, y + route.tile).slice(3, x, x + route.tile);
    };
    place(side_by_side).copy_(place(heavy));
  }
  // Seams of what the branches differ by: their own edges at every eighth pixel are no business of routing.
  const double hard = seam_ratio(side_by_side - light, route.tile), blended = seam_ratio(mixed - light, route.tile);
  RecordProperty("side_by_side", std::to_string(hard));
  RecordProperty("blended", std::to_string(blended));
  EXPECT_GT(hard, 1.25);
  EXPECT_LT(blended, 1.05);
}

}  // namespace
}  // namespace lightswitch
