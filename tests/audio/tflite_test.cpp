#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include <functional>

#include "audio/lyra/tflite_file.hpp"
#include "audio/tflite_bytes.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::contains;
using lightswitch::testing::expect_error;
using lightswitch::testing::TemporaryFolder;
using lightswitch::testing::write_file;
using testing::raw_numbers;
using testing::small_tflite;

/// Reads everything that there is to read.
void read_all(const TfliteFile& file) {
  for (const TfliteGraph& graph : file.graphs())
    for (const TfliteTensor& tensor : graph.tensors)
      if (!tensor.data.empty()) file.values(tensor);
}

TEST(Tflite, ConstantsAreMultipliedOut) {
  const TemporaryFolder folder;
  const TfliteFile file(write_file(folder / "a.tflite", small_tflite()));
  ASSERT_EQ(file.graphs().size(), 2u);
  const TfliteGraph& graph = file.graph("main");
  ASSERT_EQ(graph.tensors.size(), 4u);
  EXPECT_TRUE(at::equal(file.values(graph.tensors[1]), at::tensor({0.5F, 1.0F, 4.0F, -10.0F}).reshape({2, 2})));
  EXPECT_TRUE(at::equal(file.values(graph.tensors[2]), at::tensor({2.5F, -1.5F})));
  EXPECT_TRUE(at::equal(file.values(graph.tensors[3]), at::tensor({1.5F, -2.0F, 0.0F})));
  EXPECT_EQ(graph.tensors[3].name, "plain");
  ASSERT_EQ(graph.operators.size(), 2u);
  EXPECT_EQ(graph.operators[1].code, 67);
  EXPECT_EQ(graph.operators[1].inputs, (std::vector<int32_t>{-1, 1, 0, 2}));
  EXPECT_EQ(expect_error<FormatError>([&] { file.graph("encode"); }).detail().expected, "encode");
  expect_error<FormatError>([&] { file.values(graph.tensors[0]); });  // is computed, no constant
}

TEST(Tflite, TruncatedAnywhereIsRefused) {
  const TemporaryFolder folder;
  const std::string sound = small_tflite();
  for (size_t length = 0; length < sound.size(); ++length) {
    const auto file = write_file(folder / "a.tflite", sound.substr(0, length));
    expect_error<FormatError>([&] { read_all(TfliteFile(file)); });
  }
}

// Every fifth: an error that is thrown costs a millisecond where LibTorch is loaded.
TEST(Tflite, FlippedBitsAreRefusedOrRead) {
  const TemporaryFolder folder;
  const std::string sound = small_tflite();
  size_t refused = 0;
  for (size_t bit = 0; bit < sound.size() * 8; bit += 5) {
    std::string bytes = sound;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    const auto file = write_file(folder / "a.tflite", bytes);
    try {
      read_all(TfliteFile(file));
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, sound.size() / 5);
}

TEST(Tflite, LiesAreNamed) {
  const TemporaryFolder folder;
  using testing::SmallGraph;
  const auto refusal = [&](const std::vector<SmallGraph>& graphs) {
    const auto file = write_file(folder / "a.tflite", testing::tflite_bytes(graphs));
    return std::string(expect_error<FormatError>([&] { read_all(TfliteFile(file)); }).what());
  };
  const auto one = [&](testing::SmallTensor tensor) { return refusal({{"main", {std::move(tensor)}, {}}}); };
  EXPECT_TRUE(contains(one({"t", {2}, 0, "12345"}), "8 bytes"));
  EXPECT_TRUE(contains(one({"t", {-2}, 0, "1234"}), "sizes above 0"));
  EXPECT_TRUE(contains(one({"t", {0}, 0, "1234"}), "sizes above 0"));
  EXPECT_TRUE(contains(one({"t", {1 << 30, 1 << 30, 1 << 30}, 0, "1234"}), "sizes above 0"));
  EXPECT_TRUE(contains(one({"t", std::vector<int32_t>(9, 1), 0, "1234"}), "too many axes"));
  EXPECT_TRUE(contains(one({"t", {2}, 1, "1234"}), "type 1"));
  EXPECT_TRUE(contains(one({"t", {2}, 9, "12"}), "0 scales"));
  EXPECT_TRUE(contains(one({"t", {2}, 9, "12", {1, 2, 3}, {0, 0, 0}, 0}), "3 scales"));
  EXPECT_TRUE(contains(one({"t", {2}, 9, "12", {1, 2}, {0}, 0}), "1 zero points"));
  EXPECT_TRUE(contains(one({"t", {2}, 9, "12", {1, 2}, {0, 0}, -1}), "scales that do not fit"));
  EXPECT_TRUE(contains(one({"t", {1}, 9, "1", {INFINITY}, {0}, 0}), "not finite"));
  EXPECT_TRUE(contains(one({"t", {1}, 0, raw_numbers<float>({NAN})}), "not finite"));
  EXPECT_TRUE(contains(refusal({{"main", {}, {{3, {0}}}}}), "no such tensor"));
  const auto other = write_file(folder / "b.tflite", "{\"weight_map\":{}}");
  EXPECT_TRUE(contains(expect_error<FormatError>([&] { TfliteFile{other}; }).what(), "not a TensorFlow Lite model"));
  std::string version = small_tflite();
  version[version.find(raw_numbers<uint32_t>({3}), 8)] = 2;
  EXPECT_TRUE(
      contains(expect_error<FormatError>([&] { TfliteFile{write_file(folder / "c", version)}; }).what(), "version"));
}

}  // namespace
}  // namespace lightswitch::audio
