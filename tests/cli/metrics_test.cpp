// `lightswitch metrics`: two files, two folders, two sets.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <lightswitch/frechet.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>
#include <lightswitch/metrics.hpp>

#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"
#ifdef LIGHTSWITCH_AUDIO
#include <lightswitch/audio/metrics.hpp>
#include <lightswitch/audio/sound_file.hpp>
#endif

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

class MetricsCommand : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  at::Tensor picture(const std::string& name, uint64_t seed, int64_t size = 24) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_image(folder_ / name, random_tensor({3, size, size + 3}, seed).sigmoid());
    return read_image(folder_ / name);
  }
  at::Tensor clip(const std::string& name, int64_t frames, uint64_t seed) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    const auto writer = create_video(folder_ / name, 8);
    writer->write(random_tensor({frames, 3, 16, 12}, seed).sigmoid());
    writer->finish();
    return open_video(folder_ / name)->read(frames);
  }
  std::string archive(const std::string& name, const std::string& arguments, const std::string& result) const {
    torch::jit::Module module("Judge");
    module.define("def forward(self, " + arguments + "):\n    return " + result + "\n");
    module.save(at(name));
    return at(name);
  }
  CommandRun metrics(const std::string& a, const std::string& b, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"metrics", at(a), at(b), "--json", "-"};
    all.insert(all.end(), more.begin(), more.end());
    return run_command(all);
  }
  /// What it says of a failure.
  std::string failure(const std::string& a, const std::string& b, const std::vector<std::string>& more = {}) const {
    const CommandRun run = metrics(a, b, more);
    EXPECT_EQ(run.code, 1) << run.err;
    EXPECT_EQ(run.out, "");
    return run.err;
  }

  TemporaryFolder folder_;
};

TEST_F(MetricsCommand, TwoPicturesAreScored) {
  const at::Tensor a = picture("a.png", 1), b = picture("b.png", 2);
  const auto json =
      json_of(metrics("a.png", "b.png", {"--lpips", archive("judge.ts", "x, y", "(x - y).abs().flatten(1).mean(1)")}));
  EXPECT_EQ(json.at("kind"), "pictures");
  const auto& row = json.at("pairs").at(0);
  EXPECT_EQ(row.at("name"), "a.png");
  EXPECT_DOUBLE_EQ(row.at("psnr").get<double>(), psnr(a, b));
  EXPECT_DOUBLE_EQ(row.at("ssim").get<double>(), ssim(a, b));
  EXPECT_NEAR(row.at("lpips").get<double>(), 2 * (a - b).abs().mean().item<double>(), 1e-6);
  EXPECT_FALSE(row.contains("ms-ssim"));
  const auto other = json_of(metrics("a.png", "b.png", {"--metric", "ssim", "--ssim-window", "uniform"}));
  EXPECT_DOUBLE_EQ(other.at("metrics").at("ssim").at("mean").get<double>(), ssim(a, b, SsimWindow::uniform));
  EXPECT_EQ(other.at("pairs").at(0).size(), 2U) << "the name, and what was asked for";
  EXPECT_TRUE(json_of(metrics("a.png", "a.png")).at("pairs").at(0).at("psnr").is_null()) << "infinity";
}

TEST_F(MetricsCommand, TheTableGoesToStandardOutput) {
  picture("a/1.png", 1), picture("a/2.png", 2), picture("b/1.png", 3), picture("b/2.png", 4);
  const CommandRun run = run_command({"metrics", at("a"), at("b")});
  EXPECT_EQ(run.code, 0);
  for (const char* word : {"mean", "lowest", "highest", "psnr", "ssim"}) EXPECT_TRUE(contains(run.out, word));
  EXPECT_TRUE(contains(run.err, "compare"));
}

TEST_F(MetricsCommand, FoldersAreMatchedByNameWithoutEnding) {
  const at::Tensor a1 = picture("a/1.png", 1), a2 = picture("a/2.png", 2);
  const at::Tensor b1 = picture("b/1.ppm", 3), b2 = picture("b/2.png", 4);
  const auto json = json_of(metrics("a", "b"));
  const double one = psnr(a1, b1), two = psnr(a2, b2);
  const auto& summary = json.at("metrics").at("psnr");
  EXPECT_NEAR(summary.at("mean").get<double>(), (one + two) / 2, 1e-9);
  EXPECT_DOUBLE_EQ(summary.at("lowest").get<double>(), std::min(one, two));
  EXPECT_DOUBLE_EQ(summary.at("highest").get<double>(), std::max(one, two));
  EXPECT_DOUBLE_EQ(json.at("pairs").at(1).at("psnr").get<double>(), two);
  picture("a/3.png", 5), picture("b/4.png", 6);
  const std::string unmatched = failure("a", "b");
  EXPECT_TRUE(contains(unmatched, "a: 3.png"));
  EXPECT_TRUE(contains(unmatched, "b: 4.png"));
  EXPECT_TRUE(contains(unmatched, "--sets"));
  picture("b/3.png", 5), picture("a/4.png", 6), picture("b/3.ppm", 7);
  EXPECT_TRUE(contains(failure("a", "b"), "two files of one name"));
}

TEST_F(MetricsCommand, SetsHaveAFrechetDistanceAndStatisticsThatMerge) {
  std::vector<at::Tensor> a, b;
  for (uint64_t i = 0; i < 6; ++i) a.push_back(picture("a/" + std::to_string(i) + ".png", i));
  for (uint64_t i = 0; i < 5; ++i) b.push_back(picture("b/x" + std::to_string(i) + ".png", 10 + i));
  const std::vector<std::string> network{"--features", archive("net.ts", "x", "x.flatten(2).mean(2)")};
  FeatureStatistics first, second;
  first.add(at::stack(a).flatten(2).mean(2) * 2 - 1);
  second.add(at::stack(b).flatten(2).mean(2) * 2 - 1);
  const double expected = frechet_distance(first, second);
  auto more = network;
  more.insert(more.end(), {"--sets", "--save-statistics", at("a.safetensors")});
  const auto json = json_of(metrics("a", "b", more)).at("frechet");
  EXPECT_NEAR(json.at("distance").get<double>(), expected, 1e-4 * expected);
  EXPECT_EQ(json.at("samples"), nlohmann::json({6, 5}));
  const double found = json.at("distance").get<double>();
  const auto again = json_of(metrics("a.safetensors", "b", network)).at("frechet");
  EXPECT_NEAR(again.at("distance").get<double>(), found, 1e-12);
  // Shards.
  for (const char* shard : {"0", "1"}) {
    for (int i = 0; i < 3; ++i) {
      const std::string name = std::to_string(i + (*shard - '0') * 3) + ".png";
      std::filesystem::create_directories(folder_ / ("shard" + std::string(shard)));
      std::filesystem::copy(folder_ / "a" / name, folder_ / ("shard" + std::string(shard)) / name);
    }
    std::filesystem::create_directories(folder_ / "kept");
    auto keep = network;
    keep.insert(keep.end(), {"--sets", "--save-statistics", at("kept/" + std::string(shard) + ".safetensors")});
    EXPECT_EQ(metrics("shard" + std::string(shard), "b", keep).code, 0);
  }
  const auto merged = json_of(metrics("kept", "b", network)).at("frechet");
  EXPECT_NEAR(merged.at("distance").get<double>(), found, 1e-9);
  EXPECT_NEAR(json_of(metrics("kept", "a.safetensors")).at("frechet").at("distance").get<double>(), 0, 1e-9)
      << "two saved ones need no network";
  EXPECT_TRUE(contains(failure("a.safetensors", "b"), "--features"));
  const std::vector<std::string> other{"--features", archive("other.ts", "x", "x.flatten(2).amax(2)")};
  EXPECT_TRUE(contains(failure("a.safetensors", "b", other), "different features"));
  EXPECT_TRUE(contains(failure("a/0.png", "b/x0.png", network), "2 samples or more"));
}

TEST_F(MetricsCommand, ClipsAreScoredFrameByFrame) {
  const at::Tensor a = clip("a.y4m", 5, 1), b = clip("b.y4m", 5, 2);
  ASSERT_EQ(a.size(0), 5);
  const auto row = json_of(metrics("a.y4m", "b.y4m")).at("pairs").at(0);
  EXPECT_NEAR(row.at("psnr").get<double>(), psnr(a, b), 1e-9);
  EXPECT_NEAR(row.at("ssim").get<double>(), ssim(a, b), 1e-9);
  EXPECT_NEAR(row.at("flicker").get<double>(), flicker(a, b), 1e-9);
  clip("longer.y4m", 6, 3);
  const std::string longer = failure("longer.y4m", "b.y4m");
  EXPECT_TRUE(contains(longer, "expected 5, found more than 5")) << longer;
  EXPECT_TRUE(contains(failure("b.y4m", "longer.y4m"), "expected more than 5, found 5"));
}

TEST_F(MetricsCommand, ClipsHaveAFrechetDistanceByNetworksOfClipsOrOfPictures) {
  const at::Tensor a = clip("a.y4m", 7, 1), b = clip("b.y4m", 6, 2);
  const auto samples = [](const at::Tensor& clip) {
    std::vector<at::Tensor> rows;
    for (int64_t t = 0; t + 3 <= clip.size(0); t += 3) rows.push_back(clip.narrow(0, t, 3).mean({0, 2, 3}) * 2 - 1);
    return at::stack(rows);
  };
  FeatureStatistics first, second;
  first.add(samples(a));
  second.add(samples(b));
  const double expected = frechet_distance(first, second);
  const std::string clips = archive("clips.ts", "x", "x.mean([3, 4]).mean(2)");
  const std::string frames = archive("frames.ts", "x", "x.mean([2, 3])");
  const auto of_clips = json_of(metrics("a.y4m", "b.y4m", {"--sets", "--features", clips, "--clip-frames", "3"}));
  EXPECT_NEAR(of_clips.at("frechet").at("distance").get<double>(), expected, 1e-4 * expected);
  EXPECT_EQ(of_clips.at("frechet").at("samples"), nlohmann::json({2, 2})) << "the seventh frame is left over";
  const auto of_frames =
      json_of(metrics("a.y4m", "b.y4m", {"--sets", "--features", frames, "--clip-frames", "3", "--frame-features"}));
  EXPECT_NEAR(of_frames.at("frechet").at("distance").get<double>(), expected, 1e-4 * expected);
  const auto every =
      json_of(metrics("a.y4m", "b.y4m", {"--sets", "--features", frames, "--clip-frames", "1", "--frame-features"}));
  EXPECT_EQ(every.at("frechet").at("samples"), nlohmann::json({7, 6}));
  EXPECT_TRUE(contains(failure("a.y4m", "b.y4m", {"--sets", "--features", clips}), "--clip-frames"));
}

TEST_F(MetricsCommand, WhatDoesNotGoTogetherIsRefused) {
  picture("a.png", 1), picture("small.png", 2, 10), clip("a.y4m", 2, 1), picture("folder/a.png", 3);
  EXPECT_TRUE(contains(failure("a.png", "a.y4m"), "expected pictures, found clips"));
  EXPECT_TRUE(contains(failure("a.png", "folder"), "expected a file, found a folder"));
  EXPECT_TRUE(contains(failure("a.png", "none.png"), "none.png"));
  EXPECT_TRUE(contains(failure("a.png", "small.png"), "a.png: picture"));
  EXPECT_TRUE(contains(failure("small.png", "small.png"), "11x11"));
  EXPECT_TRUE(contains(failure("a.png", "a.png", {"--metric", "ms-ssim"}), "161x161"));
  EXPECT_TRUE(contains(failure("a.png", "a.png", {"--metric", "stoi"}), "not a metric of pictures"));
  EXPECT_TRUE(contains(failure("a.png", "a.png", {"--metric", "frechet"}), "--features"));
  write_file(folder_ / "text.txt", "x");
  EXPECT_TRUE(contains(failure("text.txt", "a.png"), ".png"));
  write_file(folder_ / "folder" / "a.wav", "x");
  EXPECT_TRUE(contains(failure("folder", "folder"), "several kinds"));
  std::filesystem::create_directories(folder_ / "empty");
  EXPECT_TRUE(contains(failure("empty", "folder"), "nothing to measure"));
  write_file(folder_ / "damaged.png", "not a picture");
  EXPECT_TRUE(contains(failure("damaged.png", "a.png"), "damaged.png"));
}

TEST_F(MetricsCommand, WrongUsageIsSeenFirst) {
  const auto mistake = [&](const std::vector<std::string>& more) {
    const CommandRun run = metrics("none", "none", more);
    EXPECT_EQ(run.code, 2) << run.err;
    return run.err;
  };
  EXPECT_TRUE(contains(mistake({"--metric", "pnsr"}), "did you mean psnr?"));
  EXPECT_TRUE(contains(mistake({"--metric", "lpips"}), "--lpips"));
  EXPECT_TRUE(contains(mistake({"--sets", "--metric", "psnr"}), "frechet with --sets, found psnr"));
  EXPECT_TRUE(contains(mistake({"--ssim-window", "round"}), "gaussian or uniform, found round"));
  EXPECT_TRUE(contains(mistake({"--clip-frames", "0"}), "--clip-frames"));
}

TEST_F(MetricsCommand, StopsWhenAsked) {
  picture("a/1.png", 1), picture("b/1.png", 2);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(run_command({"metrics", at("a"), at("b")}, stop.get_token()).code, 130);
}

#ifdef LIGHTSWITCH_AUDIO
TEST_F(MetricsCommand, SoundsAreScored) {
  const auto write = [&](const std::string& name, int64_t samples, uint64_t seed) {
    const at::Tensor numbers = (random_tensor({samples}, seed) * 0.1).contiguous();
    audio::SoundWriter writer(folder_ / name, {16000, 1});
    writer.write({numbers.const_data_ptr<float>(), static_cast<size_t>(samples)});
    writer.finish();
    return audio::read_mono(folder_ / name, 16000);
  };
  const auto a = write("a.wav", 16000, 1), b = write("b.flac", 16000, 2);
  const auto row = json_of(metrics("a.wav", "b.flac")).at("pairs").at(0);
  EXPECT_DOUBLE_EQ(row.at("si-snr").get<double>(), audio::si_snr(a, b));
  EXPECT_DOUBLE_EQ(row.at("log-mel").get<double>(), audio::log_mel_distance(a, b));
  EXPECT_DOUBLE_EQ(row.at("stoi").get<double>(), audio::stoi(a, b));
  EXPECT_DOUBLE_EQ(row.at("segmental-snr").get<double>(), audio::segmental_snr(a, b));
  write("short.wav", 15999, 3);
  EXPECT_TRUE(contains(failure("short.wav", "b.flac"), "expected 16000, found 15999"));
  write("tiny.wav", 800, 3);
  EXPECT_TRUE(contains(failure("tiny.wav", "tiny.wav"), "tiny.wav"));
  EXPECT_TRUE(contains(failure("a.wav", "b.flac", {"--sets"}), "sounds"));
}
#endif

}  // namespace
}  // namespace lightswitch
