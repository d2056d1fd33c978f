#include <gtest/gtest.h>
#include <sys/stat.h>
#include <lightswitch/weights.hpp>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;
using testing::TemporaryFolder;

std::string with_length(uint64_t length, const std::string& rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + rest;
}

std::string safetensors(const std::string& header, size_t data_bytes) {
  return with_length(header.size(), header + std::string(data_bytes, '\0'));
}

FormatError refusal_of(const std::string& bytes) {
  const TemporaryFolder folder;
  const auto file = folder / "model.safetensors";
  std::ofstream(file, std::ios::binary) << bytes;
  const auto error = expect_error<FormatError>([&] { open_weights(file); });
  EXPECT_EQ(error.detail().file, file.string());
  return error;
}

TEST(BadWeightFile, MissingFileAndFolderAreFileErrors) {
  const TemporaryFolder folder;
  const auto missing = expect_error<FileError>([&] { open_weights(folder / "none.safetensors"); });
  EXPECT_EQ(missing.detail().file, (folder / "none.safetensors").string());
  EXPECT_TRUE(contains(missing.what(), "No such file"));
  EXPECT_TRUE(
      contains(expect_error<FileError>([&] { open_weights(folder.path()); }).what(), "no weights in this folder"));
}

TEST(BadWeightFile, ANamedPipeIsRefusedWithoutWaitingForAWriter) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(contains(expect_error<FileError>([&] { open_weights(folder / "pipe"); }).what(), "a special file"));
}

struct Signature {
  const char* name;
  std::string bytes;
  const char* found;

  friend std::ostream& operator<<(std::ostream& out, const Signature& test) { return out << test.name; }
};

class OtherFormat : public ::testing::TestWithParam<Signature> {};

TEST_P(OtherFormat, IsNamed) {
  EXPECT_TRUE(contains(refusal_of(GetParam().bytes).detail().found, GetParam().found));
}

INSTANTIATE_TEST_SUITE_P(
    Signatures, OtherFormat,
    ::testing::Values(
        Signature{"empty", "", "empty"}, Signature{"short", "{}", "JSON"},
        Signature{"seven_bytes", std::string(7, '\0'), "7 bytes (truncated)"},
        Signature{"html", "<!DOCTYPE html>\n<html><head><title>Not found</title>", "HTML"},
        Signature{"html_after_blank_lines", "\r\n\r\n  <HTML lang=en>....", "HTML"},
        Signature{"xml", "<?xml version=\"1.0\"?><Error/>", "XML"},
        Signature{"zip", std::string("PK\x03\x04\0\0\x08\x08\0\0\0\0archive/data.pkl", 28), "zip"},
        Signature{"pickle", std::string("\x80\x02\x8a\nl\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 16), "pickle"},
        Signature{"lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "LFS"},
        Signature{"json", R"({"error": "Repository not found"})", "JSON"},
        Signature{"png", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), "PNG"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(BadWeightFile, HeaderLengthBeyondTheFileIsRefusedWithoutAllocatingIt) {
  for (const uint64_t length : {uint64_t(1) << 60, ~uint64_t(0), uint64_t(100), uint64_t(3)}) {
    const auto error = refusal_of(with_length(length, "{}"));
    EXPECT_TRUE(contains(error.detail().found, std::to_string(length)));
    EXPECT_TRUE(contains(error.detail().expected, "at most 2 bytes"));
  }
}

TEST(BadWeightFile, TruncatedDataIsRefused) {
  const auto error = refusal_of(safetensors(R"({"t":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 15));
  EXPECT_EQ(error.detail().field, "t");
  EXPECT_TRUE(contains(error.detail().expected, "within 0..15"));
  EXPECT_EQ(error.detail().found, "[0,16]");
}

struct Header {
  const char* name;
  const char* text;
  size_t data_bytes;
  const char* field;
  const char* message;

  friend std::ostream& operator<<(std::ostream& out, const Header& test) { return out << test.name; }
};

class LyingHeader : public ::testing::TestWithParam<Header> {};

TEST_P(LyingHeader, IsRefused) {
  const auto error = refusal_of(safetensors(GetParam().text, GetParam().data_bytes));
  EXPECT_EQ(error.detail().field, GetParam().field);
  EXPECT_TRUE(contains(error.what(), GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Headers, LyingHeader,
    ::testing::Values(
        Header{"not_json", R"({"t":{"dtype":)", 0, "", "not valid JSON"},
        Header{"bad_utf8", "{\"\xff\xfe\":{}}", 0, "", "not valid JSON"},
        Header{"trailing_text", R"({} {})", 0, "", "not valid JSON"},
        Header{"entry_is_a_number", R"({"t":3})", 0, "t", "expected an object"},
        Header{"no_dtype", R"({"t":{"shape":[1],"data_offsets":[0,4]}})", 4, "t", "the key dtype"},
        Header{"no_shape", R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", 4, "t", "the key shape"},
        Header{"no_offsets", R"({"t":{"dtype":"F32","shape":[1]}})", 4, "t", "the key data_offsets"},
        Header{"unknown_dtype", R"({"t":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4, "t",
               "unknown dtype"},
        Header{"dtype_is_a_number", R"({"t":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "t", "unknown dtype"},
        Header{"negative_size", R"({"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "t", "whole numbers"},
        Header{"fractional_size", R"({"t":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "t",
               "whole numbers"},
        Header{"shape_is_a_text", R"({"t":{"dtype":"F32","shape":"[1]","data_offsets":[0,4]}})", 4, "t", "a list"},
        Header{"shape_overflows", R"({"t":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}})", 0,
               "t", "too large"},
        Header{"shape_overflows_behind_a_zero",
               R"({"t":{"dtype":"F32","shape":[0,4294967296,4294967296,4],"data_offsets":[0,0]}})", 0, "t",
               "too large"},
        Header{"shape_of_2_63", R"({"t":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,0]}})", 0, "t",
               "too large"},
        Header{"offsets_run_backwards", R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "t",
               "outside the file"},
        Header{"offsets_beyond_2_63",
               R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}})", 4,
               "t", "outside the file"},
        Header{"negative_offsets", R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4, "t",
               "two whole numbers"},
        Header{"three_offsets", R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 8, "t",
               "two whole numbers"},
        Header{"offsets_too_narrow", R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "t", "do not fit"},
        Header{"offsets_too_wide", R"({"t":{"dtype":"F16","shape":[1],"data_offsets":[0,4]}})", 4, "t", "do not fit"},
        Header{
            "overlap",
            R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
            12, "b", "overlaps"},
        Header{
            "twice_the_same_bytes",
            R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
            4, "b", "overlaps"},
        Header{"gap", R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "t", "gap"},
        Header{"bytes_left_over", R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "", "left over"},
        Header{
            "same_tensor_twice",
            R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
            8, "t", "stands twice"},
        Header{"same_key_twice", R"({"t":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}})", 4, "shape",
               "stands twice"},
        Header{"deep_nesting", R"({"t":[[[[[[[[]]]]]]]]})", 0, "", "nested too deeply"},
        Header{"metadata_is_a_list", R"({"__metadata__":[]})", 0, "__metadata__", "an object of texts"},
        Header{"metadata_holds_a_number", R"({"__metadata__":{"step":3}})", 0, "__metadata__.step", "a text"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(BadWeightFile, EqualKeysOfDifferentTensorsAreNoDuplicates) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a", std::ios::binary) << safetensors(
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      8);
  EXPECT_EQ(open_weights(folder / "a")->tensors().size(), 2u);
}

/// Whatever bytes come, the answer is a sound source or a typed error.
TEST(BadWeightFile, FlippedBytesNeverCrash) {
  const std::string sound = safetensors(
      R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[3],"data_offsets":[8,14]}})",
      14);
  const TemporaryFolder folder;
  int refused = 0;
  for (size_t i = 0; i < sound.size(); ++i) {
    for (const char flip : {'\x01', '\x10', '\x80'}) {
      std::string bytes = sound;
      bytes[i] ^= flip;
      std::ofstream(folder / "a", std::ios::binary | std::ios::trunc) << bytes;
      try {
        const auto weights = open_weights(folder / "a");
        for (const TensorInfo& info : weights->tensors()) EXPECT_TRUE(weights->read(info.name).defined());
      } catch (const FormatError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace lightswitch
