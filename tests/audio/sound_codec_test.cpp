// Whole files there and back, with a codec of random weights.

#include <gtest/gtest.h>
#include <lightswitch/audio/sound_codec.hpp>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::expect_error;
using lightswitch::testing::read_file;
using lightswitch::testing::write_file;

class SoundCodec : public ::testing::Test {
 protected:
  std::filesystem::path sound(int64_t rate, int64_t channels, int64_t length) const {
    auto samples = testing::noise(length * channels);
    for (float& sample : samples) sample *= 0.1F;
    SoundWriter writer(folder_ / "in.wav", {rate, channels});
    writer.write(samples);
    writer.finish();
    return folder_ / "in.wav";
  }

  const std::shared_ptr<const CodecModel> model_ =
      std::make_shared<const CodecModel>(testing::random_codec(true), std::string(64, 'a'));
  const lightswitch::testing::TemporaryFolder folder_;
};

TEST_F(SoundCodec, LengthRateAndChannelsComeBackExactly) {
  for (const auto& [rate, channels, length] :
       {std::tuple{16000, 1, 16001}, {44100, 2, 50000}, {8000, 1, 12345}, {48000, 3, 7}, {16000, 1, 0}}) {
    const auto report = encode_sound(sound(rate, channels, length), folder_ / "a.lsc", model_, 4);
    EXPECT_EQ(*report.info.source_samples, length);
    decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, {});
    const SoundReader reader(folder_ / "out.wav");
    EXPECT_EQ(reader.format().sample_rate, rate);
    EXPECT_EQ(reader.format().channels, channels);
    EXPECT_EQ(reader.length(), length);
  }
}

TEST_F(SoundCodec, BudgetsAreKeptAndDamageIsTold) {
  encode_sound(sound(16000, 1, 80000), folder_ / "a.lsc", model_, 4);
  DecodeSoundOptions options;
  options.route = DecodeSoundOptions::Route::gate;
  options.heavy_share = 0.4;
  const auto routed = decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, options);
  EXPECT_EQ(routed.routing.samples(), 250);
  EXPECT_LE(routed.routing.heavy, 100);
  auto bytes = read_file(folder_ / "a.lsc");
  bytes[bytes.size() / 2] ^= 1;
  write_file(folder_ / "b.lsc", bytes);
  const auto damaged = decode_sound(folder_ / "b.lsc", folder_ / "out.wav", model_, {});
  EXPECT_EQ(damaged.damage.size(), 1u);
  EXPECT_EQ(damaged.lost_frames, 50);
  EXPECT_EQ(SoundReader(folder_ / "out.wav").length(), 80000);
  options = {};
  options.loss = {0.2, 3, 1};
  EXPECT_NEAR(static_cast<double>(decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, options).lost_frames),
              50, 35);
}

TEST_F(SoundCodec, WhatDoesNotFitIsRefused) {
  encode_sound(sound(16000, 1, 40000), folder_ / "a.lsc", model_, 4);
  const auto other = std::make_shared<const CodecModel>(testing::random_codec(false), std::string(64, 'b'));
  expect_error<IntegrityError>([&] { decode_sound(folder_ / "a.lsc", folder_ / "out.wav", other, {}); });
  DecodeSoundOptions options;
  options.route = DecodeSoundOptions::Route::hints;
  expect_error<UnsupportedError>([&] { decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, options); });
  const auto bytes = read_file(folder_ / "a.lsc");
  write_file(folder_ / "b.lsc", bytes.substr(0, bytes.size() / 2));
  expect_error<FormatError>([&] { decode_sound(folder_ / "b.lsc", folder_ / "out.wav", model_, {}); });
  expect_error<OptionError>([&] { encode_sound(folder_ / "in.wav", folder_ / "a.lyra", model_, 16); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.wav"));
}

}  // namespace
}  // namespace lightswitch::audio
