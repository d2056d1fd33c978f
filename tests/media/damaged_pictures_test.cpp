#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/media/image_io.hpp>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;
using testing::TemporaryFolder;
using testing::write_file;

TEST(DamagedPictures, MissingFileAndFolder) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(expect_error<FileError>([&] { read_image(folder / "none.png"); }).what(), "none.png"));
  EXPECT_EQ(expect_error<FileError>([&] { read_image(folder.path()); }).detail().found, "a folder");
}

TEST(DamagedPictures, OtherFilesAreNamedForWhatTheyBeginWith) {
  const TemporaryFolder folder;
  const auto found = [&](const std::string& bytes) {
    const auto file = write_file(folder / "a.png", bytes);
    const auto error = expect_error<FormatError>([&] { read_image(file); });
    EXPECT_EQ(error.detail().file, file.string());
    EXPECT_TRUE(contains(error.detail().expected, "PNG"));
    return error.detail().found;
  };
  EXPECT_EQ(found(""), "an empty file");
  EXPECT_EQ(found("<!DOCTYPE html><html>"), "\"<!DOCTYPE html><\"");
  EXPECT_EQ(found(std::string("\0\x01\x02", 3)), "\"...\"");
}

/// Cut anywhere, a picture is refused: never read as a shorter or greyer one, never a crash.
class CutPicture : public ::testing::TestWithParam<const char*> {};

TEST_P(CutPicture, IsRefusedWhereverItIsCut) {
  const TemporaryFolder folder;
  write_image(folder / GetParam(), testing::random_tensor({3, 9, 11}, 1).clamp(0, 1));
  const std::string whole = testing::read_file(folder / GetParam());
  for (size_t length = 0; length < whole.size(); length += 1 + whole.size() / 150) {
    const auto file = write_file(folder / "cut", whole.substr(0, length));
    EXPECT_EQ(expect_error<FormatError>([&] { read_image(file); }).detail().file, file.string()) << length << " bytes";
  }
  const auto file = write_file(folder / "cut", whole.substr(0, whole.size() - 1));
  expect_error<FormatError>([&] { read_image(file); });
}

INSTANTIATE_TEST_SUITE_P(EveryFormat, CutPicture,
                         ::testing::Values("a.png", "a.jpg", "a.webp", "a.ppm", "a.pfm", "a.npy"),
                         [](const auto& each) { return std::string(each.param).substr(2); });

TEST(DamagedPictures, FlippedBitsInAPngAreSeen) {
  const TemporaryFolder folder;
  write_image(folder / "a.png", testing::random_tensor({3, 9, 11}, 1).clamp(0, 1));
  const std::string whole = testing::read_file(folder / "a.png");
  for (size_t at = 16; at + 12 < whole.size(); at += 7) {  // behind the first length and name, before the end chunk
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const auto file = write_file(folder / "b.png", bytes);
    expect_error<FormatError>([&] { read_image(file); });
  }
}

TEST(DamagedPictures, NoiseBehindEveryMagicIsRefused) {
  const TemporaryFolder folder;
  const std::string noise(300, '\xa5');
  for (const std::string& magic :
       {std::string("\x89PNG\r\n\x1a\n"), std::string("\xff\xd8\xff\xe0"), std::string("RIFF\x10\0\0\0WEBP", 12),
        std::string("P6\n"), std::string("PF\n"), std::string("\x93NUMPY\x01\0\x20\0", 10)})
    expect_error<FormatError>([&] { read_image(write_file(folder / "a", magic + noise)); });
}

TEST(DamagedPictures, AnImpossiblePngSizeIsRefusedBeforeItIsAllocated) {
  const TemporaryFolder folder;
  write_image(folder / "a.png", at::zeros({3, 2, 2}));
  std::string bytes = testing::read_file(folder / "a.png");
  bytes.replace(16, 8, std::string("\x00\x0f\xff\xff\x00\x0f\xff\xff", 8));
  // The checksum of the header chunk for that size, so that the size itself is what is refused.
  bytes.replace(29, 4, std::string("\x92\xd3\xc3\xda", 4));
  const auto error = expect_error<FormatError>([&] { read_image(write_file(folder / "b.png", bytes)); });
  EXPECT_EQ(error.detail().field, "width x height");
}

}  // namespace
}  // namespace lightswitch
