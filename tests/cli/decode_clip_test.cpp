// `lightswitch decode` of clips: [N, C, T, h, w] to numbered frames.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>
#include <lightswitch/temporal_decoder.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "abi/plugins.hpp"
#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/reference_file.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::CommandRun;
using testing::contains;
using testing::names_in;
using testing::run_command;

constexpr double kHalfAStep = 0.51 / 255;  ///< of an 8-bit picture

/// A folder with a small decoder of clips, an empty folder for frames, and clips in diffusion space.
class DecodeClips : public ::testing::Test {
 protected:
  void use(const std::string& name) {
    request_ = testing::write_stored_network(folder_.path(), name).request;
    const DecoderRegistry registry(builtin_decoder_families());
    decoder_ = registry.make_temporal_decoder(registry.recognise(*request_.weights), request_);
    std::filesystem::create_directory(folder_ / "frames");
  }
  void write(int64_t clips, int64_t latents) {
    content_.latents = testing::random_tensor({clips, decoder_->spec().channels, latents, 4, 4}, 5);
    save();
  }
  void save() { write_latents(folder_ / "z.safetensors", content_); }
  CommandRun decode(const std::vector<std::string>& more = {}, std::stop_token stop = {}) {
    std::vector<std::string> all{"decode", at("z.safetensors"), "-o", at("frames/f-%03d.png")};
    if (std::ranges::find(more, "--decoder") == more.end())
      all.insert(all.end(), {"--decoder", folder_.path().string() + ",dtype=fp32"});
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all, std::move(stop));
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  at::Tensor frame(int64_t index) const {
    char name[32];
    std::snprintf(name, sizeof name, "frames/f-%03d.png", static_cast<int>(index));
    return read_image(folder_ / name);
  }
  /// What the library makes of one clip.
  at::Tensor by_library(const at::Tensor& latents, int64_t chunk = 0) const {
    std::vector<at::Tensor> frames;
    ClipOptions options;
    options.chunk = chunk;
    decode_clip(*decoder_, latents, options, [&](const at::Tensor& ready) { frames.push_back(ready); });
    return at::cat(frames);
  }
  void expect_frames(const at::Tensor& expected, int64_t first = 0) const {
    for (int64_t i = 0; i < expected.size(0); ++i)
      EXPECT_TRUE(close(frame(first + i), expected[i], kHalfAStep)) << "frame " << i;
  }

  testing::TemporaryFolder folder_;
  NetworkRequest request_;
  std::unique_ptr<TemporalDecoder> decoder_;
  LatentFile content_;
};

class EveryDecoderOfClips : public DecodeClips, public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Cases, EveryDecoderOfClips,
                         ::testing::Values("svd", "taming_taesdv", "taming_taehv", "taming_temporal"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(EveryDecoderOfClips, WritesTheFramesThatTheLibraryMakes) {
  use(GetParam());
  write(2, 3);
  const CommandRun run = decode({"--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const int64_t frames = decoder_->frames(3);
  EXPECT_EQ(names_in(folder_ / "frames").size(), static_cast<size_t>(2 * frames));
  expect_frames(by_library(content_.latents[0]));
  expect_frames(by_library(content_.latents[1]), frames);
  const auto json = testing::json_of(run);
  EXPECT_EQ(json["clips"]["count"], 2);
  EXPECT_EQ(json["clips"]["frames"], frames);
  EXPECT_EQ(json["clips"]["chunk"], 3);
  EXPECT_EQ(json["clips"]["depends_on_chunks"], decoder_->depends_on_chunks());
  EXPECT_EQ(json["outputs"].size(), static_cast<size_t>(2 * frames));
  EXPECT_EQ(json["decoder"]["parameters"], decoder_->info().parameters);
}

TEST_P(EveryDecoderOfClips, ChunksAreWhatTheLibraryMakesOfThem) {
  use(GetParam());
  write(1, 3);
  const CommandRun run = decode({"--decode-chunk", "2"});
  ASSERT_EQ(run.code, 0) << run.err;
  expect_frames(by_library(content_.latents[0], 2));
  EXPECT_EQ(contains(run.err, "chunks of 2 of 3 latents"), decoder_->depends_on_chunks()) << run.err;
}

TEST_P(EveryDecoderOfClips, ProgressEndsAtAllFrames) {
  use(GetParam());
  write(2, 3);
  const CommandRun run = decode({"--decode-chunk", "1"});
  const auto all = std::to_string(2 * decoder_->frames(3));
  EXPECT_TRUE(contains(run.err, "decode " + all + "/" + all)) << run.err;
  std::istringstream lines(run.err);
  for (std::string line; std::getline(lines, line);) {
    long done = 0, total = 0;
    if (std::sscanf(line.c_str(), "decode %ld/%ld", &done, &total) == 2) {
      EXPECT_LE(done, total);
    }
  }
}

TEST_F(DecodeClips, ExactChunksGiveTheFramesOfTheWholeClip) {
  use("svd");
  write(1, 4);
  for (const char* chunk : {"1", "3"}) {
    const CommandRun run = decode(
        {"--decoder", folder_.path().string() + ",dtype=fp32,chunking=exact", "--decode-chunk", chunk, "--json", "-"});
    ASSERT_EQ(run.code, 0) << run.err;
    expect_frames(by_library(content_.latents[0]));
    EXPECT_FALSE(contains(run.err, "depend on this number")) << run.err;
    EXPECT_EQ(testing::json_of(run)["clips"]["depends_on_chunks"], false);
  }
}

TEST_F(DecodeClips, APlugInDecodesThemToo) {
  use("taming_taehv");
  write(1, 3);
  const std::string plugin = testing::bundled_plugin("taming").string();
  const CommandRun run = decode({"--decoder", plugin + ":" + at("model.safetensors") + ",dtype=fp32"});
  ASSERT_EQ(run.code, 0) << run.err;
  expect_frames(by_library(content_.latents[0]));
  save_safetensors(folder_ / "taesd.safetensors", testing::tiny_autoencoder(1));
  content_.latents = at::zeros({1, 4, 2, 2, 2});
  save();
  const CommandRun pictures = decode({"--decoder", plugin + ":" + at("taesd.safetensors")});
  ASSERT_EQ(pictures.code, 0) << pictures.err;
  EXPECT_TRUE(contains(pictures.err, "every frame is decoded alone")) << pictures.err;
}

TEST_F(DecodeClips, APictureFileIsOneClipWhereChunksAreAskedFor) {
  use("taming_taehv");
  write(1, 3);
  const at::Tensor expected = by_library(content_.latents[0]);
  content_.latents = content_.latents[0].transpose(0, 1).contiguous();
  save();
  ASSERT_EQ(decode({"--decode-chunk", "0"}).code, 0);
  expect_frames(expected);
  EXPECT_EQ(names_in(folder_ / "frames").size(), 9u);
}

TEST_F(DecodeClips, WithoutChunksThePicturesOfAFileAreClipsOfOneFrame) {
  use("taming_taesdv");
  write(1, 2);
  const at::Tensor clip = content_.latents[0];
  content_.latents = clip.transpose(0, 1).contiguous();
  save();
  ASSERT_EQ(decode().code, 0);
  expect_frames(by_library(clip.narrow(1, 1, 1)), 1);
}

TEST_F(DecodeClips, AFolderTakesNumberedFrames) {
  use("taming_taesdv");
  write(1, 2);
  ASSERT_EQ(run_command({"decode", at("z.safetensors"), "--decoder", folder_.path().string(), "-o", at("frames")}).code,
            0);
  EXPECT_EQ(names_in(folder_ / "frames"), (std::set<std::string>{"0000.png", "0001.png"}));
}

TEST_F(DecodeClips, PaddingIsCutAwayAndFramesSayWhatMadeThem) {
  use("taming_taesdv");
  content_.width = 29;
  content_.height = 31;
  content_.prompt = "waves";
  write(1, 2);
  ASSERT_EQ(decode().code, 0);
  EXPECT_EQ(frame(1).sizes(), at::IntArrayRef({3, 31, 29}));
  const auto json = nlohmann::json::parse(read_image_text(folder_ / "frames/f-001.png").at("lightswitch"));
  EXPECT_EQ(json["prompt"], "waves");
  EXPECT_EQ(json["clips"]["frames"], 2);
  EXPECT_FALSE(json.contains("stages"));
}

TEST_F(DecodeClips, RepeatsAreTimedAndWrittenOnce) {
  use("taming_taesdv");
  write(1, 2);
  const CommandRun run = decode({"--repeat", "3", "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = testing::json_of(run);
  EXPECT_EQ(json["outputs"].size(), 2u);
  for (const auto& stage : json["stages"]) {
    if (stage["name"] == "decode") {
      EXPECT_EQ(stage["ms_all"].size(), 3u);
    }
  }
}

TEST_F(DecodeClips, StopsBetweenChunksAndSaysHowManyFramesThereAre) {
  use("taming_taesdv");
  write(1, 500);
  std::stop_source source;
  const std::jthread stopper([&](const std::stop_token& done) {
    while (!done.stop_requested() && names_in(folder_ / "frames").empty())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    source.request_stop();
  });
  const CommandRun run = decode({"--decode-chunk", "1"}, source.get_token());
  EXPECT_EQ(run.code, 130) << run.err;
  const auto names = names_in(folder_ / "frames");
  EXPECT_GE(names.size(), 1u);
  EXPECT_LT(names.size(), 500u);
  EXPECT_TRUE(contains(run.err, "only " + std::to_string(names.size()) + " of 500 frames are written")) << run.err;
  for (const std::string& name : names) EXPECT_EQ(read_image(folder_ / "frames" / name).size(0), 3) << name;
}

TEST_F(DecodeClips, TilesAreRefused) {
  use("taming_taesdv");
  write(1, 2);
  for (const std::vector<std::string>& tiles :
       {std::vector<std::string>{"--vae-tiling"}, {"--exact-tiles"}, {"--max-memory", "2G"}}) {
    const CommandRun run = decode(tiles);
    EXPECT_EQ(run.code, 1);
    EXPECT_TRUE(contains(run.err, "--decode-chunk bounds the memory")) << run.err;
  }
  EXPECT_TRUE(names_in(folder_ / "frames").empty());
}

TEST_F(DecodeClips, WrongChunksAreRefused) {
  use("taming_taesdv");
  write(1, 2);
  const CommandRun negative = decode({"--decode-chunk", "-1"});
  EXPECT_EQ(negative.code, 2);
  EXPECT_TRUE(contains(negative.err, "--decode-chunk"));
  content_.latents = at::zeros({1, 4, 4}, at::kLong);
  content_.kind = LatentKind::indices;
  save();
  const CommandRun indices = decode({"--decode-chunk", "2"});
  EXPECT_EQ(indices.code, 1);
  EXPECT_TRUE(contains(indices.err, "expected latents, found indices")) << indices.err;
}

/// A decoder that knows pictures alone.
class DecodeClipsOfPictures : public DecodeClips {
 protected:
  DecodeClipsOfPictures() {
    save_safetensors(folder_ / "model.safetensors", testing::tiny_autoencoder(1));
    std::filesystem::create_directory(folder_ / "frames");
    content_.latents = testing::random_tensor({2, 4, 3, 2, 2}, 5);
    content_.scaling_factor = 1.0;
    save();
  }
};

TEST_F(DecodeClipsOfPictures, EveryFrameIsDecodedAlone) {
  const CommandRun run = decode({"--max-memory", "2G", "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(contains(run.err, "every frame is decoded alone")) << run.err;
  EXPECT_EQ(testing::json_of(run)["clips"]["chunk"], 1);
  EXPECT_EQ(names_in(folder_ / "frames").size(), 6u);
  const at::Tensor fifth = frame(4);
  content_.latents = content_.latents[1].select(1, 1).unsqueeze(0).contiguous();
  save();
  ASSERT_EQ(decode().code, 0);
  EXPECT_TRUE(close(frame(0), fifth, 0)) << "the second frame of the second clip";
}

/// One clip of five frames, 15x13 pixels once they are cut.
class DecodeToVideo : public DecodeClipsOfPictures {
 protected:
  DecodeToVideo() {
    content_.latents = testing::random_tensor({1, 4, 5, 2, 2}, 5);
    content_.width = 15;
    content_.height = 13;
    content_.fps = 30000.0 / 1001;
    save();
  }
  CommandRun to(const std::string& name, const std::vector<std::string>& more = {}, std::stop_token stop = {}) {
    std::vector<std::string> all{
        "decode", at("z.safetensors"), "--decoder", at("model.safetensors") + ",dtype=fp32", "-o", at(name)};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all, std::move(stop));
  }
};

TEST_F(DecodeToVideo, HasTheFramesTheRateAndTheSize) {
  ASSERT_EQ(decode().code, 0);
  for (const char* name : {"a.y4m", "a.mp4"}) {
    const CommandRun run = to(name, {"--json", "-"});
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(testing::json_of(run)["outputs"], std::vector<std::string>{at(name)});
    const auto reader = open_video(folder_ / name);
    EXPECT_NEAR(reader->info().fps, 29.97, 1e-3);
    const at::Tensor frames = reader->read(10);
    ASSERT_EQ(frames.sizes(), at::IntArrayRef({5, 3, 13, 15}));
    if (std::string(name) == "a.y4m") {
      for (int64_t i = 0; i < 5; ++i) EXPECT_TRUE(close(frames[i], frame(i), 2.5 / 255)) << i;
    }
  }
}

TEST_F(DecodeToVideo, PicturesAreItsFrames) {
  content_.latents = content_.latents[0].transpose(0, 1).contiguous();
  content_.fps.reset();
  save();
  const CommandRun none = to("a.y4m");
  EXPECT_EQ(none.code, 1);
  EXPECT_TRUE(contains(none.err, "--fps N")) << none.err;
  ASSERT_EQ(to("a.y4m", {"--fps", "12"}).code, 0);
  EXPECT_EQ(open_video(folder_ / "a.y4m")->info().fps, 12);
  EXPECT_EQ(open_video(folder_ / "a.y4m")->read(10).size(0), 5);
}

TEST_F(DecodeToVideo, HoldsOneClip) {
  content_.latents = testing::random_tensor({2, 4, 3, 2, 2}, 5);
  save();
  const CommandRun run = to("a.mp4");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "a video file holds one clip")) << run.err;
  EXPECT_EQ(to("a.avi").code, 2);
  EXPECT_EQ(to("a.mp4", {"--fps", "0"}).code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.mp4"));
}

TEST_F(DecodeToVideo, AStopKeepsTheFramesThatAreThere) {
  content_.latents = testing::random_tensor({1, 4, 400, 8, 8}, 5);
  save();
  std::stop_source source;
  const std::jthread stopper([&] {  // once the first frames must be there
    while (names_in(folder_.path()).size() < 4) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    source.request_stop();
  });
  const CommandRun run = to("a.y4m", {}, source.get_token());
  ASSERT_EQ(run.code, 130) << run.err;
  EXPECT_TRUE(contains(run.err, "a.partial.y4m")) << run.err;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.y4m"));
  const int64_t kept = open_video(folder_ / "a.partial.y4m")->read(400).size(0);
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 400);
}

}  // namespace
}  // namespace lightswitch
