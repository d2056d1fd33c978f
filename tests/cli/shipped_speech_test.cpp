// The codec that ships, through the command line.

#include <gtest/gtest.h>
#include <lightswitch/audio/codec_model.hpp>
#include <lightswitch/audio/metrics.hpp>
#include <lightswitch/audio/sound_file.hpp>

#include <algorithm>

#include "cli/command_run.hpp"
#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::run_command;

const std::filesystem::path kModel = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "models" / "speech";

TEST(ShippedSpeech, HasALightPathOfTheShapeThatIsPromised) {
  const auto model = audio::CodecModel::open(kModel);
  EXPECT_EQ(model.sample_rate(), 16000);
  EXPECT_EQ(model.bits_per_second(16), 6400);
  EXPECT_EQ(model.heavy().parameters(), 660289);
  ASSERT_TRUE(model.light() && model.gate());
  EXPECT_EQ(model.light()->parameters() + model.gate()->parameters(), 30778);
  EXPECT_EQ(model.light()->macs_per_frame() + model.gate()->macs_per_frame(), 141904);
}

/// Every ninth speaker was held out of its training; this is the first of them.
std::filesystem::path held_out_recording() {
  const auto speech = testing::data_root() / "audio" / "librispeech";
  if (!std::filesystem::is_directory(speech)) return speech;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(speech))
    if (entry.path().extension() == ".flac") files.push_back(entry.path());
  std::ranges::sort(files);
  return files.size() > 8 ? files[8] : speech / "the ninth recording";
}

TEST(ShippedSpeech, IsHeardAndTheGateSpendsTheHeavyDecoderWell) {
  const auto recording = held_out_recording();
  LIGHTSWITCH_REQUIRE_DATA(recording);
  const testing::TemporaryFolder folder;
  const auto at = [&](const std::string& name) { return (folder / name).string(); };
  const CommandRun there =
      run_command({"codec", "encode", recording.string(), "-m", kModel.string(), "-o", at("a.lsc")});
  ASSERT_EQ(there.code, 0) << there.err;
  const auto original = audio::read_mono(recording, 16000);
  const auto distance = [&](const std::vector<std::string>& route) {
    std::vector<std::string> words = {"codec", "decode", at("a.lsc"), "-m", kModel.string(), "-o", at("b.wav")};
    words.insert(words.end(), route.begin(), route.end());
    const CommandRun back = run_command(words);
    EXPECT_EQ(back.code, 0) << back.err;
    return audio::log_mel_distance(audio::read_mono(folder / "b.wav", 16000), original);
  };
  const double heavy = distance({"--route", "heavy"}), light = distance({"--route", "light"}),
               mostly_light = distance({"--heavy-share", "0.4"});
  EXPECT_LT(heavy, 0.5);  // silence: above 2
  EXPECT_LT(heavy, light);
  EXPECT_LT(mostly_light, light - 0.3 * (light - heavy));
  EXPECT_GT(audio::stoi(audio::read_mono(folder / "b.wav", 16000), original), 0.6);
}

}  // namespace
}  // namespace lightswitch
