// A codec as applications use it: frame by frame, routed, with losses.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/audio/codec.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"
#include "support/weights.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::contains;
using lightswitch::testing::expect_error;
using testing::largest_difference;
using testing::noise;

constexpr int64_t kHop = 320, kFrames = 40, kStages = 8;

std::shared_ptr<const CodecModel> model(bool light = true) {
  static const auto both = std::make_shared<const CodecModel>(testing::random_codec(true), "a");
  static const auto heavy = std::make_shared<const CodecModel>(testing::random_codec(false), "b");
  return light ? both : heavy;
}

std::vector<int32_t> codes() {
  StreamEncoder encoder(model(), kStages);
  const auto indices = encoder.encode(noise(kFrames * kHop));
  return {indices.begin(), indices.end()};
}

std::vector<float> copied(std::span<const float> samples) {
  return {samples.begin(), samples.end()};
}

TEST(Codec, FrameByFrameIsTheWhole) {
  const auto sound = noise(kFrames * kHop);
  const auto all = codes();
  StreamEncoder encoder(model(), kStages);
  StreamDecoder whole(model()), frames(model());
  const auto expected = copied(whole.decode(all, kStages, Path::heavy));
  for (int64_t frame = 0; frame < kFrames; ++frame) {
    const auto code = encoder.encode(std::span(sound).subspan(frame * kHop, kHop));
    ASSERT_TRUE(std::ranges::equal(code, std::span(all).subspan(frame * kStages, kStages)));
    const auto samples = frames.decode(code, kStages, Path::heavy);
    EXPECT_EQ(largest_difference(samples, std::span(expected).subspan(frame * kHop, kHop)), 0);
  }
  // A model without light decoder makes the same of it.
  StreamDecoder heavy(model(false));
  EXPECT_EQ(largest_difference(heavy.decode(all, kStages, Path::heavy), expected), 0);
  EXPECT_EQ(heavy.stats().heavy, kFrames);
}

TEST(Codec, StagesMayChangeWithEveryFrame) {
  StreamEncoder encoder(model(), 16), fewer(model(), 4);
  const auto sound = noise(2 * kHop);
  const auto first = encoder.encode(std::span(sound).first(kHop));
  const auto rough = fewer.encode(std::span(sound).first(kHop));
  EXPECT_TRUE(std::ranges::equal(first.first(4), rough));
  encoder.set_stages(4);
  EXPECT_TRUE(
      std::ranges::equal(encoder.encode(std::span(sound).last(kHop)), fewer.encode(std::span(sound).last(kHop))));
}

TEST(Codec, RouterDecidesByTheGatesScores) {
  const auto all = codes();
  StreamDecoder scoring(model()), routed(model()), told(model());
  const auto scores = scoring.scores(all, kStages);
  ASSERT_EQ(scores.size(), static_cast<size_t>(kFrames));
  std::vector<GateScore> sorted(scores.begin(), scores.end());
  std::ranges::sort(sorted);
  LiveRouter::Rules rules;
  rules.on = rules.off = sorted[kFrames / 2];
  LiveRouter router(rules), again(rules);
  std::vector<Path> paths;
  for (const GateScore score : scores) paths.push_back(again.next(score));
  EXPECT_GT(std::ranges::count(paths, Path::heavy), 0);
  EXPECT_GT(std::ranges::count(paths, Path::light), 0);
  const auto expected = copied(told.decode(all, kStages, paths));
  std::vector<float> samples;
  for (int64_t frame = 0; frame < kFrames; ++frame) {
    const auto piece = routed.decode(std::span(all).subspan(frame * kStages, kStages), kStages, router);
    samples.insert(samples.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(largest_difference(samples, expected), 0);
  EXPECT_EQ(routed.stats().heavy, std::ranges::count(paths, Path::heavy));
  EXPECT_EQ(routed.stats().gate_cost.macs, 3088);
}

TEST(Codec, TheHeavyDecoderAloneSparesTheLightOne) {
  const auto all = codes();
  StreamDecoder both(model()), alone(model(), {}, StreamDecoder::Decoders::heavy);
  const auto expected = copied(both.decode(all, kStages, Path::heavy));
  EXPECT_EQ(largest_difference(alone.decode(all, kStages, Path::heavy), expected), 0);
  EXPECT_EQ(both.stats().macs() - alone.stats().macs(), kFrames * model()->light()->macs_per_frame());
  EXPECT_EQ(alone.stats().reduction_per_sample(), both.stats().reduction_per_sample());
  EXPECT_TRUE(contains(expect_error<UnsupportedError>([&] { alone.decode(all, kStages, Path::light); }).what(),
                       "heavy decoder alone"));
}

TEST(Codec, LossesFadeOutAndBackIn) {
  const auto all = codes();
  for (const bool light : {true, false}) {
    StreamDecoder decoder(model(light));
    decoder.decode(std::span(all).first(20 * kStages), kStages, Path::heavy);
    const auto lost = copied(decoder.conceal(10));
    EXPECT_EQ(decoder.concealed(), 10);
    const auto peak = [&](int64_t from, int64_t to) {
      double most = 0;
      for (int64_t i = from; i < to; ++i) most = std::max(most, std::abs(double(lost[i])));
      return most;
    };
    EXPECT_GT(peak(0, 4 * kHop), 0);          // 80 ms of what the decoder makes of nothing
    EXPECT_EQ(peak(6 * kHop, 10 * kHop), 0);  // silence after 120 ms
    const auto back = copied(decoder.decode(std::span(all).subspan(20 * kStages, 5 * kStages), kStages, Path::heavy));
    EXPECT_LT(std::abs(back[0]), 1e-3);
    // From the second frame on as loud as ever: what is heard is what a decoder made of the same embeddings makes.
    StreamDecoder unfaded(model(light));
    unfaded.decode(std::span(all).first(20 * kStages), kStages, Path::heavy);
    for (int i = 0; i < 10; ++i) {
      unfaded.conceal(1);
    }
    EXPECT_EQ(largest_difference(
                  unfaded.decode(std::span(all).subspan(20 * kStages, 5 * kStages), kStages, Path::heavy), back),
              0);
    double loud = 0;
    for (int64_t i = kHop; i < 2 * kHop; ++i) loud = std::max(loud, std::abs(double(back[i])));
    EXPECT_GT(loud, 0.1);
  }
}

TEST(Codec, ShortLossesAreNotSilenced) {
  const auto all = codes();
  StreamDecoder decoder(model());
  decoder.decode(std::span(all).first(10 * kStages), kStages, Path::light);
  decoder.conceal(4);
  const auto back = copied(decoder.decode(std::span(all).subspan(14 * kStages, kStages), kStages, Path::light));
  const SoundStreamDecoder& light = *model()->light();
  std::vector<float> embeddings(15 * 64, 0.0F), expected(15 * kHop);
  model()->quantizer().decode(std::span(all).first(10 * kStages), kStages, std::span(embeddings).first(10 * 64));
  model()->quantizer().decode(std::span(all).subspan(14 * kStages, kStages), kStages, std::span(embeddings).last(64));
  auto state = light.start();
  light.decode(embeddings, state, expected);
  EXPECT_EQ(largest_difference(back, std::span(expected).last(kHop)), 0);
}

TEST(Codec, CopiesGoOnAlone) {
  const auto all = codes();
  StreamDecoder decoder(model());
  decoder.decode(std::span(all).first(10 * kStages), kStages, Path::light);
  StreamDecoder copy = decoder;
  const auto expected = copied(decoder.decode(std::span(all).subspan(10 * kStages, 5 * kStages), kStages, Path::heavy));
  EXPECT_EQ(largest_difference(copy.decode(std::span(all).subspan(10 * kStages, 5 * kStages), kStages, Path::heavy),
                               expected),
            0);
}

TEST(Codec, WhatCannotBeIsRefused) {
  expect_error<OptionError>([] { StreamEncoder(model(), 17); });
  expect_error<OptionError>([] { StreamEncoder(model(), 0); });
  StreamEncoder encoder(model(), 3);
  expect_error<TensorError>([&] { encoder.encode(noise(319)); });
  StreamDecoder decoder(model()), heavy(model(false));
  const std::vector<int32_t> indices(6);
  expect_error<TensorError>([&] { decoder.decode(std::vector<int32_t>(5), 3, Path::light); });
  expect_error<TensorError>([&] { decoder.decode(std::vector<int32_t>(3, 256), 3, Path::light); });
  expect_error<TensorError>([&] { decoder.decode(indices, 3, std::vector<Path>(1)); });
  expect_error<OptionError>([&] { decoder.decode(indices, 17, Path::light); });
  expect_error<UnsupportedError>([&] { heavy.decode(indices, 3, Path::light); });
  expect_error<UnsupportedError>([&] { heavy.scores(indices, 3); });
}

TEST(CodecModel, PartsOfOneLatentSpaceAreAsked) {
  const auto sound = testing::random_codec(true);
  const auto refusal =
      [&](const std::function<void(lightswitch::testing::Tensors&, std::map<std::string, std::string>&)>& change) {
        auto tensors = lightswitch::testing::tensors_of(*sound);
        auto metadata = sound->metadata();
        change(tensors, metadata);
        try {
          CodecModel(weights_from_memory(std::move(tensors), "changed", std::move(metadata)), "");
        } catch (const Error& error) {
          return std::string(error.what());
        }
        return std::string("nothing was thrown");
      };
  EXPECT_TRUE(contains(refusal([](auto&, auto& m) { m["format"] = "x"; }), "not a model of the codec"));
  EXPECT_TRUE(contains(refusal([](auto&, auto& m) { m["version"] = "2"; }), "version"));
  EXPECT_TRUE(contains(refusal([](auto&, auto& m) { m["sample_rate"] = "fast"; }), "sample_rate"));
  EXPECT_TRUE(contains(refusal([](auto&, auto& m) { m.erase("light.strides"); }), "light.strides"));
  EXPECT_TRUE(contains(refusal([](auto& t, auto&) { t["other.weight"] = at::ones({1}); }), "other.weight"));
  EXPECT_TRUE(contains(refusal([](auto& t, auto&) { t.erase("quantizer.codebooks"); }), "quantizer.codebooks"));
  EXPECT_TRUE(contains(refusal([](auto& t, auto&) { t["quantizer.codebooks"] = at::ones({2, 4, 63}); }), "64"));
  EXPECT_TRUE(contains(refusal([](auto& t, auto&) { t.erase("gate.out.bias"); }), "gate.out.bias"));
}

}  // namespace
}  // namespace lightswitch::audio
