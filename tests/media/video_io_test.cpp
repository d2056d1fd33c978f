// Clips: YUV4MPEG2 natively, mp4 and what else FFmpeg knows through OpenCV.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/video_io.hpp>

#include "core/y4m.hpp"
#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::TemporaryFolder;
using testing::write_file;

/// Smooth colours that change from frame to frame, as a codec likes them.
at::Tensor clip(int64_t frames, int64_t height, int64_t width) {
  const at::Tensor t = at::arange(frames, at::kFloat).view({-1, 1, 1, 1}) * 0.1;
  const at::Tensor y = at::arange(height, at::kFloat).view({1, 1, -1, 1}) / static_cast<double>(height);
  const at::Tensor x = at::arange(width, at::kFloat).view({1, 1, 1, -1}) / static_cast<double>(width);
  const at::Tensor phase = at::tensor({0.0F, 1.0F, 2.0F}).view({1, 3, 1, 1});
  return (at::sin(3 * x + 2 * y + t + phase) + 1) / 2;
}

void write_clip(const std::filesystem::path& file, const at::Tensor& frames, double fps) {
  const auto writer = create_video(file, fps);
  for (const at::Tensor& part : frames.split(3)) writer->write(part);
  EXPECT_EQ(writer->frames_written(), frames.size(0));
  writer->finish();
}

double mean_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().mean().item<double>();
}

class Clips : public ::testing::TestWithParam<const char*> {};

TEST_P(Clips, KeepFramesSizeAndRate) {
  const TemporaryFolder folder;
  const std::string name = std::string("a") + GetParam();
  for (const auto& [height, width] : {std::pair{32, 48}, {31, 47}}) {
    const at::Tensor frames = clip(8, height, width);
    write_clip(folder / name, frames, 30000.0 / 1001);
    const auto reader = open_video(folder / name);
    EXPECT_EQ(reader->info().height, height);
    EXPECT_EQ(reader->info().width, width);
    EXPECT_NEAR(reader->info().fps, 29.97, 0.001);
    const at::Tensor first = reader->read(5), rest = reader->read(5);
    ASSERT_EQ(first.size(0), 5);
    ASSERT_EQ(rest.size(0), 3);
    EXPECT_EQ(reader->read(5).size(0), 0);
    EXPECT_LT(mean_difference(at::cat({first, rest}), frames), 0.02);
    EXPECT_LT(mean_difference(first[4], frames[4]), mean_difference(first[4], frames[5]));  // none is shifted
  }
  EXPECT_EQ(testing::names_in(folder.path()), std::set<std::string>{name});
}

TEST_P(Clips, WhatIsNotFinishedLeavesNothing) {
  const TemporaryFolder folder;
  const auto name = folder / (std::string("a") + GetParam());
  create_video(name, 24)->write(clip(2, 16, 16));
  EXPECT_TRUE(testing::names_in(folder.path()).empty());
  expect_error<OptionError>([&] { create_video(name, 24)->finish(); });
  EXPECT_TRUE(create_video(name, 24)->keep_partial().empty());
}

TEST_P(Clips, APartialClipPlays) {
  const TemporaryFolder folder;
  const std::string extension = GetParam();
  const auto writer = create_video(folder / ("a" + extension), 24);
  writer->write(clip(4, 16, 16));
  const auto kept = writer->keep_partial();
  EXPECT_EQ(kept.filename(), "a.partial" + extension);
  EXPECT_EQ(open_video(kept)->read(100).size(0), 4);
}

TEST_P(Clips, RefuseWhatIsNotTheirs) {
  const TemporaryFolder folder;
  const auto name = folder / (std::string("a") + GetParam());
  const auto writer = create_video(name, 24);
  writer->write(clip(1, 16, 16));
  EXPECT_TRUE(contains(expect_error<TensorError>([&] { writer->write(clip(1, 16, 18)); }).what(), "[T, 3, 16, 16]"));
  expect_error<TensorError>([&] { writer->write(clip(1, 16, 16)[0]); });
  expect_error<OptionError>([&] { create_video(name, 0); });
  expect_error<FileError>([&] { create_video(folder / "missing" / name.filename(), 24); });
  expect_error<FileError>([&] { open_video(folder / (std::string("missing") + GetParam())); });
  expect_error<FormatError>([&] { open_video(write_file(name, "")); });
  expect_error<FormatError>([&] { open_video(write_file(name, "<html></html>\n")); });
}

TEST_P(Clips, ATruncatedOneIsNotTakenForAShorterOne) {
  const TemporaryFolder folder;
  const auto name = folder / (std::string("a") + GetParam());
  write_clip(name, clip(12, 32, 48), 24);
  const std::string bytes = testing::read_file(name);
  for (const double share : {0.3, 0.9}) {
    write_file(name, bytes.substr(0, static_cast<size_t>(share * static_cast<double>(bytes.size()))));
    expect_error<FormatError>([&] {
      const auto reader = open_video(name);
      while (reader->read(4).size(0) > 0) {
      }
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Clips, ::testing::Values(".mp4", ".y4m"),
                         [](const auto& each) { return std::string(each.param + 1); });

TEST(Video, KnowsNamesOfClips) {
  EXPECT_TRUE(is_video_name("a/B.MP4"));
  EXPECT_FALSE(is_video_name("b.png"));
  expect_error<OptionError>([] { create_video("a.gif", 24); });
}

TEST(Y4m, AFrameComesBackWithinALevel) {
  const TemporaryFolder folder;
  const at::Tensor frames = testing::random_tensor({1, 3, 9, 7}, 3).sigmoid();
  write_clip(folder / "a.y4m", frames, 25);
  EXPECT_TRUE(
      contains(testing::read_file(folder / "a.y4m"), "YUV4MPEG2 W7 H9 F25:1 Ip A1:1 C444 XCOLORRANGE=FULL\nFRAME\n"));
  EXPECT_TRUE(close(open_video(folder / "a.y4m")->read(1), frames, 1.6 / 255));
}

TEST(Y4m, ReadsTheStudioRangeAndSharedColour) {
  const TemporaryFolder folder;
  // 2x2 luma, then a U and a V for all four: white, black, and mid-grey with a little red.
  const auto read = [&](const std::string& header, const std::string& planes) {
    return open_video(write_file(folder / "a.y4m", "YUV4MPEG2 W2 H2 F25:1 " + header + "\nFRAME\n" + planes))
        ->read(1)[0];
  };
  const at::Tensor grey = read("Ip C420mpeg2", "\xeb\x10\x7e\x7e\x80\x80");
  EXPECT_TRUE(close(grey[0], at::tensor({1.0F, 0.0F, 110.0F / 219, 110.0F / 219}).view({2, 2}), 1e-5));
  EXPECT_TRUE(close(grey[1], grey[2], 1e-5));
  const at::Tensor reddish = read("C420", "\x7e\x7e\x7e\x7e\x80\x90");
  EXPECT_NEAR((reddish[0][0][0] - grey[0][1][0]).item<double>(), 1.402 * 16 / 224, 1e-5);
  EXPECT_TRUE(close(read("Cmono", "\xeb\xeb\xeb\xeb"), at::ones({3, 2, 2}), 1e-5));
  EXPECT_TRUE(close(read("C422 XCOLORRANGE=FULL", "\xff\xff\xff\xff\x80\x80\x80\x80"), at::ones({3, 2, 2}), 3e-3));
}

TEST(Y4m, RefusesWhatItWouldReadWrongly) {
  const TemporaryFolder folder;
  const auto open = [&](const std::string& header) {
    return open_video(write_file(folder / "a.y4m", header + "\nFRAME\n" + std::string(64, '\x80')));
  };
  expect_error<UnsupportedError>([&] { open("YUV4MPEG2 W2 H2 F25:1 C420p10"); });
  expect_error<UnsupportedError>([&] { open("YUV4MPEG2 W2 H2 F25:1 It"); });
  expect_error<FormatError>([&] { open("YUV4MPEG2 W2 H2"); });
  expect_error<FormatError>([&] { open("YUV4MPEG2 W0 H2 F25:1"); });
  expect_error<FormatError>([&] { open("YUV4MPEG2 W99999999 H99999999 F25:1"); });
  expect_error<FormatError>([&] { open("YUV4MPEG2 W2 H-2 F25:1"); });
  expect_error<FormatError>([&] { open("YUV4MPEG2 " + std::string(2000, 'X')); });
  expect_error<FormatError>([&] { open_video(write_file(folder / "a.y4m", "YUV4MPEG2 W2 H2 F25:1\n")); });
  expect_error<FormatError>(
      [&] { open_video(write_file(folder / "a.y4m", "YUV4MPEG2 W2 H2 F25:1\nFRAM\n"))->read(1); });
}

/// Frame counts as ffprobe's count_frames gives them for the files.
TEST(Video, ReadsRealClips) {
  const auto data = testing::data_root() / "video";
  LIGHTSWITCH_REQUIRE_DATA(data);
  struct Clip {
    const char* name;
    int64_t width, height, frames;
    double fps;
  };
  for (const Clip& each : {Clip{"bikes.mp4", 640, 272, 250, 25},
                           {"carphone_pristine.mp4", 176, 144, 120, 29.97003},
                           {"test_ucf_style.avi", 320, 240, 164, 25}}) {
    const auto reader = open_video(data / each.name);
    EXPECT_EQ(reader->info().width, each.width);
    EXPECT_EQ(reader->info().height, each.height);
    EXPECT_NEAR(reader->info().fps, each.fps, 1e-4);
    EXPECT_EQ(reader->info().frames, each.frames);
    int64_t frames = 0;
    for (int64_t got = -1; got != 0; frames += got) got = reader->read(50).size(0);
    EXPECT_EQ(frames, each.frames) << each.name;
  }
}

}  // namespace
}  // namespace lightswitch
