#include "cli/output_names.hpp"

#include <gtest/gtest.h>

#include "cli/common_options.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::cli {
namespace {

using Names = std::vector<std::filesystem::path>;

TEST(OutputNames, PatternsCountFromZero) {
  EXPECT_EQ(output_names("out/a-%d.png", 3), (Names{"out/a-0.png", "out/a-1.png", "out/a-2.png"}));
  EXPECT_EQ(output_names("a%04d.png", 2), (Names{"a0000.png", "a0001.png"}));
  EXPECT_EQ(output_names("%03d.png", 1001).back(), "1000.png");
}

TEST(OutputNames, WithoutAPatternLaterPicturesAreNumbered) {
  EXPECT_EQ(output_names("out.d/a.png", 1), (Names{"out.d/a.png"}));
  EXPECT_EQ(output_names("out.d/a.png", 3), (Names{"out.d/a.png", "out.d/a_2.png", "out.d/a_3.png"}));
}

TEST(OutputNames, ADoubledSignIsOne) {
  EXPECT_EQ(output_names("100%%-%d.png", 1), (Names{"100%-0.png"}));
}

TEST(OutputNames, AFolderThatExistsIsAPatternOfFrames) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "100%");
  EXPECT_EQ(output_names(picture_pattern((folder / "100%").string()), 2).back(), folder / "100%" / "0001.png");
  EXPECT_EQ(picture_pattern("a-%d.png"), "a-%d.png");
  std::filesystem::create_directory(folder / "a.png");
  EXPECT_EQ(picture_pattern((folder / "a.png").string()), (folder / "a.png").string()) << "writing it then fails";
}

TEST(OutputNames, LatentsThatAreKeptAreSeen) {
  const testing::TemporaryFolder folder;
  const std::string name = folder.path().string();
  EXPECT_EQ(latents_beside(name), folder / "clip.latents.safetensors");
  EXPECT_EQ(latents_beside(name + "/"), folder / "clip.latents.safetensors");
  EXPECT_EQ(latents_beside("a.mp4"), "a.mp4.latents.safetensors");
  EXPECT_EQ(latents_beside("b/f-%03d.png"), "b/f-000.png.latents.safetensors");
}

TEST(OutputNames, OtherPatternsAreWrongUsage) {
  for (const char* pattern : {"a%s.png", "a%.png", "a%", "%d-%d.png", "%5x.png", "%000000009d.png", "%4%.png"})
    EXPECT_EQ(testing::expect_error<UsageError>([&] { output_names(pattern, 1); }).detail().found, pattern);
}

}  // namespace
}  // namespace lightswitch::cli
