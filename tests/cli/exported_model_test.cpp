// diffusers pipelines, exported by tools/export and run by `lightswitch image`: the same pictures as diffusers makes.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::run_command;

/// Of pictures in [0, 1], before they are rounded to levels.
constexpr double kParity = 2e-3;

class ExportedModel : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
    if (python == nullptr || *python == '\0')
      GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with diffusers";
    const std::string root = LIGHTSWITCH_SOURCE_DIR;
    const std::string command = "cd '" + folder_.path().string() + "' && PYTHONPATH='" + root +
                                "/tests/support:" + root + "/tools/export' '" + python +
                                "' -W ignore -m reference.pipelines " + GetParam() + " . > log.txt 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << testing::read_file(folder_ / "log.txt");
  }

  /// Runs one case. @param output name of the picture file. @return its pictures [N, 3, H, W].
  at::Tensor pictures(const nlohmann::json& arguments, int64_t count, const std::string& extension) {
    std::vector<std::string> all{"image",
                                 "-m",
                                 at("package"),
                                 "--dtype",
                                 "fp32",
                                 "--save-latents",
                                 at("z.safetensors"),
                                 "-o",
                                 at("out-%d" + extension)};
    for (std::string argument : arguments) {
      if (argument.starts_with("start-")) argument = at(argument);
      all.push_back(argument);
    }
    const CommandRun run = run_command(all);
    EXPECT_EQ(run.code, 0) << run.err;
    std::vector<at::Tensor> found;
    for (int64_t i = 0; i < count; ++i) found.push_back(read_image(folder_ / ("out-" + std::to_string(i) + extension)));
    return at::stack(found);
  }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  testing::TemporaryFolder folder_;
};

TEST_P(ExportedModel, MakesTheSamePicturesAsDiffusers) {
  const auto expected = open_weights(folder_ / "pictures.safetensors");
  const auto cases = nlohmann::json::parse(testing::read_file(folder_ / "cases.json"));
  ASSERT_FALSE(cases.empty());
  double largest = 0;
  for (const auto& one : cases) {
    const std::string name = one["name"];
    SCOPED_TRACE(name);
    const at::Tensor reference = expected->read(name + ".pictures");
    EXPECT_GT(reference.std().item<double>(), 0.02) << "an empty picture proves nothing";
    const at::Tensor found = pictures(one["arguments"], reference.size(0), ".npy");
    EXPECT_TRUE(
        testing::close(read_latents(folder_ / "z.safetensors").latents, expected->read(name + ".latents"), 1e-2));
    EXPECT_TRUE(testing::close(found, reference, kParity));
    largest = std::max(largest, testing::largest_difference(found, reference));
    const at::Tensor levels = pictures(one["arguments"], reference.size(0), ".png");
    EXPECT_TRUE(testing::close(levels * 255, (reference * 255).round(), 1.01));
  }
  RecordProperty("largest_difference", std::to_string(largest));
}

INSTANTIATE_TEST_SUITE_P(Diffusers, ExportedModel, ::testing::Values("sd1", "sd2", "lcm", "sdxl", "turbo"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace lightswitch
