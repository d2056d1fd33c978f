// The plug-ins that outside.cmake built against the installed package, in the hands of the installed program.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <nlohmann/json.hpp>

#include "cli/process.hpp"
#include "cli/small_package.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;

const std::filesystem::path kOutside = LIGHTSWITCH_OUTSIDE;

class OutsidePlugin : public ::testing::Test {
 protected:
  OutsidePlugin() {
    LatentFile content;
    content.latents = testing::random_tensor({1, 4, 6, 5}, 9);
    write_latents(folder_ / "z.safetensors", content);
    save_safetensors(folder_ / "tae.safetensors", testing::tiny_autoencoder(1));
  }
  void run(const std::vector<std::string>& arguments) const {
    testing::Process process(kOutside / "prefix" / "bin" / "lightswitch", arguments, folder_.path());
    ASSERT_EQ(process.wait(), 0) << process.out() << process.err();
  }
  at::Tensor decoded(const std::string& spec) const {
    run({"decode", path("z.safetensors"), "--decoder", spec, "-o", path("a.png")});
    return read_image(folder_ / "a.png");
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  const testing::TemporaryFolder folder_;
};

TEST_F(OutsidePlugin, TheTemplateDecodes) {
  const std::string plugin = kOutside / "template" / "template.so";
  const at::Tensor picture = decoded(plugin);
  ASSERT_EQ(picture.sizes(), at::IntArrayRef({3, 48, 40}));
  const at::Tensor squares = at::max_pool2d(picture, 8, 8);
  EXPECT_TRUE(close(at::upsample_nearest2d(squares.unsqueeze(0), {48, 40})[0], picture, 0));
  EXPECT_GT(testing::largest_difference(squares, at::full_like(squares, 0.5)), 0.1);
  run({"inspect", plugin});
}

TEST_F(OutsidePlugin, AFamilyBuiltElsewhereDecodesLikeTheLinkedOne) {
  const std::string weights = path("tae.safetensors"), plugin = (kOutside / "outside" / "outside.so").string();
  EXPECT_TRUE(close(decoded(plugin + ":" + weights + ",dtype=fp32"), decoded(weights + ",dtype=fp32"), 0));
  run({"inspect", plugin + ":" + weights});
}

TEST_F(OutsidePlugin, TheInstalledFamiliesArePluginsToo) {
  const auto installed = kOutside / "prefix" / "lib" / "lightswitch" / "decoders" / "taming.so";
  const std::string weights = path("tae.safetensors");
  EXPECT_TRUE(close(decoded(installed.string() + ":" + weights + ",dtype=fp32"), decoded(weights + ",dtype=fp32"), 0));
}

}  // namespace
}  // namespace lightswitch
