// The clips that ship, through the command line: a drawn picture moves, and both decoders of clips agree on how.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::run_command;

at::Tensor frames_of(const std::filesystem::path& file) {
  return open_video(file)->read(1000);
}

class ShippedMotion : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(models_ / "motion" / "model.json")) GTEST_SKIP() << "no model in " << models_;
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  const std::filesystem::path models_ = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "models";
  testing::TemporaryFolder folder_;
};

TEST_F(ShippedMotion, IsSound) {
  const CommandRun run = run_command({"inspect", (models_ / "motion").string(), "--json", "-"});
  EXPECT_EQ(run.code, 0) << run.err;
}

TEST_F(ShippedMotion, APromptBecomesAClipThatStartsWithItsPictureAndMoves) {
  const std::string motion = (models_ / "motion").string(), scenes = (models_ / "scenes").string();
  const std::string prompt = "two red balloons over a blue house, snowy field, bright day";
  const CommandRun drawn = run_command({"image", "-m", scenes, "-p", prompt, "-s", "3", "-o", at("start.png")});
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  const CommandRun made = run_command({"video", "-m", motion, "--image-model", scenes, "-p", prompt, "-s", "3",
                                       "--save-latents", at("clip.safetensors"), "--json", "-", "-o", at("clip.y4m")});
  ASSERT_EQ(made.code, 0) << made.err;
  const at::Tensor clip = frames_of(folder_ / "clip.y4m");
  EXPECT_EQ(clip.sizes(), (std::vector<int64_t>{14, 3, 128, 128}));
  const at::Tensor start = read_image(folder_ / "start.png");
  const auto apart = [](const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().mean().item<double>(); };
  EXPECT_LT(apart(clip[0], start), 0.06) << "another picture than the one it starts from";
  double change = 0;
  for (int64_t i = 1; i < clip.size(0); ++i) change += apart(clip[i], clip[i - 1]) / 13;
  EXPECT_GT(change, 0.002) << "nothing moves";
  EXPECT_LT(change, 0.05) << "noise, not motion";

  const CommandRun light = run_command(
      {"decode", at("clip.safetensors"), "-m", motion, "--decoder", "tae", "-o", at("light.y4m")});
  ASSERT_EQ(light.code, 0) << light.err;
  const at::Tensor copy = frames_of(folder_ / "light.y4m");
  ASSERT_EQ(copy.sizes(), clip.sizes());
  EXPECT_LT(apart(copy, clip), 0.06);
  EXPECT_GT(apart(copy, clip), 1e-4) << "the same decoder twice";
}

}  // namespace
}  // namespace lightswitch
