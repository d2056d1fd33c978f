#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>
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

class EncodeCommand : public ::testing::Test {
 protected:
  EncodeCommand() { testing::write_small_package(model_.path()); }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  CommandRun encode(const std::string& input, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"encode", input, "-m", model_.path().string(), "-o", at("z.safetensors")};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
  LatentFile latents() const { return read_latents(folder_ / "z.safetensors"); }

  testing::TemporaryFolder folder_, model_;
};

TEST_F(EncodeCommand, PadsAndRemembersTheSize) {
  write_image(folder_ / "a.png", testing::random_tensor({3, 21, 37}, 4).sigmoid());
  const CommandRun run = encode(at("a.png"), {"--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(testing::json_of(run)["encoder"]["name"], "tae");
  EXPECT_EQ(latents().latents.sizes(), at::IntArrayRef({1, 4, 3, 5}));
  EXPECT_EQ(latents().width, 37);
  EXPECT_EQ(latents().height, 21);
  EXPECT_EQ(latents().space, "small");
  EXPECT_EQ(latents().kind, LatentKind::diffusion);
  const CommandRun back = run_command({"decode", at("z.safetensors"), "-m", model_.path().string(), "-o", at("b.png")});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(read_image(folder_ / "b.png").sizes(), at::IntArrayRef({3, 21, 37}));
}

TEST_F(EncodeCommand, AClipBecomesOneLatentForEachFrame) {
  const auto writer = create_video(folder_ / "a.y4m", 30000.0 / 1001);
  writer->write(testing::random_tensor({11, 3, 21, 37}, 4).sigmoid());
  writer->finish();
  const CommandRun run = encode(at("a.y4m"), {"--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const LatentFile clip = latents();
  ASSERT_EQ(clip.latents.sizes(), at::IntArrayRef({1, 4, 11, 3, 5}));
  EXPECT_EQ(clip.width, 37);
  EXPECT_EQ(clip.height, 21);
  EXPECT_NEAR(clip.fps.value(), 29.97, 1e-3);
  EXPECT_EQ(clip.space, "small");
  const auto frames = open_video(folder_ / "a.y4m")->read(11);
  for (const int64_t index : {0, 8, 10}) {
    write_image(folder_ / "a.pfm", frames[index]);
    ASSERT_EQ(encode(at("a.pfm")).code, 0);
    EXPECT_TRUE(close(latents().latents, clip.latents.select(2, index), 1e-6)) << index;
  }
}

TEST_F(EncodeCommand, ABadClipLeavesNothing) {
  testing::write_file(folder_ / "a.mp4", "<html></html>");
  EXPECT_EQ(encode(at("a.mp4")).code, 1);
  EXPECT_EQ(encode(at("missing.mp4")).code, 1);
  const auto writer = create_video(folder_ / "b.y4m", 25);
  writer->write(testing::random_tensor({2, 3, 16, 16}, 4).sigmoid());
  writer->finish();
  const CommandRun run = encode(at("b.y4m"), {"--kind", "indices"});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "continuous"));
  const std::string bytes = testing::read_file(folder_ / "b.y4m");
  testing::write_file(folder_ / "b.y4m", bytes.substr(0, bytes.size() - 10));
  EXPECT_EQ(encode(at("b.y4m")).code, 1);
  EXPECT_EQ(testing::names_in(folder_.path()), (std::set<std::string>{"a.mp4", "b.y4m"}));
}

TEST_F(EncodeCommand, IndicesNeedACodebook) {
  write_image(folder_ / "a.png", testing::random_tensor({3, 16, 16}, 4).sigmoid());
  const CommandRun run = encode(at("a.png"), {"--kind", "indices"});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "continuous latents"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "z.safetensors"));
}

TEST_F(EncodeCommand, RawLatentsAreTheSamePictureInAnotherScale) {
  write_image(folder_ / "a.png", testing::random_tensor({3, 16, 16}, 4).sigmoid());
  ASSERT_EQ(encode(at("a.png")).code, 0);
  const at::Tensor diffusion = latents().latents;
  ASSERT_EQ(encode(at("a.png"), {"--kind", "raw"}).code, 0);
  EXPECT_EQ(latents().kind, LatentKind::raw);
  EXPECT_TRUE(close((latents().latents - 0.25) * 1.5, diffusion, 1e-5));
}

TEST_F(EncodeCommand, AFolderIsTakenByName) {
  const at::Tensor first = testing::random_tensor({3, 16, 24}, 1).sigmoid(),
                   second = testing::random_tensor({3, 16, 24}, 2).sigmoid();
  const testing::TemporaryFolder pictures;
  write_image(pictures / "b.png", second);
  write_image(pictures / "a.png", first);
  testing::write_file(pictures / "notes.txt", "not a picture");
  ASSERT_EQ(encode(pictures.path().string()).code, 0);
  const at::Tensor both = latents().latents;
  EXPECT_EQ(both.sizes(), at::IntArrayRef({2, 4, 2, 3}));
  ASSERT_EQ(encode((pictures / "a.png").string()).code, 0);
  EXPECT_TRUE(close(both.narrow(0, 0, 1), latents().latents, 0));
}

TEST_F(EncodeCommand, PicturesOfTwoSizesAreRefusedByName) {
  const testing::TemporaryFolder pictures;
  write_image(pictures / "a.png", at::zeros({3, 16, 24}));
  write_image(pictures / "b.png", at::zeros({3, 24, 16}));
  const CommandRun run = encode(pictures.path().string());
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, (pictures / "b.png").string()));
  EXPECT_TRUE(contains(run.err, "expected 24x16, found 16x24"));
  EXPECT_TRUE(testing::names_in(folder_.path()).empty());
}

TEST_F(EncodeCommand, AnEmptyFolderHoldsNoPictures) {
  const testing::TemporaryFolder pictures;
  const CommandRun run = encode(pictures.path().string());
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "no pictures in this folder"));
}

}  // namespace
}  // namespace lightswitch
