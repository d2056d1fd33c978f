// The model that ships, through the command line.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/image_io.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::run_command;

class ShippedModel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(std::filesystem::path(model_) / "model.json"))
      GTEST_SKIP() << "no model in " << model_;
  }

  const std::string model_ = (std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "models" / "scenes").string();
  testing::TemporaryFolder folder_;
};

TEST_F(ShippedModel, IsSound) {
  const CommandRun run = run_command({"inspect", model_, "--json", "-"});
  EXPECT_EQ(run.code, 0) << run.err;
}

TEST_F(ShippedModel, MakesAPictureThatEveryDecoderAgreesOn) {
  const auto at = [&](const std::string& name) { return (folder_ / name).string(); };
  const CommandRun image =
      run_command({"image", "-m", model_, "-p", "two red balloons over a blue house, snowy field, night sky",
                   "--decoder", "vae", "--save-latents", at("z.safetensors"), "-o", at("vae.png")});
  ASSERT_EQ(image.code, 0) << image.err;
  const at::Tensor full = read_image(folder_ / "vae.png");
  EXPECT_GT(full.std().item<double>(), 0.05) << "an empty picture";
  const CommandRun list = run_command({"decoders", "-m", model_, "--json", "-"});
  const auto json = testing::json_of(list);
  for (const auto& decoder : json["decoders"]) {
    const std::string name = decoder["name"];
    const CommandRun decode =
        run_command({"decode", at("z.safetensors"), "-m", model_, "--decoder", name, "-o", at(name + "-again.png")});
    ASSERT_EQ(decode.code, 0) << decode.err;
    const double difference = (read_image(folder_ / (name + "-again.png")) - full).abs().mean().item<double>();
    EXPECT_LT(difference, name == "vae" ? 1e-9 : name == "proj" ? 0.2 : 0.1) << name;  // proj: a colour for each latent
  }
}

}  // namespace
}  // namespace lightswitch
