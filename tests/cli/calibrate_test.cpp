#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/metrics.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "nn/int8/conv.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::contains;
using testing::run_command;

/// Works on the shipped tiny decoder, copied to where nothing lies beside it.
class CalibrateCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!nn::multiplies_int8()) GTEST_SKIP() << "this CPU has no AVX-512 VNNI";
    std::filesystem::copy_file(LIGHTSWITCH_SOURCE_DIR "/models/scenes/tae.safetensors", folder_ / "tae.safetensors");
    LatentFile content;
    content.latents = testing::random_tensor({3, 4, 8, 8}, 9);
    content.scaling_factor = 1.0;
    write_latents(folder_ / "z.safetensors", content);
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  CommandRun calibrate(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"calibrate", at("z.safetensors"), "--decoder", at("tae.safetensors")};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
  CommandRun decode(const std::string& options, const std::string& output) const {
    return run_command(
        {"decode", at("z.safetensors"), "--decoder", at("tae.safetensors") + options, "-o", at(output + "-%d.png")});
  }

  testing::TemporaryFolder folder_;
};

TEST_F(CalibrateCommand, MakesADecoderThatWorksInInt8) {
  const auto json = testing::json_of(calibrate({"--json", "-"}));
  EXPECT_EQ(json["pictures"], 3);
  EXPECT_EQ(json["outputs"][0], at("tae.int8.json"));
  EXPECT_GT(json["psnr"].get<double>(), 35);
  EXPECT_LE(json["worst_psnr"].get<double>(), json["psnr"].get<double>());
  ASSERT_EQ(decode(",dtype=int8", "int8").code, 0);
  ASSERT_EQ(decode(",dtype=fp32", "fp32").code, 0);
  EXPECT_GT(psnr(read_image(folder_ / "int8-1.png"), read_image(folder_ / "fp32-1.png")), 35);
}

TEST_F(CalibrateCommand, WritesWhereItIsAsked) {
  ASSERT_EQ(calibrate({"-o", at("other.json")}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tae.int8.json"));
  EXPECT_EQ(decode(",dtype=int8,calibration=" + at("other.json"), "a").code, 0);
}

TEST_F(CalibrateCommand, IsNeededBeforeInt8) {
  const CommandRun run = decode(",dtype=int8", "a");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, at("tae.int8.json")));
  EXPECT_TRUE(contains(run.err, "lightswitch calibrate"));
}

TEST_F(CalibrateCommand, IsForDecodersOfPictures) {
  write_image(folder_ / "a.png", at::zeros({3, 64, 64}));
  const CommandRun encoder = run_command({"encode", at("a.png"), "--dtype", "int8", "-o", at("e.safetensors")});
  EXPECT_EQ(encoder.code, 1);
  EXPECT_TRUE(contains(encoder.err, "int8 is for decoders of pictures"));
  const CommandRun plugin =
      run_command({"decode", at("z.safetensors"), "--decoder", "some.so,dtype=int8", "-o", at("b.png")});
  EXPECT_EQ(plugin.code, 1);
  EXPECT_TRUE(contains(plugin.err, "int8 is for decoders of pictures"));
}

}  // namespace
}  // namespace lightswitch
