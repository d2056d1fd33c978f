// Stable Video Diffusion, exported by tools/export and run by `lightswitch video`: the same clips as diffusers makes.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>
#include <lightswitch/weights.hpp>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::contains;
using testing::run_command;

/// Of frames in [0, 1], before they are rounded to levels.
constexpr double kParity = 2e-3;

/// One export for all tests: it takes half a minute.
class ExportedClips : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
    if (python == nullptr || *python == '\0') return;
    folder_ = std::make_unique<testing::TemporaryFolder>();
    const std::string root = LIGHTSWITCH_SOURCE_DIR;
    const std::string command = "cd '" + folder_->path().string() + "' && PYTHONPATH='" + root +
                                "/tests/support:" + root + "/tools/export' '" + python +
                                "' -W ignore -m reference.clips . > log.txt 2>&1";
    made_ = std::system(command.c_str()) == 0;
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override {
    if (!folder_) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with diffusers";
    ASSERT_TRUE(made_) << testing::read_file(*folder_ / "log.txt");
  }

  static std::string at(const std::string& name) { return (*folder_ / name).string(); }
  static CommandRun video(const std::vector<std::string>& more, const std::string& output) {
    std::vector<std::string> all{"video", "-m", at("package"), "--dtype", "fp32", "-o", at(output)};
    for (const std::string& argument : more) all.push_back(argument.starts_with("start-") ? at(argument) : argument);
    return run_command(all);
  }
  static std::vector<std::string> first_case() {
    return nlohmann::json::parse(testing::read_file(*folder_ / "cases.json"))[0]["arguments"];
  }

  static std::unique_ptr<testing::TemporaryFolder> folder_;
  static bool made_;
};

std::unique_ptr<testing::TemporaryFolder> ExportedClips::folder_;
bool ExportedClips::made_ = false;

TEST_F(ExportedClips, AreTheSameAsDiffusers) {
  const auto expected = open_weights(*folder_ / "clips.safetensors");
  const auto cases = nlohmann::json::parse(testing::read_file(*folder_ / "cases.json"));
  ASSERT_FALSE(cases.empty());
  double largest = 0;
  for (const auto& one : cases) {
    const std::string name = one["name"];
    SCOPED_TRACE(name);
    const at::Tensor frames = expected->read(name + ".frames");
    EXPECT_GT(frames.std().item<double>(), 0.02) << "an empty clip proves nothing";
    std::vector<std::string> arguments = one["arguments"];
    arguments.insert(arguments.end(), {"--save-latents", at("z.safetensors")});
    const CommandRun run = video(arguments, "f-%d.npy");
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_TRUE(
        testing::close(read_latents(*folder_ / "z.safetensors").latents, expected->read(name + ".latents"), 1e-2));
    for (int64_t i = 0; i < frames.size(0); ++i) {
      const at::Tensor found = read_image(*folder_ / ("f-" + std::to_string(i) + ".npy"));
      EXPECT_TRUE(testing::close(found, frames[i], kParity)) << "frame " << i;
      largest = std::max(largest, testing::largest_difference(found, frames[i]));
    }
  }
  RecordProperty("largest_difference", std::to_string(largest));
}

TEST_F(ExportedClips, FlowIntoAVideoFile) {
  auto arguments = first_case();
  arguments.insert(arguments.end(), {"--json", "-"});
  const CommandRun run = video(arguments, "clip.mp4");
  ASSERT_EQ(run.code, 0) << run.err;
  const auto reader = open_video(*folder_ / "clip.mp4");
  EXPECT_EQ(reader->info().fps, 7);
  EXPECT_EQ(reader->info().width, 40);
  EXPECT_EQ(reader->read(100).size(0), 5);
  const auto json = testing::json_of(run);
  EXPECT_EQ(json["command"], "video");
  EXPECT_EQ(json["clips"]["frames"], 5);
  EXPECT_EQ(json["decoder"]["family"], "svd");
  EXPECT_FALSE(std::filesystem::exists(at("clip.mp4.latents.safetensors")));
}

/// Frames decoded in exact chunks are those of the clip decoded at once.
TEST_F(ExportedClips, ExactChunksGiveTheFramesOfTheWholeClip) {
  const auto with = [&](const std::string& decoder, const char* chunk, const std::string& name) {
    auto arguments = first_case();
    arguments.insert(arguments.end(), {"--decode-chunk", chunk, "--decoder", decoder, "--json", "-"});
    return video(arguments, name + "-%d.npy");
  };
  const std::string decoder =
      testing::json_of(run_command({"decoders", "-m", at("package"), "--json", "-"}))["decoders"][0]["name"];
  ASSERT_EQ(with(decoder, "0", "whole").code, 0);
  const CommandRun exact = with(decoder + ",chunking=exact", "2", "exact");
  ASSERT_EQ(exact.code, 0) << exact.err;
  EXPECT_EQ(testing::json_of(exact)["clips"]["depends_on_chunks"], false);
  for (int64_t i = 0; i < 5; ++i) {
    const auto frame = [&](const char* name) {
      return read_image(*folder_ / (std::string(name) + "-" + std::to_string(i) + ".npy"));
    };
    EXPECT_TRUE(testing::close(frame("exact"), frame("whole"), 1e-5)) << "frame " << i;
  }
}

TEST_F(ExportedClips, RefuseWhatTheyCannotDo) {
  const auto with = [&](std::vector<std::string> more) {
    auto arguments = first_case();
    arguments.insert(arguments.end(), more.begin(), more.end());
    return video(arguments, "bad.mp4");
  };
  EXPECT_EQ(with({"--noise-aug", "-1"}).code, 2);
  EXPECT_EQ(with({"--motion-bucket", "256"}).code, 2);
  EXPECT_EQ(with({"--sampling-method", "eule"}).code, 1);
  EXPECT_TRUE(contains(with({"--sampling-method", "eule"}).err, "perhaps euler"));
  EXPECT_TRUE(contains(run_command({"video", "-m", std::string(LIGHTSWITCH_SOURCE_DIR) + "/models/scenes", "-i",
                                    at("start-40x24.png"), "-o", at("bad.mp4")})
                           .err,
                       "expected image-to-video, found text-to-image"));
  EXPECT_TRUE(contains(run_command({"image", "-m", at("package"), "-p", "x", "-o", at("bad.png")}).err,
                       "expected text-to-image, found image-to-video"));
  EXPECT_FALSE(std::filesystem::exists(at("bad.mp4")));
}

TEST_F(ExportedClips, OfAPromptStartFromThePictureOfThatPrompt) {
  const std::vector<std::string> size{"-W", "64", "-H", "32", "-s", "5"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), size.begin(), size.end());
    return more;
  };
  const std::string words = "a yellow boat on the sea";
  const CommandRun picture = run_command(with({"image", "--dtype", "fp32", "-p", words, "-o", at("boat.npy")}));
  ASSERT_EQ(picture.code, 0) << picture.err;
  const std::vector<std::string> clip{"--video-frames", "3", "--steps", "2", "--save-latents"};
  const auto frames = [&](std::vector<std::string> start, const std::string& name) {
    start.insert(start.end(), clip.begin(), clip.end());
    start.push_back(at(name));
    const CommandRun run = video(with(start), "w-%d.npy");
    EXPECT_EQ(run.code, 0) << run.err;
    return read_latents(*folder_ / name);
  };
  const LatentFile shown = frames({"-i", at("boat.npy")}, "shown.safetensors");
  const LatentFile told = frames({"-p", words}, "told.safetensors");
  EXPECT_TRUE(testing::close(told.latents, shown.latents, 1e-5));
  EXPECT_EQ(told.prompt, words);
  EXPECT_FALSE(testing::close(frames({"-p", "a red house in snow"}, "other.safetensors").latents, told.latents, 1e-2));
}

TEST_F(ExportedClips, StartFromOnePictureOrOnePrompt) {
  const std::string output = at("none.mp4");
  const CommandRun neither = run_command({"video", "-m", at("package"), "-o", output});
  EXPECT_EQ(neither.code, 2);
  EXPECT_TRUE(contains(neither.err, "--prompt TEXT"));
  const CommandRun both =
      run_command({"video", "-m", at("package"), "-i", at("start-40x24.png"), "-p", "a boat", "-o", output});
  EXPECT_EQ(both.code, 2);
  EXPECT_TRUE(contains(both.err, "both"));
  const CommandRun wrong =
      run_command({"video", "-m", at("package"), "--image-model", at("package"), "-p", "a boat", "-o", output});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_TRUE(contains(wrong.err, "expected text-to-image, found image-to-video"));
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST_F(ExportedClips, AreListedAndInspected) {
  const CommandRun listed = run_command({"decoders", "-m", at("package"), "--json", "-"});
  ASSERT_EQ(listed.code, 0) << listed.err;
  EXPECT_EQ(testing::json_of(listed)["decoders"][0]["family"], "svd");
  const CommandRun inspected = run_command({"inspect", at("package"), "--json", "-"});
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_EQ(testing::json_of(inspected)["kind"], "image-to-video");
}

}  // namespace
}  // namespace lightswitch
