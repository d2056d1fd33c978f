#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "cli/comparison.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

class CompareCommand : public ::testing::Test {
 protected:
  CompareCommand() { write_small_package(model_.path()); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  CommandRun compare(const std::string& input, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"compare",   input,
                                 "-m",        model_.path().string(),
                                 "--decoder", "tae,dtype=fp32",
                                 "--decoder", "other",
                                 "--repeat",  "1",
                                 "-o",        at("report"),
                                 "--json",    "-"};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
  std::string page() const {
    std::ifstream stream(folder_ / "report" / "index.html");
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  TemporaryFolder folder_, model_;
};

TEST_F(CompareCommand, PicturesAreScoredAgainstTheOriginal) {
  write_image(folder_ / "b.png", random_tensor({3, 21, 30}, 1).sigmoid());
  write_image(folder_ / "a<1>.png", random_tensor({3, 40, 24}, 2).sigmoid());
  const CommandRun run = compare(folder_.path().string());
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = json_of(run);
  EXPECT_EQ(json["reference"], "original");
  EXPECT_EQ(json["pictures"], 2);
  ASSERT_EQ(json["decoders"].size(), 2u);
  for (const auto& decoder : json["decoders"]) {
    EXPECT_GT(decoder["ms"], 0);
    EXPECT_GT(decoder["gmac"], 0);
    EXPECT_GT(decoder["psnr"], 1);
    EXPECT_LT(decoder["ssim"], 0.99);
    EXPECT_TRUE(decoder["lpips"].is_null());
  }
  EXPECT_EQ(names_in(folder_ / "report"), (std::set<std::string>{"index.html", "sheet.png"}));
  EXPECT_TRUE(contains(page(), "a&lt;1&gt;.png"));
  EXPECT_FALSE(contains(page(), "a<1>"));
  EXPECT_FALSE(contains(page(), "src=\"http"));
  EXPECT_TRUE(contains(page(), "data:image/png;base64,iVBORw0KGgo"));
}

TEST_F(CompareCommand, WithoutAnOriginalTheFirstDecoderIsTheReference) {
  LatentFile content;
  content.latents = random_tensor({3, 4, 3, 5}, 9);
  content.scaling_factor = 1.5;
  write_latents(folder_ / "z.safetensors", content);
  const CommandRun run = compare(at("z.safetensors"), {"--shown", "1"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = json_of(run);
  EXPECT_EQ(json["reference"], "tae,dtype=fp32");
  EXPECT_TRUE(json["decoders"][0]["psnr"].is_null());  // equal to itself
  EXPECT_NEAR(json["decoders"][0]["ssim"], 1, 1e-9);
  EXPECT_TRUE(json["decoders"][1]["psnr"].is_number());
  EXPECT_TRUE(contains(page(), "The first 1 of 3 pictures"));
}

TEST_F(CompareCommand, MistakesAreToldBeforeAnythingIsWritten) {
  EXPECT_EQ(run_command({"compare", at("none"), "-o", at("report")}).code, 2);
  EXPECT_EQ(compare(at("none.png")).code, 1);
  EXPECT_EQ(compare(at("none.png"), {"--shown", "0"}).code, 2);
  write_image(folder_ / "a.png", random_tensor({3, 16, 16}, 1).sigmoid());
  EXPECT_EQ(compare(at("a.png"), {"--decoder", "nobody"}).code, 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "report"));
}

TEST(Comparison, TheCropIsWhereTheDecodersDiffer) {
  cli::ComparedPicture picture{"", at::zeros({3, 100, 200}), {at::zeros({3, 100, 200})}};
  picture.decoded[0].narrow(1, 70, 10).narrow(2, 120, 10).fill_(1);
  const cli::Crop crop = cli::worst_crop(picture, 32);
  EXPECT_EQ(crop.of(picture.decoded[0]).sum().item<double>(), 300);
  EXPECT_EQ(crop.height, 32);
  const cli::Crop whole = cli::worst_crop(picture, 500);
  EXPECT_EQ(whole.of(picture.reference).sizes(), picture.reference.sizes());
}

TEST(Comparison, DifferencesAreEnlargedAndGrey) {
  const at::Tensor map = cli::difference_map(at::full({3, 2, 2}, 0.6), at::full({3, 2, 2}, 0.5), 4);
  EXPECT_TRUE(close(map, at::full({3, 2, 2}, 0.4), 1e-6));
}

}  // namespace
}  // namespace lightswitch
