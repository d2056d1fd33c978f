// Codebook indices through `encode` and `decode`.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "support/errors.hpp"
#include "support/reference_file.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::CommandRun;
using testing::contains;
using testing::run_command;

/// A folder with a small VQModel as diffusers stores it, and a picture.
class CodebookCommands : public ::testing::Test {
 protected:
  CodebookCommands() {
    testing::write_stored_network(folder_.path(), "vqgan");
    write_image(folder_ / "a.png", testing::random_tensor({3, 13, 18}, 4).sigmoid());
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  CommandRun encode(const std::string& kind, const std::string& to) {
    return run_command(
        {"encode", at("a.png"), "--encoder", folder_.path().string() + ",dtype=fp32", "--kind", kind, "-o", at(to)});
  }
  CommandRun decode(const std::string& from, const std::string& options, const std::string& to,
                    const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"decode", at(from), "--decoder", folder_.path().string() + ",dtype=fp32" + options,
                                 "-o",     at(to)};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
  at::Tensor picture(const std::string& name) const { return read_image(folder_ / name); }

  testing::TemporaryFolder folder_;
};

TEST_F(CodebookCommands, IndicesAndLatentsGiveTheSamePicture) {
  const CommandRun run = encode("indices", "indices.safetensors");
  ASSERT_EQ(run.code, 0) << run.err;
  const LatentFile indices = read_latents(folder_ / "indices.safetensors");
  EXPECT_EQ(indices.kind, LatentKind::indices);
  EXPECT_EQ(indices.latents.sizes(), at::IntArrayRef({1, 7, 9}));
  ASSERT_EQ(encode("diffusion", "latents.safetensors").code, 0);
  ASSERT_EQ(decode("indices.safetensors", "", "a1.png").code, 0);
  ASSERT_EQ(decode("latents.safetensors", "", "a2.png").code, 0);
  EXPECT_EQ(picture("a1.png").sizes(), at::IntArrayRef({3, 13, 18}));
  EXPECT_TRUE(close(picture("a1.png"), picture("a2.png"), 1.01 / 255));
}

TEST_F(CodebookCommands, SnappingCanBeTurnedOff) {
  ASSERT_EQ(encode("diffusion", "latents.safetensors").code, 0);
  ASSERT_EQ(decode("latents.safetensors", "", "snapped.png").code, 0);
  ASSERT_EQ(decode("latents.safetensors", ",snap=off", "free.png").code, 0);
  EXPECT_FALSE(close(picture("snapped.png"), picture("free.png"), 0.05));
  const CommandRun wrong = decode("latents.safetensors", ",snap=maybe", "x.png");
  EXPECT_EQ(wrong.code, 1);
  EXPECT_TRUE(contains(wrong.err, "on or off"));
}

TEST_F(CodebookCommands, IndicesDecodeInTilesToo) {
  ASSERT_EQ(encode("indices", "indices.safetensors").code, 0);
  const CommandRun run = decode("indices.safetensors", "", "tiled.png", {"--vae-tiling", "--vae-tile-size", "4"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(picture("tiled.png").sizes(), at::IntArrayRef({3, 13, 18}));
}

TEST_F(CodebookCommands, AnIndexBeyondTheCodebookIsRefused) {
  LatentFile content;
  content.latents = at::full({1, 4, 4}, 64, at::kLong);
  content.kind = LatentKind::indices;
  write_latents(folder_ / "bad.safetensors", content);
  const CommandRun run = decode("bad.safetensors", "", "x.png");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "expected 0 … 63, found 64"));
}

TEST_F(CodebookCommands, InspectTellsFamilyAndCodebook) {
  const auto report = testing::json_of(run_command({"inspect", at("model.safetensors"), "--json", "-"}));
  EXPECT_EQ(report["family"], "vqgan");
  EXPECT_EQ(report["decoder"]["latents"]["codebook"], 64);
  EXPECT_TRUE(contains(report["encoder"]["configuration"].get<std::string>(), "codebook of 64"));
}

}  // namespace
}  // namespace lightswitch
