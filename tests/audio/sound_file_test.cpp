#include <gtest/gtest.h>
#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/error.hpp>

#include <cmath>

#include "audio/codec_case.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::expect_error;
using lightswitch::testing::names_in;
using lightswitch::testing::read_file;
using lightswitch::testing::TemporaryFolder;
using lightswitch::testing::write_file;
using testing::largest_difference;

std::vector<float> tone(int64_t count, double cycles_per_sample) {
  std::vector<float> samples(count);
  for (int64_t i = 0; i < count; ++i)
    samples[i] = static_cast<float>(0.5 * std::sin(2 * M_PI * cycles_per_sample * static_cast<double>(i)));
  return samples;
}

void write(const std::filesystem::path& file, const SoundFormat& format, std::span<const float> samples) {
  SoundWriter writer(file, format);
  writer.write(samples);
  writer.finish();
}

TEST(SoundFile, WavAndFlacComeBack) {
  const TemporaryFolder folder;
  const auto samples = tone(3000, 0.01);
  for (const char* name : {"a.wav", "a.flac"}) {
    write(folder / name, {44100, 2}, samples);
    SoundReader reader(folder / name);
    EXPECT_EQ(reader.format().sample_rate, 44100);
    EXPECT_EQ(reader.format().channels, 2);
    EXPECT_EQ(reader.length(), 1500);
    std::vector<float> read(3000), more(2);
    EXPECT_EQ(reader.read(std::span(read).first(2000)), 1000);
    EXPECT_EQ(reader.read(std::span(read).last(1000)), 500);
    EXPECT_EQ(reader.read(more), 0);
    EXPECT_LT(largest_difference(read, samples), 1.0 / 32000);
  }
}

TEST(SoundFile, NothingIsLeftWithoutFinish) {
  const TemporaryFolder folder;
  {
    SoundWriter writer(folder / "a.wav", {16000, 1});
    writer.write(tone(100, 0.1));
  }
  EXPECT_TRUE(names_in(folder.path()).empty());
  expect_error<OptionError>([&] { SoundWriter(folder / "a.mp3", {16000, 1}); });
  expect_error<FileError>([&] { SoundWriter(folder / "none" / "a.wav", {16000, 1}); });
}

TEST(SoundFile, ClippingIsCounted) {
  const TemporaryFolder folder;
  SoundWriter writer(folder / "a.wav", {16000, 1});
  writer.write(std::vector<float>{0.5F, 1.5F, -2.0F, 1.0F});
  EXPECT_EQ(writer.clipped(), 2);
  writer.finish();
  const auto read = read_mono(folder / "a.wav", 16000);
  EXPECT_NEAR(read[1], 1, 1e-4);
  EXPECT_NEAR(read[2], -1, 1e-4);
}

TEST(SoundFile, OtherFilesAreRefused) {
  const TemporaryFolder folder;
  expect_error<FileError>([&] { SoundReader(folder / "none.wav"); });
  expect_error<FormatError>([&] { SoundReader(write_file(folder / "a.wav", "RIFF")); });
  expect_error<FormatError>([&] { SoundReader(write_file(folder / "b.wav", "no sound at all")); });
  write(folder / "c.flac", {16000, 1}, tone(50000, 0.013));
  const std::string bytes = read_file(folder / "c.flac");
  write_file(folder / "d.flac", bytes.substr(0, bytes.size() / 2));
  expect_error<FormatError>([&] { read_mono(folder / "d.flac", 16000); });
}

TEST(Resampler, TonesKeepTheirPitchAndLength) {
  for (const auto& [from, to] :
       {std::pair{44100, 16000}, {8000, 16000}, {16000, 48000}, {16000, 44100}, {16000, 16000}}) {
    const int64_t count = from + 17;
    Resampler resampler(from, to);
    std::vector<float> out;
    const auto samples = tone(count, 440.0 / from);
    for (int64_t done = 0; done < count; done += 1000) {
      const int64_t piece = std::min<int64_t>(1000, count - done);
      resampler.push(std::span(samples).subspan(done, piece), done + piece == count, out);
    }
    ASSERT_EQ(static_cast<int64_t>(out.size()), (count * to + from / 2) / from);
    const auto expected = tone(static_cast<int64_t>(out.size()), 440.0 / to);
    const int64_t edge = to / 20;
    EXPECT_LT(largest_difference(std::span(out).subspan(edge, out.size() - 2 * edge),
                                 std::span(expected).subspan(edge, out.size() - 2 * edge)),
              1e-3)
        << from << " " << to;
  }
}

}  // namespace
}  // namespace lightswitch::audio
