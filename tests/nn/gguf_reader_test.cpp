#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/weights.hpp>

#include <filesystem>

#include "nn/zip_bytes.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;
using testing::little_endian;
using testing::TemporaryFolder;

const std::filesystem::path kFiles = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures" / "files";

TEST(Gguf, HoldsWhatTheGgufPackageWrote) {
  const auto found = open_weights(kFiles / "tensors.gguf"), expected = open_weights(kFiles / "tensors.safetensors");
  EXPECT_EQ(found->format(), "GGUF");
  EXPECT_EQ(found->metadata().at("general.description"), "a test");
  EXPECT_FALSE(found->metadata().contains("list"));
  size_t absent = 0;
  for (const TensorInfo& info : expected->tensors()) {
    if (info.dtype == at::kBool || info.dtype == at::kByte || info.name == "empty") {
      ++absent;
      continue;
    }
    const at::Tensor tensor = found->read(info.name);
    EXPECT_EQ(tensor.scalar_type(), info.dtype) << info.name;
    EXPECT_TRUE(at::equal(tensor.reshape(info.shape), expected->read(info.name))) << info.name;
    if (info.name != "scalar") {
      EXPECT_EQ(found->find(info.name)->shape, info.shape) << info.name;
    }
  }
  EXPECT_EQ(found->tensors().size() + absent, expected->tensors().size());
}

std::string text(const std::string& value) {
  return little_endian<uint64_t>(value.size()) + value;
}

std::string tensor(const std::string& name, std::initializer_list<int64_t> sizes, uint32_t type, uint64_t offset) {
  std::string bytes = text(name) + little_endian(static_cast<uint32_t>(sizes.size()));
  for (const int64_t size : sizes) bytes += little_endian(size);
  return bytes + little_endian(type) + little_endian(offset);
}

/// A header, padding to 32 bytes and 64 bytes of data.
std::string file_of(uint64_t tensors, uint64_t values, const std::string& rest, uint32_t version = 3) {
  std::string bytes = "GGUF" + little_endian(version) + little_endian(tensors) + little_endian(values) + rest;
  bytes.resize((bytes.size() + 31) / 32 * 32);
  return bytes + std::string(64, '\0');
}

struct Lie {
  const char* name;
  std::string bytes;
  const char* message;

  friend std::ostream& operator<<(std::ostream& out, const Lie& test) { return out << test.name; }
};

class LyingGguf : public ::testing::TestWithParam<Lie> {};

TEST_P(LyingGguf, IsRefused) {
  const TemporaryFolder folder;
  const auto file = testing::write_file(folder / "a.gguf", GetParam().bytes);
  EXPECT_TRUE(contains(expect_error<FormatError>([&] { open_weights(file); }).what(), GetParam().message));
}

const std::string kList = little_endian<uint32_t>(9);

INSTANTIATE_TEST_SUITE_P(
    Lies, LyingGguf,
    ::testing::Values(
        Lie{"truncated", "GGUF", "ends too early"}, Lie{"version_1", file_of(0, 0, "", 1), "2 or 3"},
        Lie{"big_endian", file_of(0, 0, "", 0x03000000), "2 or 3"},
        Lie{"too_many_tensors", file_of(uint64_t(1) << 60, 0, ""), "stands twice"},
        Lie{"name_beyond_the_end", file_of(1, 0, little_endian<uint64_t>(1000)), "ends too early"},
        Lie{"name_of_2_64", file_of(1, 0, little_endian(~uint64_t(0))), "ends too early"},
        Lie{"quantised", file_of(1, 0, tensor("t", {32}, 8, 0)), "GGML type 8"},
        Lie{"outside", file_of(1, 0, tensor("t", {17}, 0, 0)), "outside the file"},
        Lie{"offset_outside", file_of(1, 0, tensor("t", {1}, 0, 1 << 20)), "outside the file"},
        Lie{"offset_of_2_64", file_of(1, 0, tensor("t", {1}, 0, ~uint64_t(0))), "outside the file"},
        Lie{"negative_size", file_of(1, 0, tensor("t", {-4}, 0, 0)), "shape is too large"},
        Lie{"shape_overflows", file_of(1, 0, tensor("t", {int64_t(1) << 40, int64_t(1) << 40}, 0, 0)),
            "shape is too large"},
        Lie{"nine_axes", file_of(1, 0, tensor("t", {1, 1, 1, 1, 1, 1, 1, 1, 1}, 0, 0)), "too many axes"},
        Lie{"name_twice", file_of(2, 0, tensor("t", {1}, 0, 0) + tensor("t", {1}, 0, 32)), "stands twice"},
        Lie{"overlap", file_of(2, 0, tensor("a", {4}, 0, 0) + tensor("b", {4}, 0, 8)), "overlaps"},
        Lie{"alignment_of_0", file_of(0, 1, text("general.alignment") + std::string(8, '\0')), "power of two"},
        Lie{"alignment_of_33",
            file_of(0, 1, text("general.alignment") + little_endian<uint32_t>(4) + little_endian<uint32_t>(33)),
            "power of two"},
        Lie{"unknown_value", file_of(0, 1, text("k") + little_endian<uint32_t>(13)), "unknown type"},
        Lie{"endless_list", file_of(0, 1, text("k") + kList + little_endian<uint32_t>(0) + little_endian(~uint64_t(0))),
            "ends too early"},
        Lie{"deep_list",
            file_of(0, 1,
                    text("k") + kList + kList + little_endian<uint64_t>(1) + kList + little_endian<uint64_t>(1) +
                        kList + little_endian<uint64_t>(1) + kList + little_endian<uint64_t>(1) + kList +
                        little_endian<uint64_t>(1)),
            "nested too deeply"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Gguf, AnotherAlignmentIsHonoured) {
  const TemporaryFolder folder;
  const std::string header =
      text("general.alignment") + little_endian<uint32_t>(4) + little_endian<uint32_t>(8) + tensor("t", {2, 3}, 0, 8);
  std::string bytes =
      "GGUF" + little_endian<uint32_t>(3) + little_endian<uint64_t>(1) + little_endian<uint64_t>(1) + header;
  bytes.resize((bytes.size() + 7) / 8 * 8);
  bytes += std::string(8, '\xff') + std::string(24, '\0');
  const auto weights = open_weights(testing::write_file(folder / "a.gguf", bytes));
  EXPECT_TRUE(at::equal(weights->read("t"), at::zeros({3, 2})));
}

}  // namespace
}  // namespace lightswitch
