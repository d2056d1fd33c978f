#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/model_package.hpp>

#include <cmath>
#include <limits>

#include "decoder/tiling.hpp"
#include "pipeline/fake_parts.hpp"
#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

LatentSpec raw_spec() {
  LatentSpec spec = fake_spec();
  spec.network_input = LatentKind::raw;
  spec.scaling_factor = 0.5;
  spec.shift_factor = 0.25;
  return spec;
}

TEST(Decode, ConvertsDiffusionLatentsToWhatTheNetworkEats) {
  const FakeDecoder decoder(raw_spec());
  decode(decoder, at::full({1, 4, 2, 2}, 0.1));
  EXPECT_TRUE(close(decoder.last_input, at::full({1, 4, 2, 2}, 0.1 / 0.5 + 0.25), 1e-6));
}

TEST(Decode, LeavesRawLatentsAlone) {
  const FakeDecoder decoder(raw_spec());
  const auto latents = random_tensor({1, 4, 2, 3});
  decode(decoder, latents, {.kind = LatentKind::raw});
  EXPECT_TRUE(at::equal(decoder.last_input, latents));
}

TEST(Decode, ScalesRawLatentsForANetworkThatEatsDiffusionLatents) {
  LatentSpec spec = raw_spec();
  spec.network_input = LatentKind::diffusion;
  const FakeDecoder decoder(spec);
  decode(decoder, at::full({1, 4, 2, 2}, 0.45), {.kind = LatentKind::raw});
  EXPECT_TRUE(close(decoder.last_input, at::full({1, 4, 2, 2}, (0.45 - 0.25) * 0.5), 1e-6));
}

/// Scales and moves what a decoder gives.
class MovedDecoder final : public Decoder {
 public:
  MovedDecoder(const Decoder& decoder, double scale, double offset)
      : decoder_(decoder), scale_(scale), offset_(offset) {}
  const LatentSpec& spec() const override { return decoder_.spec(); }
  const NetworkInfo& info() const override { return decoder_.info(); }
  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override {
    return decoder_.forward(latents, std::move(stop)) * scale_ + offset_;
  }
  int64_t macs(int64_t h, int64_t w) const override { return decoder_.macs(h, w); }

 private:
  const Decoder& decoder_;
  double scale_, offset_;
};

class OutputRangeGuess : public ::testing::TestWithParam<const char*> {};

TEST_P(OutputRangeGuess, IsTheOneThatTheShippedDecoderHas) {
  const DecoderRegistry registry(builtin_decoder_families());
  const std::string models = std::string(LIGHTSWITCH_SOURCE_DIR) + "/models/scenes";
  const ModelPackage package = ModelPackage::open(models);
  const auto decoder = open_decoder(NetworkSpec::parse(GetParam()), {.registry = registry, .package = &package});
  const OutputRange range = decoder->spec().output_range;
  EXPECT_EQ(guess_output_range(*decoder), range);
  const bool is_signed = range == OutputRange::signed_unit;
  const MovedDecoder other = is_signed ? MovedDecoder(*decoder, 0.5, 0.5) : MovedDecoder(*decoder, 2, -1);
  EXPECT_EQ(guess_output_range(other), is_signed ? OutputRange::unit : OutputRange::signed_unit);
}

INSTANTIATE_TEST_SUITE_P(Scenes, OutputRangeGuess, ::testing::Values("vae", "vit", "tae"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(OutputRangeGuess, FollowsTAESDsTrainedWeights) {
  const auto file = data_root() / "models" / "taesd" / "taesd_decoder_raw.safetensors";
  LIGHTSWITCH_REQUIRE_DATA(file);
  const DecoderRegistry registry(builtin_decoder_families());
  const auto decoder = open_decoder(NetworkSpec::parse(file.string()), {.registry = registry});
  EXPECT_EQ(guess_output_range(*decoder), OutputRange::unit);
  EXPECT_EQ(guess_output_range(MovedDecoder(*decoder, 2, -1)), OutputRange::signed_unit);
}

TEST(OutputRangeGuess, IsNoneForPicturesThatFitNeither) {
  LatentSpec spec = fake_spec();
  const FakeDecoder decoder(spec);
  EXPECT_EQ(guess_output_range(MovedDecoder(decoder, std::numeric_limits<double>::quiet_NaN(), 0)), std::nullopt);
  EXPECT_EQ(guess_output_range(MovedDecoder(decoder, 1, 1.2)), std::nullopt) << "a tenth of the numbers is negative";
  spec.network_input = LatentKind::indices;
  EXPECT_EQ(guess_output_range(FakeDecoder(spec)), std::nullopt);
}

TEST(Decode, MapsBothOutputRangesToUnitAndClamps) {
  LatentSpec spec = fake_spec();
  const auto latents = at::tensor({-3.f, -0.5f, 0.5f, 3.f}).view({1, 1, 1, 4}).expand({1, 4, 1, 4}).contiguous();
  spec.output_range = OutputRange::signed_unit;
  const auto from_signed = decode(FakeDecoder(spec), latents);
  spec.output_range = OutputRange::unit;
  const auto from_unit = decode(FakeDecoder(spec), latents);
  const auto at_column = [](const at::Tensor& picture, int64_t column) {
    return picture[0][0][0][column * 8].item<float>();
  };
  EXPECT_FLOAT_EQ(at_column(from_signed, 0), 0.f);
  EXPECT_FLOAT_EQ(at_column(from_signed, 1), 0.25f);
  EXPECT_FLOAT_EQ(at_column(from_signed, 2), 0.75f);
  EXPECT_FLOAT_EQ(at_column(from_signed, 3), 1.f);
  EXPECT_FLOAT_EQ(at_column(from_unit, 1), 0.f);
  EXPECT_FLOAT_EQ(at_column(from_unit, 2), 0.5f);
  EXPECT_FLOAT_EQ(at_column(from_unit, 3), 1.f);
  EXPECT_TRUE(from_signed.is_contiguous());
}

TEST(Decode, RefusesAnotherChannelCount) {
  const auto error = expect_error<TensorError>([] { decode(FakeDecoder(fake_spec()), at::zeros({1, 16, 4, 4})); });
  EXPECT_EQ(error.detail().field, "latents");
  EXPECT_TRUE(contains(error.detail().expected, "[N, 4, h, w]"));
  EXPECT_TRUE(contains(error.detail().found, "16"));
}

TEST(Decode, RefusesOtherRanksTypesAndEmptyLatents) {
  const FakeDecoder decoder(fake_spec());
  expect_error<TensorError>([&] { decode(decoder, at::zeros({4, 4, 4})); });
  expect_error<TensorError>([&] { decode(decoder, at::zeros({1, 4, 4, 4}, at::kLong)); });
  expect_error<TensorError>([&] { decode(decoder, at::zeros({0, 4, 4, 4})); });
  expect_error<TensorError>([&] { decode(decoder, at::zeros({1, 4, 0, 4})); });
  expect_error<TensorError>([&] { decode(decoder, at::Tensor()); });
}

TEST(Decode, RefusesIndicesForAContinuousDecoder) {
  const auto error = expect_error<TensorError>(
      [] { decode(FakeDecoder(fake_spec()), at::zeros({1, 4, 4}, at::kLong), {.kind = LatentKind::indices}); });
  EXPECT_EQ(error.detail().field, "kind");
}

TEST(Decode, CountsNonFiniteLatents) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto latents = at::zeros({1, 4, 4, 4});
    latents[0][1][2][3] = bad;
    const auto error = expect_error<NumericError>([&] { decode(FakeDecoder(fake_spec()), latents); });
    EXPECT_TRUE(contains(error.detail().found, "1 of 64"));
  }
}

TEST(Decode, OppositeInfinitiesAreNotMistakenForFinite) {
  auto latents = at::zeros({1, 4, 4, 4});
  latents[0][0][0][0] = std::numeric_limits<float>::infinity();
  latents[0][0][0][1] = -std::numeric_limits<float>::infinity();
  expect_error<NumericError>([&] { decode(FakeDecoder(fake_spec()), latents); });
}

TEST(Decode, ChecksWhatTheDecoderReturns) {
  class WrongShape final : public Decoder {
   public:
    const LatentSpec& spec() const override { return spec_; }
    const NetworkInfo& info() const override { return info_; }
    at::Tensor forward(const at::Tensor& z, std::stop_token) const override {
      return nan_ ? at::full({1, 3, z.size(2) * 8, z.size(3) * 8}, NAN) : at::zeros({1, 3, 5, 5});
    }
    int64_t macs(int64_t, int64_t) const override { return 0; }
    bool nan_ = false;

   private:
    LatentSpec spec_ = fake_spec();
    NetworkInfo info_;
  } decoder;
  EXPECT_EQ(expect_error<TensorError>([&] { decode(decoder, at::zeros({1, 4, 4, 4})); }).detail().field, "picture");
  decoder.nan_ = true;
  EXPECT_EQ(expect_error<NumericError>([&] { decode(decoder, at::zeros({1, 4, 4, 4})); }).detail().field, "picture");
}

/// Multiplies by 1e4 twice and takes it back, in its dtype: too much for fp16.
class SteepDecoder final : public Decoder {
 public:
  explicit SteepDecoder(DType dtype) {
    spec_ = fake_spec();
    spec_.factor = 1;
    spec_.output_range = OutputRange::unit;
    info_.dtype = dtype;
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& z, std::stop_token) const override {
    const auto x = z.slice(1, 0, 3).to(info_.dtype == DType::fp16 ? at::kHalf : at::kFloat);
    return (x * 1e4 * 1e4 / 1e4 / 1e4).to(at::kFloat);
  }
  int64_t macs(int64_t, int64_t) const override { return 0; }
  std::string first_non_finite_layer(const at::Tensor&, std::stop_token) const override { return "second"; }

 private:
  LatentSpec spec_;
  NetworkInfo info_;
};

TEST(Decode, NumbersThatOverflowAreDecodedAgainInAWiderDtype) {
  const auto latents = at::full({2, 4, 3, 5}, 0.5);
  std::string told;
  const OpenWider wider = [&](const NumericError& error) {
    told = error.what();
    return std::make_shared<SteepDecoder>(DType::fp32);
  };
  const auto pictures = decode(SteepDecoder(DType::fp16), latents, {.wider = wider});
  EXPECT_TRUE(at::equal(pictures, decode(SteepDecoder(DType::fp32), latents)));
  EXPECT_TRUE(contains(told, "fp16"));
  EXPECT_TRUE(contains(told, "first after second"));
}

TEST(Decode, NumbersThatOverflowAreAnErrorWhereNothingWiderIs) {
  const auto latents = at::full({1, 4, 3, 5}, 0.5);
  const SteepDecoder decoder(DType::fp16);
  expect_error<NumericError>([&] { decode(decoder, latents); });
  expect_error<NumericError>([&] { decode(decoder, latents, {.wider = [](auto&) { return nullptr; }}); });
  const OpenWider no_wider = [](auto&) { return std::make_shared<SteepDecoder>(DType::fp16); };
  expect_error<NumericError>([&] { decode(decoder, latents, {.wider = no_wider}); });
}

/// Runs out of memory on more than `room` latents along an edge.
class LargeDecoder final : public Decoder {
 public:
  enum class Failure { standard, libtorch, other };
  LargeDecoder(int64_t room, Failure failure) : room_(room), failure_(failure) {
    spec_ = fake_spec();
    spec_.factor = 1;
    spec_.halo = 0;
    spec_.output_range = OutputRange::unit;
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& z, std::stop_token) const override {
    if (z.size(2) > room_ || z.size(3) > room_) {
      TORCH_CHECK(failure_ != Failure::libtorch, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9");
      TORCH_CHECK(failure_ != Failure::other, "shapes cannot be multiplied");
      throw std::bad_alloc();
    }
    return z.slice(1, 0, 3);
  }
  int64_t macs(int64_t, int64_t) const override { return 0; }

 private:
  int64_t room_;
  Failure failure_;
  LatentSpec spec_;
  NetworkInfo info_;
};

TEST(Decode, WhenMemoryRunsOutSmallerTilesAreTriedOneAfterAnother) {
  const auto latents = at::rand({2, 4, 100, 70});
  for (const auto failure : {LargeDecoder::Failure::standard, LargeDecoder::Failure::libtorch}) {
    std::vector<int64_t> tried;
    const TrySmaller smaller = [&](const MemoryError& error, const TileOptions& tiles) {
      EXPECT_TRUE(contains(error.what(), tried.empty() ? "whole" : "tiles of " + std::to_string(tried.back())));
      tried.push_back(tiles.size);
      return true;
    };
    const auto pictures = decode(LargeDecoder(40, failure), latents, {.smaller = smaller});
    EXPECT_EQ(tried, (std::vector<int64_t>{96, 64, 48, 32}));
    EXPECT_TRUE(at::equal(pictures, decode(LargeDecoder(100, failure), latents)));
  }
}

TEST(Decode, WhenMemoryRunsOutItIsAnErrorUnlessSomethingSmallerIsWanted) {
  const auto latents = at::rand({1, 4, 100, 70});
  const LargeDecoder decoder(40, LargeDecoder::Failure::standard);
  expect_error<MemoryError>([&] { decode(decoder, latents); });
  expect_error<MemoryError>([&] { decode(decoder, latents, {.smaller = [](auto&, auto&) { return false; }}); });
  const TrySmaller always = [](auto&, auto&) { return true; };
  expect_error<MemoryError>(
      [&] { decode(LargeDecoder(3, LargeDecoder::Failure::standard), latents, {.smaller = always}); });
  // Other failures are none of memory.
  EXPECT_THROW(decode(LargeDecoder(40, LargeDecoder::Failure::other), latents, {.smaller = always}), c10::Error);
}

TEST(Decode, BadLatentsAreNoMatterOfTheDtype) {
  bool asked = false;
  const OpenWider wider = [&](auto&) {
    asked = true;
    return std::make_shared<SteepDecoder>(DType::fp32);
  };
  expect_error<NumericError>([&] { decode(SteepDecoder(DType::fp16), at::full({1, 4, 3, 5}, NAN), {.wider = wider}); });
  EXPECT_FALSE(asked);
}

TEST(Decode, ApproximateTilesAreRefusedWhereTheyCannotBeOrAreNotWanted) {
  LatentSpec spec = fake_spec();
  spec.global_operations = true;
  const auto decode_with = [&](TileOptions tiles) {
    decode(FakeDecoder(spec), at::zeros({1, 4, 8, 8}), {.tiles = tiles});
  };
  const auto unwanted = expect_error<UnsupportedError>([&] { decode_with({.size = 4, .only_exact = true}); });
  EXPECT_EQ(unwanted.detail().field, "tiles.only_exact");
  const auto impossible = expect_error<UnsupportedError>([&] { decode_with({.size = 4}); });
  EXPECT_EQ(impossible.detail().field, "tiles.size");
  for (const TileOptions bad : {TileOptions{.size = -1}, TileOptions{.size = 4, .overlap = 0.95}})
    expect_error<OptionError>([&] { decode_with(bad); });
}

/// Divides by the mean of the whole picture: a global norm.
class MeanDecoder final : public Decoder, private SharedNorms {
 public:
  MeanDecoder() {
    spec_ = fake_spec();
    spec_.factor = 2;
    spec_.output_range = OutputRange::unit;
    spec_.global_operations = true;
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& z, std::stop_token stop) const override {
    return forward_with(measure(z, stop), z, stop);
  }
  int64_t macs(int64_t, int64_t) const override { return 0; }
  const SharedNorms* shared_norms() const override { return this; }

 private:
  NormStatistics measure(const at::Tensor& z, std::stop_token) const override { return {z.mean()}; }
  at::Tensor forward_with(const NormStatistics& mean, const at::Tensor& z, std::stop_token) const override {
    const auto rgb = z.slice(1, 0, 3) / mean.front() * 0.3;
    return at::repeat_interleave(at::repeat_interleave(rgb, 2, 2), 2, 3);
  }

  LatentSpec spec_;
  NetworkInfo info_;
};

TEST(Tiling, ApproximateTilesShareTheStatisticsOfTheWhole) {
  // Bright on one side: a tile's own mean would be far from the picture's.
  const auto latents = at::linspace(0.5, 2, 40).expand({1, 4, 24, 40}).contiguous();
  const MeanDecoder decoder;
  const auto whole = decode(decoder, latents);
  const auto tiled = decode(decoder, latents, {.tiles = {.size = 8}});
  EXPECT_TRUE(close(tiled, whole, 1e-5));  // a thinned ramp has the ramp's mean
  const auto no_overlap = decode(decoder, latents, {.tiles = {.size = 8, .overlap = 0}});
  EXPECT_TRUE(close(no_overlap, tiled, 1e-5));
  const auto own = decode(decoder, latents.slice(3, 0, 8));
  EXPECT_FALSE(close(tiled.slice(3, 0, 16), own.expand({1, 3, 48, 16}), 0.1))
      << "the comparison would not see a tile's own mean";
}

TEST(Tiling, BlendedTilesOfOneDecoderWithoutGlobalsAreThePicture) {
  const auto latents = random_tensor({1, 4, 11, 17});
  const auto double_size = [](const at::Tensor& z) {
    return at::repeat_interleave(at::repeat_interleave(z.slice(1, 0, 3), 2, 2), 2, 3);
  };
  for (const int64_t tile : {1, 4, 5, 30})
    for (const double overlap : {0.0, 0.25, 0.9})
      EXPECT_TRUE(close(decode_blended_tiles(latents, {.size = tile, .overlap = overlap}, 2, double_size, {}),
                        double_size(latents), 1e-5))
          << tile << " " << overlap;
}

TEST(Tiling, StartsCoverTheLength) {
  for (const int64_t length : {1, 5, 16, 33}) {
    for (const int64_t tile : {1, 4, 16, 50}) {
      for (const int64_t overlap : {0, 1, 3}) {
        int64_t covered = 0;
        for (const int64_t start : tile_starts(length, tile, std::min(overlap, tile - 1))) {
          EXPECT_GE(start, 0);
          EXPECT_LE(start, covered);
          covered = std::min(start + tile, length);
        }
        EXPECT_EQ(covered, length);
      }
    }
  }
}

/// A box blur over the latents with a known reach: what tiles must not be able to see.
class BlurDecoder final : public Decoder {
 public:
  explicit BlurDecoder(int64_t halo) {
    spec_ = fake_spec();
    spec_.factor = 2;
    spec_.halo = halo;
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& z, std::stop_token) const override {
    ++calls;
    const auto weight = at::ones({3, 1, 5, 5}) / 25;
    const auto blurred = at::conv2d(z.slice(1, 0, 3).contiguous(), weight, {}, 1, 2, 1, 3);
    return at::repeat_interleave(at::repeat_interleave(blurred, 2, 2), 2, 3);
  }
  int64_t macs(int64_t, int64_t) const override { return 0; }
  mutable int calls = 0;

 private:
  LatentSpec spec_;
  NetworkInfo info_;
};

TEST(Tiling, EqualsTheWholeDecodeWhenTheHaloCoversTheReach) {
  const auto latents = random_tensor({2, 4, 11, 17});
  const BlurDecoder decoder(2);
  const auto whole = decode(decoder, latents);
  for (const int64_t tile : {1, 3, 4, 8, 64})
    EXPECT_TRUE(close(decode(decoder, latents, {.tiles = {.size = tile}}), whole, 1e-6)) << tile;
}

TEST(Tiling, TheComparisonAboveWouldSeeAHaloThatIsTooSmall) {
  const auto latents = random_tensor({1, 4, 11, 17});
  EXPECT_FALSE(close(decode(BlurDecoder(1), latents, {.tiles = {.size = 4}}), decode(BlurDecoder(1), latents), 1e-4));
}

TEST(Tiling, ReportsEveryTileAndStopsBetweenThem) {
  const BlurDecoder decoder(2);
  std::stop_source source;
  std::vector<int64_t> done;
  DecodeOptions options{.tiles = {.size = 4}, .stop = source.get_token()};
  options.progress = [&](int64_t tile, int64_t total) {
    done.push_back(tile);
    EXPECT_EQ(total, 6);
    if (tile == 2) source.request_stop();
  };
  expect_error<Cancelled>([&] { decode(decoder, random_tensor({1, 4, 8, 12}), options); });
  EXPECT_EQ(done, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(decoder.calls, 2);
}

TEST(Tiling, SpansCoverTheLengthOnceAndStayInside) {
  for (const int64_t length : {1, 5, 16, 33}) {
    for (const int64_t tile : {1, 4, 16, 50}) {
      int64_t expected_begin = 0;
      for (const TileSpan& span : tile_spans(length, tile, 3)) {
        EXPECT_EQ(span.begin, expected_begin);
        EXPECT_LE(span.end - span.begin, tile);
        EXPECT_EQ(span.read_begin, std::max<int64_t>(0, span.begin - 3));
        EXPECT_EQ(span.read_end, std::min(length, span.end + 3));
        expected_begin = span.end;
      }
      EXPECT_EQ(expected_begin, length);
    }
  }
}

TEST(Encode, ChecksSizesAndConvertsKinds) {
  LatentSpec spec = raw_spec();
  const FakeEncoder encoder(spec);
  EXPECT_TRUE(close(encode(encoder, at::rand({2, 3, 16, 24})), at::zeros({2, 4, 2, 3}), 1e-6));  // (0.25 - 0.25) * 0.5
  EXPECT_TRUE(close(encode(encoder, at::rand({1, 3, 16, 24}), LatentKind::raw), at::full({1, 4, 2, 3}, 0.25), 1e-6));
  expect_error<TensorError>([&] { encode(encoder, at::rand({1, 3, 15, 24})); });
  expect_error<TensorError>([&] { encode(encoder, at::rand({1, 4, 16, 24})); });
  expect_error<NumericError>([&] { encode(encoder, at::full({1, 3, 16, 24}, NAN)); });
  expect_error<UnsupportedError>([&] { encode(encoder, at::rand({1, 3, 16, 24}), LatentKind::indices); });
}

}  // namespace
}  // namespace lightswitch
