#include <gtest/gtest.h>
#include <unistd.h>
#include <lightswitch/audio/bitstream.hpp>
#include <lightswitch/error.hpp>

#include <functional>
#include <memory>

#include "audio/crc32.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::contains;
using lightswitch::testing::expect_error;
using lightswitch::testing::names_in;
using lightswitch::testing::read_file;
using lightswitch::testing::TemporaryFolder;
using lightswitch::testing::write_file;

constexpr size_t kHeader = 84;

StreamInfo small(bool hints = true) {
  StreamInfo info;
  info.model = std::string(63, '0') + "f";
  info.source_rate = 32000;
  info.channels = 2;
  info.stages = 3;
  info.bits = 5;
  info.hop = 10;
  info.block_frames = 4;
  info.hints = hints;
  return info;
}

struct Content {
  std::vector<int32_t> indices;
  std::vector<Path> hints;
};

Content content(const StreamInfo& info, int64_t frames) {
  Content made;
  for (int64_t i = 0; i < frames * info.channels * info.stages; ++i)
    made.indices.push_back(static_cast<int32_t>(i * 11 % (1 << info.bits)));
  if (info.hints)
    for (int64_t i = 0; i < frames * info.channels; ++i) made.hints.push_back(i % 3 == 0 ? Path::heavy : Path::light);
  return made;
}

std::filesystem::path write(const std::filesystem::path& file, const StreamInfo& info, int64_t frames,
                            int64_t padding) {
  const Content all = content(info, frames);
  StreamWriter writer(file, info);
  writer.write(all.indices, all.hints);
  writer.finish(frames * info.hop - padding, 2 * (frames * info.hop - padding));
  return file;
}

TEST(Crc32, OfTheCheckString) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xCBF43926U);
}

TEST(Bitstream, ComesBackWhateverItsLength) {
  const TemporaryFolder folder;
  for (const bool hints : {true, false}) {
    const StreamInfo info = small(hints);
    for (int64_t frames = 0; frames <= 13; ++frames) {
      const auto file = write(folder / "a.lsc", info, frames, frames > 0 ? frames % 10 : 0);
      const StreamReader reader(file);
      EXPECT_EQ(reader.frames(), frames);
      EXPECT_EQ(reader.missing_samples(), 0);
      EXPECT_EQ(*reader.info().samples, frames * 10 - (frames > 0 ? frames % 10 : 0));
      EXPECT_EQ(*reader.info().source_samples, 2 * *reader.info().samples);
      EXPECT_EQ(reader.info().model, info.model);
      Content found;
      for (int64_t block = 0; block < reader.blocks(); ++block) {
        const StreamBlock read = reader.read(block);
        EXPECT_EQ(read.damage, "");
        EXPECT_EQ(read.padding, block + 1 == reader.blocks() ? frames % 10 : 0);
        found.indices.insert(found.indices.end(), read.indices.begin(), read.indices.end());
        found.hints.insert(found.hints.end(), read.hints.begin(), read.hints.end());
      }
      EXPECT_EQ(found.indices, content(info, frames).indices);
      EXPECT_EQ(found.hints, content(info, frames).hints);
    }
  }
}

TEST(Bitstream, AnySecondIsFoundByArithmetic) {
  StreamInfo info = small();
  info.channels = 1;
  info.stages = 16;
  info.bits = 8;
  info.hop = 320;
  info.block_frames = 50;
  info.hints = false;
  EXPECT_EQ(info.block_bytes(), 50 * 16 + 12);
  EXPECT_DOUBLE_EQ(info.bits_per_second(), 6400);
  const TemporaryFolder folder;
  const auto file = write(folder / "a.lsc", info, 50 * 7 + 3, 0);
  EXPECT_EQ(std::filesystem::file_size(file), kHeader + 7 * 812 + 3 * 16 + 12);
  const StreamReader reader(file);
  const auto all = content(info, 50 * 7 + 3);
  const auto sixth = reader.read(reader.block_of(50 * 6 + 10)).indices;
  EXPECT_TRUE(std::equal(sixth.begin(), sixth.end(), all.indices.begin() + 50 * 6 * 16));
}

TEST(Bitstream, WritingInPiecesGivesTheSameFile) {
  const TemporaryFolder folder;
  const StreamInfo info = small();
  const auto whole = read_file(write(folder / "a.lsc", info, 9, 3));
  const Content all = content(info, 9);
  {
    StreamWriter writer(folder / "b.lsc", info);
    for (int64_t frame = 0; frame < 9; ++frame)
      writer.write(std::span(all.indices).subspan(frame * 6, 6), std::span(all.hints).subspan(frame * 2, 2));
    EXPECT_FALSE(std::filesystem::exists(folder / "b.lsc"));
    writer.finish(87, 174);
  }
  EXPECT_EQ(read_file(folder / "b.lsc"), whole);
  {
    StreamWriter abandoned(folder / "c.lsc", info);
    abandoned.write(all.indices, all.hints);
  }
  EXPECT_EQ(names_in(folder.path()), (std::set<std::string>{"a.lsc", "b.lsc"}));
}

/// The header as it is before finish(), which is what a pipe gets.
std::string as_piped(std::string bytes) {
  for (size_t i = 60; i < 76; ++i) bytes[i] = '\xff';
  const uint32_t sum = crc32(std::string_view(bytes).substr(0, kHeader - 4));
  std::memcpy(bytes.data() + kHeader - 4, &sum, 4);
  return bytes;
}

TEST(Bitstream, StreamsThatDidNotKnowTheirLengthTellIt) {
  const TemporaryFolder folder;
  for (const int64_t frames : {0, 1, 4, 7, 8}) {
    const std::string known = read_file(write(folder / "a.lsc", small(), frames, frames > 0 ? 7 : 0));
    const StreamReader reader(write_file(folder / "b.lsc", as_piped(known)));
    EXPECT_EQ(reader.frames(), frames);
    EXPECT_EQ(*reader.info().samples, frames * 10 - (frames > 0 ? 7 : 0));
  }
}

/// What comes through a pipe that is filled with these bytes and closed.
struct Piped {
  Content content;
  int64_t frames = 0, padding = 0, damaged = 0, missing = 0;
};

Piped through_pipe(const std::string& bytes, const std::filesystem::path& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(std::fopen(write_file(file, bytes).c_str(), "rb"),
                                                              std::fclose);
  StreamPipe pipe(input.get(), "a pipe");
  Piped found;
  while (const auto block = pipe.next()) {
    found.frames += block->frames;
    found.padding = block->padding;
    found.damaged += !block->damage.empty();
    found.content.indices.insert(found.content.indices.end(), block->indices.begin(), block->indices.end());
    found.content.hints.insert(found.content.hints.end(), block->hints.begin(), block->hints.end());
  }
  found.missing = pipe.missing_samples();
  return found;
}

TEST(Bitstream, PipesGiveWhatFilesDo) {
  const TemporaryFolder folder;
  for (const bool hints : {true, false})
    for (const int64_t frames : {0, 1, 4, 7, 8}) {
      const int64_t padding = frames > 0 ? 7 : 0;
      const std::string known = read_file(write(folder / "a.lsc", small(hints), frames, padding));
      for (const std::string& bytes : {known, as_piped(known)}) {
        const Piped found = through_pipe(bytes, folder / "b.lsc");
        EXPECT_EQ(found.frames, frames);
        EXPECT_EQ(found.padding, padding);
        EXPECT_EQ(found.damaged + found.missing, 0);
        EXPECT_EQ(found.content.indices, content(small(hints), frames).indices);
        EXPECT_EQ(found.content.hints, content(small(hints), frames).hints);
      }
      expect_error<FormatError>([&] { through_pipe(known + "x", folder / "b.lsc"); });
    }
}

TEST(Bitstream, PipesThatBreakOffTellIt) {
  const TemporaryFolder folder;
  const std::string sound = read_file(write(folder / "a.lsc", small(), 11, 2));
  for (const bool known : {true, false})
    for (size_t length = 0; length < sound.size(); ++length) {
      const std::string bytes = (known ? sound : as_piped(sound)).substr(0, length);
      if (length < kHeader) {
        expect_error<FormatError>([&] { through_pipe(bytes, folder / "b.lsc"); });
        continue;
      }
      const Piped found = through_pipe(bytes, folder / "b.lsc");
      const bool mid_block = (length - kHeader) % small().block_bytes() != 0;
      EXPECT_EQ(found.damaged, mid_block) << length;
      if (known) EXPECT_TRUE(found.damaged > 0 || found.missing > 0) << length;
    }
}

TEST(Bitstream, APipeGivesABlockAsSoonAsItIsThere) {
  const TemporaryFolder folder;
  const std::string sound = as_piped(read_file(write(folder / "a.lsc", small(), 8, 0)));
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(fdopen(ends[0], "rb"), std::fclose);
  const size_t first = kHeader + small().block_bytes();
  ASSERT_EQ(::write(ends[1], sound.data(), first), static_cast<ssize_t>(first));
  StreamPipe pipe(input.get(), "a pipe");  // nothing more has been written, and nothing has ended
  EXPECT_EQ(pipe.next()->frames, 4);
  ASSERT_EQ(::write(ends[1], sound.data() + first, sound.size() - first), static_cast<ssize_t>(sound.size() - first));
  ::close(ends[1]);
  EXPECT_EQ(pipe.next()->frames, 4);
  EXPECT_FALSE(pipe.next());
}

/// Reads all that there is. @return blocks that are damaged.
int64_t read_all(const std::filesystem::path& file) {
  const StreamReader reader(file);
  int64_t damaged = 0;
  for (int64_t block = 0; block < reader.blocks(); ++block) {
    const StreamBlock read = reader.read(block);
    damaged += !read.damage.empty();
    EXPECT_EQ(read.indices.empty(), !read.damage.empty());
    EXPECT_GT(read.frames, 0);
    EXPECT_LE(read.frames, reader.info().block_frames);
  }
  return damaged;
}

TEST(Bitstream, TruncatedAnywhereIsTold) {
  const TemporaryFolder folder;
  const std::string sound = read_file(write(folder / "a.lsc", small(), 11, 2));
  for (const bool piped : {false, true}) {
    for (size_t length = 0; length < sound.size(); ++length) {
      const auto file = write_file(folder / "b.lsc", (piped ? as_piped(sound) : sound).substr(0, length));
      if (length < kHeader) {
        expect_error<FormatError>([&] { read_all(file); });
        continue;
      }
      const StreamReader reader(file);
      const int64_t whole = (static_cast<int64_t>(length - kHeader)) / small().block_bytes();
      EXPECT_EQ(reader.blocks(), (length - kHeader + small().block_bytes() - 1) / small().block_bytes());
      const int64_t damaged = read_all(file);
      EXPECT_EQ(damaged, reader.blocks() - whole) << length;
      if (!piped) {
        EXPECT_EQ(reader.missing_samples() > 0 || damaged > 0, true) << length;
      }
    }
  }
  const auto longer = write_file(folder / "c.lsc", sound + "x");
  EXPECT_TRUE(contains(expect_error<FormatError>([&] { read_all(longer); }).what(), "behind the last block"));
}

TEST(Bitstream, AnyFlippedBitCostsItsBlockOrTheHeader) {
  const TemporaryFolder folder;
  const StreamInfo info = small();
  const std::string sound = read_file(write(folder / "a.lsc", info, 11, 2));
  for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
    std::string bytes = sound;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const auto file = write_file(folder / "b.lsc", bytes);
    if (bit / 8 < kHeader) {
      if (bit % 4 == 0) {
        expect_error<FormatError>([&] { read_all(file); });
      }
      continue;
    }
    EXPECT_EQ(read_all(file), 1);
    const StreamReader reader(file);
    EXPECT_NE(reader.read(static_cast<int64_t>(bit / 8 - kHeader) / info.block_bytes()).damage, "");
  }
}

TEST(Bitstream, BlocksInAnotherPlaceAreDamaged) {
  const TemporaryFolder folder;
  const StreamInfo info = small();
  std::string bytes = read_file(write(folder / "a.lsc", info, 12, 0));
  const auto size = info.block_bytes();
  const std::string first = bytes.substr(kHeader, size);
  bytes.replace(kHeader, size, bytes.substr(kHeader + size, size));
  bytes.replace(kHeader + size, size, first);
  EXPECT_EQ(read_all(write_file(folder / "b.lsc", bytes)), 2);
}

TEST(Bitstream, HeadersThatLieAreRefused) {
  const TemporaryFolder folder;
  const std::string sound = read_file(write(folder / "a.lsc", small(), 11, 2));
  const auto refusal = [&](size_t place, const std::string& bytes) {
    std::string changed = sound;
    changed.replace(place, bytes.size(), bytes);
    const uint32_t sum = crc32(std::string_view(changed).substr(0, kHeader - 4));
    std::memcpy(changed.data() + kHeader - 4, &sum, 4);
    return std::string(expect_error<FormatError>([&] { read_all(write_file(folder / "b.lsc", changed)); }).what());
  };
  EXPECT_TRUE(contains(refusal(4, "\x02"), "version"));
  EXPECT_TRUE(contains(refusal(6, "\x03"), "flags"));
  EXPECT_TRUE(contains(refusal(40, std::string(4, '\0')), "source_rate"));
  EXPECT_TRUE(contains(refusal(48, std::string(2, '\xff')), "channels"));
  EXPECT_TRUE(contains(refusal(50, std::string(2, '\xff')), "stages"));
  EXPECT_TRUE(contains(refusal(52, std::string(2, '\x11')), "bits"));
  EXPECT_TRUE(contains(refusal(54, std::string(2, '\0')), "hop"));
  EXPECT_TRUE(contains(refusal(56, std::string(2, '\0')), "block_frames"));
  EXPECT_TRUE(contains(refusal(60, std::string(7, '\xff')), "samples"));
  EXPECT_TRUE(contains(refusal(68, std::string("\0\0\0\0\0\x80\0\0", 8)), "source_samples"));
  EXPECT_TRUE(contains(refusal(0, "RIFF"), "not a stream"));
  // A length that lies is no allocation: what is missing is told.
  std::string changed = sound;
  changed.replace(60, 8, std::string("\0\0\0\0\0\x80\0\0", 8));
  changed.replace(68, 8, std::string("\0\0\0\0\0\0\1\0", 8));
  const uint32_t sum = crc32(std::string_view(changed).substr(0, kHeader - 4));
  std::memcpy(changed.data() + kHeader - 4, &sum, 4);
  const StreamReader reader(write_file(folder / "c.lsc", changed));
  EXPECT_EQ(reader.blocks(), 3);
  EXPECT_GT(reader.missing_samples(), int64_t(1) << 40);
}

TEST(Bitstream, WhatDoesNotFitIsNotWritten) {
  const TemporaryFolder folder;
  const std::vector<std::pair<const char*, std::function<void(StreamInfo&)>>> lies{
      {"model", [](StreamInfo& i) { i.model = "abc"; }},   {"model", [](StreamInfo& i) { i.model[3] = 'G'; }},
      {"channels", [](StreamInfo& i) { i.channels = 0; }}, {"bits", [](StreamInfo& i) { i.bits = 17; }},
      {"hop", [](StreamInfo& i) { i.hop = 1 << 17; }},
  };
  for (const auto& [field, lie] : lies) {
    StreamInfo info = small();
    lie(info);
    EXPECT_EQ(expect_error<OptionError>([&] { StreamWriter(folder / "a.lsc", info); }).detail().field, field);
  }
  StreamWriter writer(folder / "a.lsc", small());
  const std::vector<Path> hints(2, Path::light);
  expect_error<TensorError>([&] { writer.write(std::vector<int32_t>(5), hints); });
  expect_error<TensorError>([&] { writer.write(std::vector<int32_t>(6, 32), hints); });
  expect_error<TensorError>([&] { writer.write(std::vector<int32_t>(6, -1), hints); });
  expect_error<TensorError>([&] { writer.write(std::vector<int32_t>(6), {}); });
  writer.write(std::vector<int32_t>(6), hints);
  expect_error<TensorError>([&] { writer.finish(11, 11); });
  expect_error<TensorError>([&] { writer.finish(0, 0); });
  writer.finish(1, 2);
  expect_error<OptionError>([&] { StreamReader(folder / "a.lsc").read(1); });
  expect_error<FileError>([&] { StreamWriter(folder / "none" / "a.lsc", small()); });
}

}  // namespace
}  // namespace lightswitch::audio
