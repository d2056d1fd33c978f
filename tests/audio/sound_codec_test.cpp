// Whole files there and back, with a codec of random weights.

#include <gtest/gtest.h>
#include <lightswitch/audio/bitstream.hpp>
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
    const auto report = encode_sound(sound(rate, channels, length), folder_ / "a.lsc", model_, {.stages = 4});
    EXPECT_EQ(*report.info.source_samples, length);
    decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, {});
    const SoundReader reader(folder_ / "out.wav");
    EXPECT_EQ(reader.format().sample_rate, rate);
    EXPECT_EQ(reader.format().channels, channels);
    EXPECT_EQ(reader.length(), length);
  }
}

TEST_F(SoundCodec, BudgetsAreKeptAndDamageIsTold) {
  encode_sound(sound(16000, 1, 80000), folder_ / "a.lsc", model_, {.stages = 4});
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

TEST_F(SoundCodec, AnAllHeavySoundSparesTheLightDecoder) {
  encode_sound(sound(16000, 1, 80000), folder_ / "a.lsc", model_, {.stages = 4});
  const auto bytes_of = [&](const DecodeSoundOptions& options) {
    const auto report = decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, options);
    EXPECT_EQ(report.routing.heavy, 250);
    EXPECT_EQ(report.routing.macs(), 250 * (report.routing.heavy_cost.macs + report.routing.gate_cost.macs));
    return read_file(folder_ / "out.wav");
  };
  using enum DecodeSoundOptions::Route;
  EXPECT_EQ(bytes_of({.route = heavy}), bytes_of({.route = gate, .heavy_share = 1}));
}

TEST_F(SoundCodec, ABudgetOfMultiplyAddsIsKept) {
  encode_sound(sound(16000, 2, 160000), folder_ / "a.lsc", model_, {.stages = 4});
  const auto macs_within = [&](double budget, std::optional<int64_t> warm_up) {
    const DecodeSoundOptions options{
        .route = DecodeSoundOptions::Route::gate, .budget = budget, .warm_up_frames = warm_up};
    const auto report = decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, options);
    EXPECT_TRUE(report.heavy_share);
    return static_cast<double>(report.routing.macs()) / 10;
  };
  for (const double budget : {14.3e6, 30e6, 60e6, 150e6, 230e6})  // two channels of 7.1 to 99.9 million
    for (const std::optional<int64_t> warm_up : {std::optional<int64_t>(), std::optional<int64_t>(4)}) {
      const double spent = macs_within(budget, warm_up);
      EXPECT_LE(spent, budget);
      if (budget < 200e6) EXPECT_GT(spent, 0.85 * budget - 2e6) << budget;
    }
  EXPECT_EQ(expect_error<OptionError>([&] { macs_within(14e6, {}); }).detail().field, "budget");
}

TEST_F(SoundCodec, HintsAreWrittenAndObeyed) {
  const auto written =
      encode_sound(sound(44100, 2, 88200), folder_ / "a.lsc", model_, {.stages = 4, .hinted_share = 0.4});
  EXPECT_TRUE(written.info.hints);
  const StreamReader reader(folder_ / "a.lsc");
  std::vector<Path> first_channel;
  for (int64_t block = 0; block < reader.blocks(); ++block) {
    const auto read = reader.read(block);
    for (int64_t frame = 0; frame < read.frames; ++frame) first_channel.push_back(read.hints[2 * frame]);
  }
  const auto heavy = std::ranges::count(first_channel, Path::heavy);
  EXPECT_GT(heavy, 0);
  EXPECT_LE(heavy, 40);
  const auto obeyed = decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_,
                                   {.route = DecodeSoundOptions::Route::hints, .keep_paths = true});
  EXPECT_EQ(obeyed.paths, first_channel);
  encode_sound(folder_ / "in.wav", folder_ / "plain.lsc", model_, {.stages = 4});
  decode_sound(folder_ / "plain.lsc", folder_ / "plain.wav", model_, {});
  decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, {});
  EXPECT_EQ(read_file(folder_ / "out.wav"), read_file(folder_ / "plain.wav")) << "hints change no code";
  const auto heavy_only = std::make_shared<const CodecModel>(testing::random_codec(false), std::string(64, 'b'));
  expect_error<UnsupportedError>(
      [&] { encode_sound(folder_ / "in.wav", folder_ / "b.lsc", heavy_only, {.hinted_share = 0.4}); });
}

TEST_F(SoundCodec, WhatDoesNotFitIsRefused) {
  encode_sound(sound(16000, 1, 40000), folder_ / "a.lsc", model_, {.stages = 4});
  const auto other = std::make_shared<const CodecModel>(testing::random_codec(false), std::string(64, 'b'));
  expect_error<IntegrityError>([&] { decode_sound(folder_ / "a.lsc", folder_ / "out.wav", other, {}); });
  DecodeSoundOptions options;
  options.route = DecodeSoundOptions::Route::hints;
  expect_error<UnsupportedError>([&] { decode_sound(folder_ / "a.lsc", folder_ / "out.wav", model_, options); });
  const auto bytes = read_file(folder_ / "a.lsc");
  write_file(folder_ / "b.lsc", bytes.substr(0, bytes.size() / 2));
  expect_error<FormatError>([&] { decode_sound(folder_ / "b.lsc", folder_ / "out.wav", model_, {}); });
  expect_error<OptionError>([&] { encode_sound(folder_ / "in.wav", folder_ / "a.lyra", model_, {}); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.wav"));
}

}  // namespace
}  // namespace lightswitch::audio
