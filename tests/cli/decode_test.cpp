#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::CommandRun;
using testing::contains;
using testing::run_command;

/// A decoder file alone: `decode` needs no model package for it.
class DecodeCommand : public ::testing::Test {
 protected:
  DecodeCommand() {
    save_safetensors(folder_ / "tae.safetensors", testing::tiny_autoencoder(1));
    content_.latents = testing::random_tensor({2, 4, 3, 5}, 9);
    content_.scaling_factor = 1.0;
    write();
  }
  void write() { write_latents(folder_ / "z.safetensors", content_); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  CommandRun decode(const std::vector<std::string>& more = {}, const std::string& spec = "") {
    std::vector<std::string> all{
        "decode", at("z.safetensors"), "--decoder", at("tae.safetensors") + ",dtype=fp32" + spec, "-o", at("a-%d.png")};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }

  testing::TemporaryFolder folder_;
  LatentFile content_;
};

TEST_F(DecodeCommand, MakesEveryPictureOfTheFile) {
  const CommandRun run = decode();
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(read_image(folder_ / "a-0.png").sizes(), at::IntArrayRef({3, 24, 40}));
  EXPECT_FALSE(close(read_image(folder_ / "a-0.png"), read_image(folder_ / "a-1.png"), 0.01));
}

TEST_F(DecodeCommand, CutsPaddingAway) {
  content_.width = 37;
  content_.height = 20;
  ASSERT_EQ(decode().code, 0);
  const at::Tensor padded = read_image(folder_ / "a-0.png");
  EXPECT_EQ(padded.sizes(), at::IntArrayRef({3, 24, 40}));
  write();
  ASSERT_EQ(decode().code, 0);
  EXPECT_TRUE(close(read_image(folder_ / "a-0.png"), padded.narrow(1, 0, 20).narrow(2, 0, 37), 0));
}

TEST_F(DecodeCommand, RepeatsAndReportsTheFastest) {
  const auto json = testing::json_of(decode({"--repeat", "3", "--json", "-"}));
  for (const auto& stage : json["stages"]) {
    if (stage["name"] != "decode") continue;
    ASSERT_EQ(stage["ms_all"].size(), 3u);
    double fastest = stage["ms_all"][0];
    for (const double ms : stage["ms_all"]) fastest = std::min(fastest, ms);
    EXPECT_EQ(stage["ms"], fastest);
    return;
  }
  FAIL() << "no stage decode";
}

TEST_F(DecodeCommand, ThePictureSaysWhichDecoderMadeIt) {
  content_.prompt = "a red house";
  content_.seed = 5;
  write();
  ASSERT_EQ(decode().code, 0);
  const auto json = nlohmann::json::parse(read_image_text(folder_ / "a-0.png").at("lightswitch"));
  EXPECT_EQ(json["prompt"], "a red house");
  EXPECT_EQ(json["seed"], 5);
  EXPECT_EQ(json["decoder"]["family"], "taming");
}

TEST_F(DecodeCommand, LatentsOfAnotherSpaceAreRefusedUnlessInsistedOn) {
  content_.space = "sdxl";
  write();
  const CommandRun run = decode({}, ",space=sd1");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "expected sd1, found sdxl"));
  EXPECT_EQ(decode({}, ",space=sdxl").code, 0);
}

TEST_F(DecodeCommand, AnotherScalingFactorIsRefused) {
  content_.scaling_factor = 0.13025;
  write();
  const CommandRun run = decode({}, ",latent-kind=raw,scaling-factor=0.18215");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "scaling_factor"));
  EXPECT_TRUE(contains(run.err, "found 0.13025"));
  EXPECT_EQ(decode({}, ",latent-kind=raw,scaling-factor=0.13025").code, 0);
}

TEST_F(DecodeCommand, UnmarkedFilesNeedTheirKindAndScale) {
  save_safetensors(folder_ / "z.safetensors", {{"latents", content_.latents}});
  const CommandRun run = decode();
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "--kind"));
  EXPECT_TRUE(contains(run.err, "--scaling-factor"));
  EXPECT_EQ(decode({"--kind", "diffusion", "--scaling-factor", "1"}).code, 0);
}

TEST_F(DecodeCommand, WorksWithoutAnyModelPackage) {
  ::setenv("LIGHTSWITCH_MODELS", at("no-such-folder").c_str(), 1);
  const CommandRun run = decode();
  ::unsetenv("LIGHTSWITCH_MODELS");
  EXPECT_EQ(run.code, 0) << run.err;
}

}  // namespace
}  // namespace lightswitch
