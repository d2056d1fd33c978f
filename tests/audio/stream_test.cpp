// Streaming: chunks of any size, states that are copied and stored, warming up from the receptive cone.

#include <gtest/gtest.h>
#include <lightswitch/audio/soundstream.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::contains;
using lightswitch::testing::expect_error;
using testing::largest_difference;
using testing::noise;

constexpr int64_t kFrames = 57;

std::vector<Layout> layouts() {
  return {Layout::heavy(), Layout::light(), Layout::paper(4), testing::stored_codec("odd").layout};
}

/// A decoder with random weights and what it makes of some noise, all at once.
struct Stream {
  explicit Stream(const Layout& layout)
      : decoder(layout, testing::random_decoder(layout)),
        embeddings(noise(kFrames * layout.features)),
        whole(kFrames * layout.hop()) {
    auto state = decoder.start();
    decoder.decode(embeddings, state, whole);
  }

  std::span<const float> frames(int64_t from, int64_t count) const {
    const int64_t features = decoder.layout().features;
    return std::span(embeddings).subspan(from * features, count * features);
  }
  std::span<const float> expected(int64_t from, int64_t count) const {
    const int64_t hop = decoder.layout().hop();
    return std::span(whole).subspan(from * hop, count * hop);
  }
  std::vector<float> decode(int64_t from, int64_t count, StreamState& state) const {
    std::vector<float> samples(count * decoder.layout().hop());
    decoder.decode(frames(from, count), state, samples);
    return samples;
  }

  SoundStreamDecoder decoder;
  std::vector<float> embeddings, whole;
};

TEST(Stream, ChunksOfAnySizeGiveTheSameBits) {
  for (const Layout& layout : layouts()) {
    const Stream stream(layout);
    const SoundStreamEncoder encoder(layout, testing::random_encoder(layout));
    const auto sound = noise(kFrames * layout.hop(), 5);
    std::vector<float> whole(kFrames * layout.features), pieces(whole.size());
    auto state = encoder.start();
    encoder.encode(sound, state, whole);
    for (const int64_t chunk : {1, 2, 7, 50}) {
      auto decoding = stream.decoder.start(), encoding = encoder.start();
      for (int64_t done = 0; done < kFrames; done += chunk) {
        const int64_t count = std::min(chunk, kFrames - done);
        EXPECT_EQ(largest_difference(stream.decode(done, count, decoding), stream.expected(done, count)), 0);
        encoder.encode(std::span(sound).subspan(done * layout.hop(), count * layout.hop()), encoding,
                       std::span(pieces).subspan(done * layout.features, count * layout.features));
      }
      EXPECT_EQ(largest_difference(pieces, whole), 0) << chunk;
    }
  }
}

TEST(Stream, CopiesGoOnAlone) {
  const Stream stream(Layout::heavy());
  auto state = stream.decoder.start();
  stream.decode(0, 10, state);
  StreamState copy = state;
  stream.decode(30, 5, state);
  EXPECT_EQ(largest_difference(stream.decode(10, 5, copy), stream.expected(10, 5)), 0);
  copy.reset();
  EXPECT_EQ(largest_difference(stream.decode(0, 5, copy), stream.expected(0, 5)), 0);
}

TEST(Stream, StatesAreStoredAndComeBack) {
  const Stream stream(Layout::light());
  auto state = stream.decoder.start();
  stream.decode(0, 9, state);
  auto restored = StreamState::from_bytes(state.to_bytes());
  EXPECT_EQ(largest_difference(stream.decode(9, 4, restored), stream.expected(9, 4)), 0);
}

TEST(Stream, OtherBytesAreNoState) {
  const std::string sound = StreamState(3).to_bytes();
  for (size_t length = 0; length < sound.size(); ++length)
    expect_error<FormatError>([&] { StreamState::from_bytes(sound.substr(0, length)); });
  expect_error<FormatError>([&] { StreamState::from_bytes(sound + "x"); });
  auto changed = sound;
  changed[4] = 2;
  EXPECT_TRUE(contains(expect_error<FormatError>([&] { StreamState::from_bytes(changed); }).what(), "version"));
  changed = sound;
  for (size_t i = 8; i < 16; ++i) changed[i] = '\xff';
  expect_error<FormatError>([&] { StreamState::from_bytes(changed); });
  changed = sound;
  changed[18] = '\xc0';
  changed[19] = '\x7f';
  expect_error<NumericError>([&] { StreamState::from_bytes(changed); });
  // A sound state of another network is refused where it is used.
  const Stream stream(Layout::light());
  auto other = StreamState::from_bytes(sound);
  expect_error<TensorError>([&] { stream.decode(0, 1, other); });
}

TEST(Cone, ReachIsComputedFromTheLayers) {
  EXPECT_EQ(Stream(Layout::heavy()).decoder.reach(), 25);
  for (const Layout& layout : {Layout::heavy(), Layout::light(), Layout::paper(4)}) {
    Stream stream(layout);
    const int64_t reach = stream.decoder.reach();
    ASSERT_LT(reach + 1, kFrames);
    // A frame that far back changes the last one's samples; one farther back does not.
    for (const bool farther : {false, true}) {
      Stream changed = stream;
      for (int64_t i = 0; i < layout.features; ++i)
        changed.embeddings[(kFrames - 1 - reach - farther) * layout.features + i] += 100;
      auto state = stream.decoder.start();
      const auto samples = changed.decode(0, kFrames, state);
      const auto last = std::span(samples).last(layout.hop());
      EXPECT_EQ(largest_difference(last, stream.expected(kFrames - 1, 1)) == 0, farther) << layout.features;
    }
  }
}

TEST(Cone, WarmingUpFromReachFramesIsExactAnywhere) {
  for (const Layout& layout : layouts()) {
    const Stream stream(layout);
    const int64_t reach = stream.decoder.reach();
    for (const int64_t at : {int64_t(0), int64_t(1), int64_t(2), reach - 1, reach, reach + 1, int64_t(40)}) {
      const int64_t known = std::min(at, reach);
      auto state = stream.decoder.start();
      stream.decode(50, 3, state);  // anything: warming up leaves nothing of it
      stream.decoder.warm_up(stream.frames(at - known, known), state);
      EXPECT_EQ(largest_difference(stream.decode(at, 6, state), stream.expected(at, 6)), 0) << at;
    }
    // More frames than count change nothing.
    auto state = stream.decoder.start();
    stream.decoder.warm_up(stream.frames(0, 40), state);
    EXPECT_EQ(largest_difference(stream.decode(40, 6, state), stream.expected(40, 6)), 0);
  }
}

TEST(Cone, FewerFramesComeNearer) {
  const Stream stream(Layout::heavy());
  double before = 1e9;
  for (const int64_t known : {1, 4, 12, 20}) {
    auto state = stream.decoder.start();
    stream.decoder.warm_up(stream.frames(40 - known, known), state);
    const double difference = largest_difference(stream.decode(40, 1, state), stream.expected(40, 1));
    EXPECT_LT(difference, before);
    EXPECT_GT(difference, 0);
    before = difference;
  }
}

TEST(Cone, CostsLessThanTheFramesItReplaces) {
  const Stream stream(Layout::heavy());
  const auto frame = static_cast<double>(stream.decoder.macs_per_frame());
  const double cone = static_cast<double>(stream.decoder.warm_up_macs(25)) / frame;
  ::testing::Test::RecordProperty("frames", std::to_string(cone));
  EXPECT_NEAR(cone, 7.5, 0.05);
  EXPECT_EQ(stream.decoder.warm_up_macs(100), stream.decoder.warm_up_macs(25));
  EXPECT_EQ(stream.decoder.warm_up_macs(0), 0);
  EXPECT_LT(stream.decoder.warm_up_macs(4), stream.decoder.warm_up_macs(8));
}

}  // namespace
}  // namespace lightswitch::audio
