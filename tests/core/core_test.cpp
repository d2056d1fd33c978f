#include <gtest/gtest.h>
#include <lightswitch/noise.hpp>
#include <lightswitch/timings.hpp>

#include <fstream>
#include <sstream>

#include "core/atomic_file.hpp"
#include "core/nearest_word.hpp"
#include "core/sha256.hpp"
#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

std::string content(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

size_t files_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

TEST(Error, SaysFileFieldExpectedAndFound) {
  EXPECT_STREQ(Error("bad", {"f.json", "key", "a number", "x"}).what(), "f.json: key: bad: expected a number, found x");
  EXPECT_STREQ(Error("bad", {"f.json", "", "", "x"}).what(), "f.json: bad: found x");
  EXPECT_STREQ(Error("bad").what(), "bad");
}

// FIPS 180-4's own examples, and lengths around the block size.
TEST(Sha256, EqualsThePublishedExamples) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256(std::string(55, 'a')), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(sha256(std::string(64, 'a')), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

TEST(Sha256, FilesAndMemoryAgree) {
  const TemporaryFolder folder;
  const std::string bytes(200001, '\7');
  std::ofstream(folder / "x", std::ios::binary) << bytes;
  EXPECT_EQ(sha256_file(folder / "x"), sha256(bytes));
  expect_error<FileError>([&] { sha256_file(folder / "absent"); });
}

TEST(AtomicFile, ReplacesWholeAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  const auto target = folder / "out.txt";
  write_stream_atomically(target, [](std::ostream& stream) { stream << "old"; });
  expect_error<Error>([&] {
    write_stream_atomically(target, [](std::ostream& stream) {
      stream << "half";
      throw Error("stopped in the middle");
    });
  });
  EXPECT_EQ(content(target), "old");
  write_stream_atomically(target, [](std::ostream& stream) { stream << "new"; });
  EXPECT_EQ(content(target), "new");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, RefusesMissingFoldersFoldersAndFailedStreams) {
  const TemporaryFolder folder;
  const auto nothing = [](std::ostream&) {};
  EXPECT_EQ(expect_error<FileError>([&] { write_stream_atomically(folder / "no/such/x", nothing); }).detail().file,
            (folder / "no/such/x").string());
  expect_error<FileError>([&] { write_stream_atomically(folder.path(), nothing); });
  expect_error<FileError>(
      [&] { write_stream_atomically(folder / "x", [](std::ostream& stream) { stream.setstate(std::ios::failbit); }); });
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(NearestWord, FindsTyposAndNothingFarAway) {
  EXPECT_EQ(nearest_word("dtyp", {"family", "dtype", "range"}), "dtype");
  EXPECT_EQ(nearest_word("rnage", {"family", "dtype", "range"}), "range");
  EXPECT_EQ(nearest_word("xyzzy", {"family", "dtype", "range"}), "");
}

// torch.randn(3, generator=torch.Generator("cpu").manual_seed(42)) and 20 numbers from seed 7: below and above the
// length where PyTorch changes its way of drawing.
TEST(Noise, EqualsTorchGenerator) {
  EXPECT_TRUE(close(NoiseSource(42, 1).draw({3})[0],
                    at::tensor({0.33669036626815796, 0.12880940735340118, 0.23446236550807953}), 1e-7));
  const auto long_draw = NoiseSource(7, 1).draw({20})[0];
  EXPECT_NEAR(long_draw[0].item<double>(), -0.8201345205307007, 1e-6);
  EXPECT_NEAR(long_draw[19].item<double>(), -0.35672253370285034, 1e-6);
}

TEST(Noise, PictureIOwnsSeedPlusI) {
  NoiseSource batch(10, 3);
  const auto first = batch.draw({4, 8, 8}), second = batch.draw({4, 8, 8});
  for (int64_t i = 0; i < 3; ++i) {
    NoiseSource alone(static_cast<uint64_t>(10 + i), 1);
    EXPECT_TRUE(at::equal(alone.draw({4, 8, 8})[0], first[i]));
    EXPECT_TRUE(at::equal(alone.draw({4, 8, 8})[0], second[i]));
  }
  EXPECT_FALSE(at::equal(first, second));
}

TEST(Timings, AddsRepeatsAndShares) {
  Timings timings;
  timings.add("text", 1);
  timings.add("denoise", 6);
  timings.add("denoise", 2);
  timings.repeat("decode", 3);
  timings.repeat("decode", 1);
  timings.add("encode_file", 100);
  EXPECT_EQ(timings.ms("denoise"), 8);
  EXPECT_EQ(timings.ms("decode"), 1);
  EXPECT_EQ(timings.stages[2].ms_all, (std::vector<double>{3, 1}));
  EXPECT_DOUBLE_EQ(timings.decode_share(), 0.1);
  EXPECT_EQ(Timings().decode_share(), 0);
  EXPECT_GT(peak_resident_bytes(), 1 << 20);
}

}  // namespace
}  // namespace lightswitch
