#include "audio/heard_gain.hpp"

#include <gtest/gtest.h>
#include <lightswitch/audio/metrics.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::expect_error;

constexpr int64_t kFrames = 14, kHop = 320, kStages = 4, kWindow = 1024;

std::shared_ptr<const CodecModel> model(bool light) {
  return std::make_shared<const CodecModel>(testing::random_codec(light), "");
}

TEST(HeardGain, IsTheDifferenceOfDistancesAroundAFrame) {
  const auto codec = model(true);
  const auto sound = testing::noise(kFrames * kHop);
  StreamEncoder encoder(codec, kStages);
  const auto codes = encoder.encode(sound);
  const std::vector<int32_t> indices(codes.begin(), codes.end());
  std::vector<GateScore> whole;
  for (const int64_t chunk : {kFrames, int64_t(1), int64_t(5)}) {
    HeardGain gain(codec);
    for (int64_t from = 0; from < kFrames; from += chunk) {
      const int64_t count = std::min(chunk, kFrames - from);
      gain.push(std::span(sound).subspan(from * kHop, count * kHop),
                std::span(indices).subspan(from * kStages, count * kStages), kStages);
    }
    const auto found = gain.finish();
    if (whole.empty()) whole = found;
    EXPECT_EQ(found, whole) << chunk;
  }
  ASSERT_EQ(whole.size(), static_cast<size_t>(kFrames));
  StreamDecoder decoder(codec), other(codec);
  const auto light = decoder.decode(indices, kStages, Path::light), heavy = other.decode(indices, kStages, Path::heavy);
  for (const int64_t frame : {3, 8}) {
    const auto around = [&](std::span<const float> samples) {
      return samples.subspan(frame * kHop - (kWindow - kHop) / 2, kWindow);
    };
    const double expected =
        log_mel_distance(around(light), around(sound)) - log_mel_distance(around(heavy), around(sound));
    EXPECT_NEAR(whole[frame], expected * gate_score_one, 1) << frame;
  }
}

TEST(HeardGain, NeedsALightDecoder) {
  EXPECT_EQ(expect_error<UnsupportedError>([] { HeardGain{model(false)}; }).detail().field, "route hints");
}

}  // namespace
}  // namespace lightswitch::audio
