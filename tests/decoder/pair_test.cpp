#include "decoder/pair_decoder.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>
#include <lightswitch/temporal_decoder.hpp>
#include <lightswitch/weights.hpp>

#include "routing/latent_gate.hpp"
#include "routing/tiles.hpp"
#include "support/errors.hpp"
#include "support/reference_case.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using enum Path;
using testing::close;
using testing::contains;
using testing::expect_error;
using testing::random_tensor;

/// The mean of the latents it was given, everywhere, and an offset.
class MeanDecoder final : public Decoder {
 public:
  MeanDecoder(LatentSpec spec, double offset, int64_t macs) : spec_(std::move(spec)), offset_(offset), macs_(macs) {
    info_.family = "mean";
    info_.parameters = macs;
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& latents, std::stop_token) const override {
    made += latents.size(0);
    const at::Tensor mean = latents.mean({1, 2, 3}, true) + offset_;
    return mean.expand({latents.size(0), 3, latents.size(2) * spec_.factor, latents.size(3) * spec_.factor}).clone();
  }
  int64_t macs(int64_t h, int64_t w) const override { return macs_ * h * w; }

  mutable int64_t made = 0;

 private:
  LatentSpec spec_;
  NetworkInfo info_;
  double offset_;
  int64_t macs_;
};

LatentSpec spec(LatentKind kind, OutputRange range) {
  return {.space = "mine", .network_input = kind, .scaling_factor = 0.5, .output_range = range};
}

struct Pair {
  std::shared_ptr<const MeanDecoder> light, heavy;
  std::shared_ptr<const Decoder> both;
};

/// The gate scores by the first channel.
Pair pair(const Config& config, LatentSpec light = spec(LatentKind::diffusion, OutputRange::unit),
          LatentSpec heavy = spec(LatentKind::raw, OutputRange::signed_unit)) {
  const auto gate = std::make_shared<const LinearGate>(at::tensor({1.0F, 0.0F, 0.0F, 0.0F}), at::zeros({1}));
  const auto small = std::make_shared<const MeanDecoder>(light, 0, 10);
  const auto large = std::make_shared<const MeanDecoder>(heavy, 0.2, 100);
  return {small, large, make_pair_decoder(small, large, gate, PairRule::read(config))};
}

/// Pictures whose first channel says how much the heavy decoder gains.
at::Tensor latents(const std::vector<float>& scores) {
  at::Tensor z = at::full({static_cast<int64_t>(scores.size()), 4, 2, 3}, 0.1);
  z.select(1, 0).copy_(at::tensor(scores).view({-1, 1, 1}).expand({-1, 2, 3}));
  return z;
}

/// What the decoders make of a score, in [0, 1].
float light_of(float score) {
  return (score + 0.3F) / 4;
}
float heavy_of(float score) {
  return (2 * light_of(score) + 0.2F) / 2 + 0.5F;
}

TEST(Pair, RoutesAShareOfTheBatchAndRunsNothingElse) {
  const Pair made = pair({{"heavy-share", "0.4"}});
  const std::vector<float> scores = {0.1F, 0.4F, -0.2F, 0.3F, 0.0F};
  const at::Tensor pictures = decode(*made.both, latents(scores));
  EXPECT_EQ(made.light->made, 3);
  EXPECT_EQ(made.heavy->made, 2);
  for (size_t i = 0; i < scores.size(); ++i) {
    const bool heavy = i == 1 || i == 3;
    EXPECT_NEAR(pictures[static_cast<int64_t>(i)].mean().item<float>(),
                heavy ? heavy_of(scores[i]) : light_of(scores[i]), 1e-5)
        << i;
  }
}

TEST(Pair, ForwardIsWhatDecodeDoes) {
  const Pair made = pair({{"heavy-share", "0.5"}});
  const at::Tensor z = latents({0.1F, 0.4F, 0.2F, 0.3F});
  EXPECT_TRUE(close(made.both->forward(z), decode(*made.both, z), 1e-6));
  EXPECT_EQ(made.both->spec().network_input, LatentKind::diffusion);
  EXPECT_EQ(made.both->spec().scaling_factor, 0.5);
  const at::Tensor raw = decode(*made.both, z / 0.5, {.kind = LatentKind::raw});
  EXPECT_TRUE(close(raw, decode(*made.both, z), 1e-6));
}

TEST(Pair, EndsAreTheDecoders) {
  const at::Tensor z = latents({0.1F, 0.4F, 0.2F});
  const Pair none = pair({{"heavy-share", "0"}}), all = pair({{"heavy-share", "1"}});
  EXPECT_TRUE(close(decode(*none.both, z), decode(*none.light, z), 0));
  EXPECT_TRUE(close(decode(*all.both, z), decode(*all.heavy, z), 0));
  EXPECT_EQ(none.heavy->made, 0);
  EXPECT_EQ(pair({{"threshold", "0.25"}}).both->routing()->plan(z, LatentKind::diffusion, false)[1].plan[0], heavy);
  EXPECT_EQ(pair({{"heavy-share", "0.5"}}).both->macs(2, 3), 6 * 55 + 4);
}

TEST(Pair, TellsOfEveryPicture) {
  const Pair made = pair({{"heavy-share", "0.25"}});
  RoutingStats stats;
  DecodeOptions options;
  options.routed = [&](const PictureRoute& route) {
    EXPECT_EQ(route.tile, 0);
    stats += route.stats;
  };
  decode(*made.both, latents({0.1F, 0.4F, 0.2F, 0.3F}), options);
  EXPECT_EQ(stats.light, 3);
  EXPECT_EQ(stats.heavy, 1);
  EXPECT_EQ(stats.macs(), 6 * (3 * 10 + 100) + 4 * 4);
}

TEST(Pair, FramesKeepAPath) {
  std::vector<float> scores(24);
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = i % 2 == 0 ? 0.4F : 0.0F;
  const Pair made = pair({{"heavy-share", "0.5"}, {"dwell", "6"}});
  const auto routes = made.both->routing()->plan(latents(scores), LatentKind::diffusion, true);
  int64_t heavy_frames = 0, run = 0;
  for (size_t i = 0; i < routes.size(); ++i) {
    heavy_frames += routes[i].plan.count(heavy);
    const bool same = i > 0 && routes[i].plan == routes[i - 1].plan;
    if (i > 0 && !same) EXPECT_GE(run, 6);
    run = same ? run + 1 : 1;
  }
  EXPECT_EQ(heavy_frames, 12);
  // Pictures are chosen one by one.
  const auto single = made.both->routing()->plan(latents(scores), LatentKind::diffusion, false);
  for (size_t i = 0; i < single.size(); ++i) EXPECT_EQ(single[i].plan[0], i % 2 == 0 ? heavy : light);
}

TEST(Pair, DecodesTheFramesOfAClipWhateverTheChunks) {
  const Pair made = pair({{"heavy-share", "0.5"}, {"dwell", "2"}});
  const at::Tensor clip = latents({0.1F, 0.4F, 0.3F, 0.2F, 0.0F, 0.1F}).transpose(0, 1);
  const auto frames = frame_by_frame(made.both);
  expect_error<UnsupportedError>([&] { frames->begin(); });
  const auto all = [&](int64_t chunk) {
    std::vector<at::Tensor> made_frames;
    decode_clip(*frames, clip, {.chunk = chunk}, [&](const at::Tensor& part) { made_frames.push_back(part); });
    return at::cat(made_frames);
  };
  const at::Tensor whole = all(0);
  EXPECT_EQ(whole.size(0), 6);
  EXPECT_TRUE(close(all(1), whole, 0));
  EXPECT_TRUE(close(all(4), whole, 0));
  EXPECT_NEAR(whole[1].mean().item<float>(), heavy_of(0.4F), 1e-5);
  EXPECT_NEAR(whole[4].mean().item<float>(), light_of(0.0F), 1e-5);
}

TEST(Pair, RefusesDecodersOfOtherSpacesByName) {
  const auto field = [](auto change) {
    LatentSpec light = spec(LatentKind::raw, OutputRange::unit), heavy = light;
    change(light);
    return expect_error<UnsupportedError>([&] { pair({}, light, heavy); }).detail().field;
  };
  EXPECT_EQ(field([](LatentSpec& s) { s.channels = 16; }), "channels");
  EXPECT_EQ(field([](LatentSpec& s) { s.factor = 16; }), "factor");
  EXPECT_EQ(field([](LatentSpec& s) { s.space = "theirs"; }), "space");
  EXPECT_EQ(field([](LatentSpec& s) { s.scaling_factor = 0.25; }), "scaling_factor");
  EXPECT_EQ(field([](LatentSpec& s) { s.network_input = LatentKind::indices; }), "light");
  expect_error<OptionError>([] { pair({{"dwell", "0"}}); });
  EXPECT_EQ(expect_error<OptionError>([] {
              pair({{"budget-ms", "3"}}).both->forward(latents({0.1F}), {});
            })
                .detail()
                .field,
            "budget-ms");
}

/// Looks one latent around: the mean of nine, and an offset.
class NearDecoder final : public Decoder {
 public:
  NearDecoder(double offset, int64_t macs) : offset_(offset), macs_(macs) {
    spec_.space = "mine";
    spec_.network_input = LatentKind::diffusion;
    spec_.output_range = OutputRange::unit;
    spec_.halo = 1;
    info_.family = "near";
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& latents, std::stop_token) const override {
    made += latents.size(2) * latents.size(3);
    const at::Tensor mean = at::avg_pool2d(latents.slice(1, 0, 3), {3, 3}, {1, 1}, {1, 1}) + offset_;
    return at::upsample_nearest2d(mean, {8 * latents.size(2), 8 * latents.size(3)});
  }
  int64_t macs(int64_t h, int64_t w) const override { return macs_ * h * w; }

  mutable int64_t made = 0;  ///< latents

 private:
  LatentSpec spec_;
  NetworkInfo info_;
  double offset_;
  int64_t macs_;
};

struct TiledPair {
  std::shared_ptr<const NearDecoder> light = std::make_shared<const NearDecoder>(0.1, 10),
                                     heavy = std::make_shared<const NearDecoder>(0.5, 100);
  std::shared_ptr<const Decoder> both;
  explicit TiledPair(const Config& config) {
    const auto gate = std::make_shared<const LinearGate>(at::tensor({1.0F, 0.0F, 0.0F, 0.0F}), at::zeros({1}));
    both = make_pair_decoder(light, heavy, gate, PairRule::read(config));
  }
  PictureRoute route(const at::Tensor& z, at::Tensor* picture = nullptr) const {
    PictureRoute found;
    const at::Tensor made = both->routing()->forward_observed(z, [&](const PictureRoute& route) { found = route; });
    if (picture) *picture = made;
    return found;
  }
};

TEST(TiledPair, PixelsAreThoseOfTheDecoders) {
  const at::Tensor z = random_tensor({1, 4, 33, 26});  // the last tiles are partial
  for (const char* share : {"0.05", "0.3", "0.6"}) {
    const TiledPair pair({{"tile", "4"}, {"heavy-share", share}});
    at::Tensor picture;
    const PictureRoute route = pair.route(z, &picture);
    EXPECT_EQ(route.rows, 9);
    EXPECT_EQ(route.columns, 7);
    EXPECT_EQ(route.tile, 32);
    EXPECT_EQ(route.plan, plan_by_share(route.scores, std::stod(share)));
    const at::Tensor light = pair.light->forward(z, {}), heavy = pair.heavy->forward(z, {});
    const at::Tensor weights = TileGrid(33, 26, 4).heavy_weights(route.plan, 8);
    EXPECT_TRUE(close(picture, at::lerp(light, heavy, weights.expand_as(light)), 1e-6)) << share;
    EXPECT_TRUE(close(picture.clamp(0, 1), decode(*pair.both, z), 0));
  }
}

TEST(TiledPair, OnlyHeavyTilesAreMadeHeavy) {
  const at::Tensor z = random_tensor({1, 4, 32, 32});
  const TiledPair one({{"tile", "4"}, {"heavy-share", "0.016"}});  // of 64
  const PictureRoute route = one.route(z);
  ASSERT_EQ(route.plan.count(heavy), 1);
  EXPECT_LE(one.heavy->made, 6 * 6) << "its halo included";
  EXPECT_EQ(one.light->made, 32 * 32);
  EXPECT_EQ(route.stats.macs(), 10 * 32 * 32 + 100 * one.heavy->made + 64 * 4);
  EXPECT_EQ(route.stats.light_cost.macs, 10 * 16);
  const TiledPair most({{"tile", "4"}, {"heavy-share", "0.98"}});
  most.route(z);
  EXPECT_LE(most.heavy->made, 32 * 32) << "never more than the whole picture";
  const TiledPair none({{"tile", "4"}, {"heavy-share", "0"}}), all({{"tile", "4"}, {"heavy-share", "1"}});
  EXPECT_TRUE(close(none.both->forward(z, {}), none.light->forward(z, {}), 0));
  EXPECT_TRUE(close(all.both->forward(z, {}), all.heavy->forward(z, {}), 0));
  EXPECT_EQ(none.heavy->made, 0);
  EXPECT_EQ(all.light->made, 0);
}

TEST(TiledPair, TakesAnotherShareABudgetAndFrames) {
  const TiledPair pair({{"tile", "4"}, {"budget-ms", "100000"}});
  EXPECT_EQ(expect_error<OptionError>([&] { pair.route(random_tensor({1, 4, 16, 16})); }).detail().field, "budget-ms");
  EXPECT_EQ(settle_budget(*pair.both, 16, 16).heavy_share, 1);
  const auto half = pair.both->routing()->with_heavy_share(0.5);
  const at::Tensor clip = random_tensor({4, 2, 16, 16});
  std::vector<at::Tensor> frames;
  decode_clip(*frame_by_frame(half), clip, {}, [&](const at::Tensor& part) { frames.push_back(part); });
  EXPECT_TRUE(close(at::cat(frames)[1], half->forward(clip.select(1, 1).unsqueeze(0), {})[0].clamp(0, 1), 1e-6));
}

TEST(TiledPair, SaysWhyTilesCannotBeRouted) {
  const auto global = expect_error<UnsupportedError>([] {
    LatentSpec whole = spec(LatentKind::raw, OutputRange::unit);
    whole.global_operations = true;
    pair({{"tile", "4"}}, spec(LatentKind::raw, OutputRange::unit), whole);
  });
  EXPECT_EQ(global.detail().field, "tile");
  EXPECT_TRUE(contains(global.what(), "normalises or attends over the whole picture"));
  const TiledPair near(Config{{"tile", "8"}});
  const auto small = expect_error<UnsupportedError>([&] { near.route(random_tensor({1, 4, 10, 10})); });
  EXPECT_EQ(small.detail().field, "tile");
  EXPECT_EQ(small.detail().found, "10x10");
  EXPECT_TRUE(contains(small.what(), "more than 10 latents"));
  EXPECT_EQ(near.route(random_tensor({1, 4, 11, 10})).rows, 2);
  for (const Config& config : {Config{{"tile", "3"}}, Config{{"tile", "257"}}})
    EXPECT_EQ(expect_error<OptionError>([&] { const TiledPair pair(config); }).detail().field, "tile");
  EXPECT_EQ(expect_error<OptionError>([] {
              const TiledPair pair(Config{{"tile", "8"}, {"dwell", "3"}});
            })
                .detail()
                .field,
            "dwell");
}

TEST(LatentGate, IsTheNetworkOfItsFile) {
  const std::map<std::string, at::Tensor> tensors = {
      {"gate.conv1.weight", random_tensor({6, 4, 3, 3}, 1) / 6}, {"gate.conv1.bias", random_tensor({6}, 2)},
      {"gate.conv2.weight", random_tensor({6, 6, 3, 3}, 3) / 7}, {"gate.conv2.bias", random_tensor({6}, 4)},
      {"gate.out.weight", random_tensor({1, 6, 1, 1}, 5)},       {"gate.out.bias", random_tensor({1}, 6)}};
  const LatentGate gate(weights_from_memory(tensors));
  const at::Tensor z = random_tensor({3, 4, 5, 7}, 7);
  const auto conv = [&](const at::Tensor& x, const std::string& name, int64_t pad) {
    return at::conv2d(x, tensors.at(name + ".weight"), tensors.at(name + ".bias"), 1, pad);
  };
  const at::Tensor map = conv(at::relu(conv(at::relu(conv(z, "gate.conv1", 1)), "gate.conv2", 1)), "gate.out", 0);
  EXPECT_TRUE(close(gate.scores(z), map.mean({1, 2, 3}), 1e-5));
  EXPECT_EQ(gate.channels(), 4);
  EXPECT_EQ(gate.cost({4, 5, 7}).macs, 35 * (6 * 4 * 9 + 6 * 6 * 9 + 6));
  EXPECT_EQ(gate.cost({4, 5, 7}).parameters, 6 * 4 * 9 + 6 + 6 * 6 * 9 + 6 + 6 + 1);
  auto wrong = tensors;
  wrong.erase("gate.out.bias");
  wrong["gate.more"] = at::zeros({1});
  const auto error = expect_error<WeightsError>([&] { LatentGate(weights_from_memory(wrong)); });
  EXPECT_TRUE(contains(error.what(), "gate.more"));
  EXPECT_TRUE(contains(error.what(), "gate.out.bias"));
}

/// Pairs from files, as a SPEC names them.
class PairSpec : public ::testing::Test {
 protected:
  PairSpec() {
    const auto tensors = testing::tensors_of(*testing::stored_case("taming").request.weights);
    save_safetensors(file("heavy.safetensors"), tensors);
    auto other = tensors;
    for (auto& [name, tensor] : other) tensor = tensor * 0.9;
    save_safetensors(file("light.safetensors"), other);
    channels_ = open("light.safetensors")->spec().channels;
    write_gate(channels_);
  }
  void write_gate(int64_t channels) {
    save_safetensors(file("gate.safetensors"), {{"gate.conv1.weight", random_tensor({6, channels, 3, 3}, 1) / 6},
                                                {"gate.conv1.bias", random_tensor({6}, 2)},
                                                {"gate.conv2.weight", random_tensor({6, 6, 3, 3}, 3) / 7},
                                                {"gate.conv2.bias", random_tensor({6}, 4)},
                                                {"gate.out.weight", random_tensor({1, 6, 1, 1}, 5)},
                                                {"gate.out.bias", random_tensor({1}, 6)}});
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::string text(const std::string& more) const {
    return "routed,light=" + file("light.safetensors") + ",heavy=" + file("heavy.safetensors") +
           ",gate=" + file("gate.safetensors") + more;
  }
  std::shared_ptr<const Decoder> open_text(const std::string& spec) const {
    return open_decoder(NetworkSpec::parse(spec), {.registry = registry_, .dtype = DType::fp32});
  }
  std::shared_ptr<const Decoder> open(const std::string& name) const { return open_text(file(name)); }

  testing::TemporaryFolder folder_;
  DecoderRegistry registry_{builtin_decoder_families()};
  int64_t channels_ = 0;
};

TEST_F(PairSpec, OpensBothWithTheirOwnOptions) {
  const auto both = open_text(text(",heavy-share=0.5,light.dtype=bf16"));
  EXPECT_EQ(both->routing()->path(light)->info().dtype, DType::bf16);
  EXPECT_EQ(both->routing()->path(heavy)->info().dtype, DType::fp32);
  EXPECT_TRUE(contains(both->info().configuration, "50 % heavy"));
  const at::Tensor z = random_tensor({2, channels_, 4, 4});
  const at::Tensor pictures = decode(*both, z);
  const at::Tensor by_heavy = decode(*open("heavy.safetensors"), z);
  EXPECT_NE(close(pictures[0], by_heavy[0], 1e-6), close(pictures[1], by_heavy[1], 1e-6));  // one of two
}

TEST_F(PairSpec, ABudgetBecomesAShare) {
  const auto both = open_text(text(",budget-ms=100000"));
  EXPECT_EQ(settle_budget(*both, 4, 4).heavy_share, 1);
}

TEST_F(PairSpec, RoutesTiles) {
  const auto both = open_text(text(",tile=8,heavy-share=0.25"));
  EXPECT_TRUE(contains(both->info().configuration, "tiles of 8 latents, 25 % heavy"));
  const int64_t halo = open("heavy.safetensors")->spec().halo;
  const at::Tensor z = random_tensor({1, channels_, 16 + 2 * halo, 16 + 2 * halo});
  PictureRoute route;
  const at::Tensor picture = both->routing()->forward_observed(z, [&](const PictureRoute& found) { route = found; });
  const at::Tensor light = open_text(text(",heavy-share=0"))->forward(z, {}),
                   heavy = open_text(text(",heavy-share=1"))->forward(z, {});
  const at::Tensor weights = TileGrid(z.size(2), z.size(3), 8).heavy_weights(route.plan, both->spec().factor);
  EXPECT_TRUE(close(picture, at::lerp(light, heavy, weights.expand_as(light)), 1e-5));
}

TEST_F(PairSpec, RefusesWhatItCannotMean) {
  const auto field = [&](const std::string& more) {
    return expect_error<OptionError>([&] { open_text(text(more)); }).detail().field;
  };
  EXPECT_EQ(field(",bn=batch"), "bn");
  EXPECT_EQ(field(",light.nonsense=1"), "nonsense");
  EXPECT_EQ(field(",heavy-share=2"), "heavy-share");
  EXPECT_EQ(field(",dwell=0"), "dwell");
  EXPECT_EQ(expect_error<OptionError>([&] { open_text("routed,light=a,gate=b"); }).detail().field, "heavy");
  EXPECT_EQ(expect_error<OptionError>([&] { open_text(file("light.safetensors") + ",dwell=3"); }).detail().field,
            "dwell");
  write_gate(channels_ + 1);
  EXPECT_TRUE(contains(expect_error<WeightsError>([&] { open_text(text("")); }).what(), "another latent space"));
  const auto parsed = NetworkSpec::parse(text(""));
  expect_error<UnsupportedError>([&] { open_temporal_decoder(parsed, {.registry = registry_}); });
}

}  // namespace
}  // namespace lightswitch
