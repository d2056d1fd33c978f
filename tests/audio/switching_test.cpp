// A decoder that takes light or heavy for each frame.

#include <gtest/gtest.h>
#include <lightswitch/audio/switching_decoder.hpp>
#include <lightswitch/error.hpp>

#include <random>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::expect_error;
using testing::largest_difference;
using testing::noise;

constexpr int64_t kFrames = 120, kHop = 320, kFeatures = 64, kFade = 80;

SoundStreamDecoder make(const Layout& layout) {
  return SoundStreamDecoder(layout, testing::random_decoder(layout));
}

class Switching : public ::testing::Test {
 protected:
  Switching() : light_(kFrames * kHop), heavy_(kFrames * kHop) {
    auto state = decoder_.light().start();
    decoder_.light().decode(embeddings_, state, light_);
    state = decoder_.heavy().start();
    decoder_.heavy().decode(embeddings_, state, heavy_);
  }

  std::vector<float> decode(const SwitchingDecoder& decoder, std::span<const Path> paths, int64_t chunk,
                            SwitchingState& state) const {
    std::vector<float> samples(paths.size() * kHop);
    for (int64_t done = 0; done < static_cast<int64_t>(paths.size()); done += chunk) {
      const int64_t count = std::min<int64_t>(chunk, paths.size() - done);
      decoder.decode(std::span(embeddings_).subspan(done * kFeatures, count * kFeatures), paths.subspan(done, count),
                     state, std::span(samples).subspan(done * kHop, count * kHop));
    }
    return samples;
  }

  /// Routes of runs of random length, of all kinds of starts.
  static std::vector<Path> route(uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Path> paths;
    Path path = random() % 2 == 0 ? Path::light : Path::heavy;
    while (static_cast<int64_t>(paths.size()) < kFrames) {
      const int64_t run = seed % 3 == 0 ? 1 + random() % 3 : 1 + random() % 40;
      paths.insert(paths.end(), run, path);
      path = path == Path::light ? Path::heavy : Path::light;
    }
    paths.resize(kFrames);
    return paths;
  }

  /// Plain decoders' bits outside of fades, between the two inside of them.
  void expect_route(std::span<const Path> paths, std::span<const float> samples) const {
    for (int64_t frame = 0; frame < kFrames; ++frame) {
      const auto& plain = paths[frame] == Path::heavy ? heavy_ : light_;
      const bool fades = frame > 0 && paths[frame - 1] != paths[frame];
      for (int64_t i = 0; i < kHop; ++i) {
        const int64_t at = frame * kHop + i;
        if (!fades || i >= kFade) {
          ASSERT_EQ(samples[at], plain[at]) << "frame " << frame << " sample " << i;
        } else {
          const double share = 0.5 - 0.5 * std::cos(M_PI * (i + 0.5) / kFade);
          const auto& before = paths[frame] == Path::heavy ? light_ : heavy_;
          ASSERT_NEAR(samples[at], before[at] + share * (plain[at] - before[at]), 1e-5) << frame << " " << i;
        }
      }
    }
  }

  const SwitchingDecoder decoder_{make(Layout::light()), make(Layout::heavy())};
  const std::vector<float> embeddings_ = noise(kFrames * kFeatures);
  std::vector<float> light_, heavy_;
};

TEST_F(Switching, OnePathAllTheWayIsThePlainDecoder) {
  for (const Path path : {Path::light, Path::heavy}) {
    auto state = decoder_.start();
    const auto samples = decode(decoder_, std::vector<Path>(kFrames, path), 7, state);
    EXPECT_EQ(largest_difference(samples, path == Path::light ? light_ : heavy_), 0);
    EXPECT_EQ(state.switch_ons, 0);
  }
}

TEST_F(Switching, AnyRouteIsThePlainPathOutsideOfFades) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const auto paths = route(seed);
    std::vector<float> first;
    for (const int64_t chunk : {kFrames, int64_t(1), int64_t(2), int64_t(7), int64_t(50)}) {
      auto state = decoder_.start();
      const auto samples = decode(decoder_, paths, chunk, state);
      if (first.empty()) {
        first = samples;
        expect_route(paths, samples);
      }
      EXPECT_EQ(largest_difference(samples, first), 0) << chunk;
    }
  }
}

TEST_F(Switching, StatesAreCopiedAndStored) {
  const auto paths = route(1);
  auto state = decoder_.start();
  const auto whole = decode(decoder_, paths, kFrames, state);
  for (const int64_t at : {1, 30, 61}) {
    state = decoder_.start();
    decode(decoder_, std::span(paths).first(at), 7, state);
    for (SwitchingState next : {state, SwitchingState::from_bytes(state.to_bytes())}) {
      std::vector<float> rest((kFrames - at) * kHop);
      decoder_.decode(std::span(embeddings_).subspan(at * kFeatures), std::span(paths).subspan(at), next, rest);
      EXPECT_EQ(largest_difference(rest, std::span(whole).subspan(at * kHop)), 0);
    }
  }
}

TEST_F(Switching, FewWarmUpFramesCostLessAndComeNear) {
  std::vector<Path> paths(kFrames, Path::light);
  std::fill(paths.begin() + 60, paths.begin() + 70, Path::heavy);
  double before = INFINITY;
  int64_t macs = 0;
  for (const int64_t known : {0, 4, 12, 25}) {
    const SwitchingDecoder decoder(decoder_.light(), decoder_.heavy(), {.warm_up_frames = known});
    auto state = decoder.start();
    const auto samples = decode(decoder, paths, 7, state);
    const double worst = largest_difference(std::span(samples).subspan(60 * kHop + kFade, kHop - kFade),
                                            std::span(heavy_).subspan(60 * kHop + kFade, kHop - kFade));
    EXPECT_LT(worst, before);
    EXPECT_EQ(worst == 0, known == 25);
    before = worst;
    EXPECT_GT(state.switching_macs, macs);
    macs = state.switching_macs;
  }
}

TEST_F(Switching, WhatItCostIsCounted) {
  std::vector<Path> paths(kFrames, Path::light);
  std::fill(paths.begin() + 30, paths.begin() + 40, Path::heavy);
  paths[41] = Path::heavy;  // the frame between fades out, so that the heavy decoder need not be warmed up again
  auto state = decoder_.start();
  decode(decoder_, paths, 7, state);
  const auto stats = decoder_.stats(state, {3088, 3105});
  EXPECT_EQ(stats.light, kFrames - 11);
  EXPECT_EQ(stats.heavy, 11);
  EXPECT_EQ(state.switch_ons, 1);
  const int64_t heavy = decoder_.heavy().macs_per_frame(), light = decoder_.light().macs_per_frame();
  EXPECT_EQ(stats.warm_up_macs, decoder_.heavy().warm_up_macs(25) + 2 * heavy + 11 * light);
  EXPECT_EQ(stats.macs(), kFrames * (light + 3088) + 13 * heavy + decoder_.heavy().warm_up_macs(25));
  EXPECT_NEAR(stats.reduction_per_sample(), 14.06, 0.01);
  EXPECT_NEAR(stats.parameter_reduction(), 21.45, 0.01);
  EXPECT_NEAR(decoder_.switch_cost(), 8.5, 0.05);
}

TEST_F(Switching, WhatDoesNotFitIsRefused) {
  const std::vector<Path> paths(2, Path::light);
  auto state = decoder_.start();
  std::vector<float> samples(2 * kHop);
  EXPECT_EQ(expect_error<TensorError>([&] { decoder_.decode(noise(64), paths, state, samples); }).detail().field,
            "embeddings");
  EXPECT_EQ(expect_error<TensorError>([&] { decoder_.decode(noise(128), paths, state, std::span(samples).first(639)); })
                .detail()
                .field,
            "samples");
  SwitchingState other;
  EXPECT_EQ(expect_error<TensorError>([&] { decoder_.decode(noise(128), paths, other, samples); }).detail().field,
            "state");
  const auto odd = testing::stored_codec("odd");
  const SoundStreamDecoder foreign(odd.layout, odd.weights, "heavy.");
  expect_error<TensorError>([&] { SwitchingDecoder(foreign, decoder_.heavy()); });
  expect_error<OptionError>([&] { SwitchingDecoder(decoder_.light(), decoder_.heavy(), {.fade = 321}); });
  expect_error<OptionError>([&] { SwitchingDecoder(decoder_.light(), decoder_.heavy(), {.warm_up_frames = -1}); });
  const std::string sound = state.to_bytes();
  for (size_t length = 0; length < sound.size(); length += length < 100 || length > sound.size() - 100 ? 1 : 97)
    expect_error<FormatError>([&] { SwitchingState::from_bytes(sound.substr(0, length)); });
  expect_error<FormatError>([&] { SwitchingState::from_bytes(sound + "x"); });
}

}  // namespace
}  // namespace lightswitch::audio
