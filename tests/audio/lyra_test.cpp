#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/audio/codec_model.hpp>
#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/error.hpp>

#include "audio/codec_case.hpp"
#include "audio/tflite_bytes.hpp"
#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::contains;
using lightswitch::testing::data_root;
using lightswitch::testing::expect_error;
using lightswitch::testing::read_file;
using lightswitch::testing::TemporaryFolder;
using lightswitch::testing::write_file;
using testing::largest_difference;

std::filesystem::path weights_folder() {
  return data_root() / "models" / "lyra_v1_3";
}

TEST(LyraPackets, FirstStageLiesInTheHighestBits) {
  std::vector<int32_t> indices(16, 0);
  indices[0] = 6;
  indices[1] = 4;
  indices[15] = 9;
  const std::string packet = pack_lyra(indices);
  EXPECT_EQ(packet, std::string("\x64\0\0\0\0\0\0\x09", 8));
  EXPECT_EQ(unpack_lyra(packet), indices);
}

TEST(LyraPackets, EveryRateComesBack) {
  const TemporaryFolder folder;
  for (const auto& [rate, stages, bytes] : {std::tuple{3200, 16, 8}, {6000, 30, 15}, {9200, 46, 23}}) {
    EXPECT_EQ(lyra_stages(rate), stages);
    std::vector<int32_t> indices(3 * stages);
    for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int32_t>(i * 7 % 16);
    const auto file = folder / "a.lyra";
    write_lyra_packets(file, indices, stages);
    EXPECT_EQ(std::filesystem::file_size(file), 3u * bytes);
    const auto read = read_lyra_packets(file, stages);
    EXPECT_EQ(read.indices, indices);
    EXPECT_EQ(read.left_over, 0);
  }
}

TEST(LyraPackets, WhatIsNoPacketIsRefused) {
  const TemporaryFolder folder;
  expect_error<OptionError>([] { lyra_stages(6400); });
  expect_error<OptionError>([] { pack_lyra(std::vector<int32_t>(15)); });
  expect_error<TensorError>([] { pack_lyra(std::vector<int32_t>(16, 16)); });
  expect_error<TensorError>([] { pack_lyra(std::vector<int32_t>(16, -1)); });
  expect_error<FormatError>([] { unpack_lyra("1234567"); });
  expect_error<FormatError>([] { unpack_lyra(""); });
  expect_error<TensorError>([&] { write_lyra_packets(folder / "a", std::vector<int32_t>(17), 16); });
  EXPECT_TRUE(lightswitch::testing::names_in(folder.path()).empty());
  expect_error<FileError>([&] { read_lyra_packets(folder / "none", 16); });
  expect_error<OptionError>([&] { read_lyra_packets(folder / "none", 17); });
}

TEST(LyraPackets, LyrasOwnFilesAreRead) {
  const auto folder = data_root() / "audio" / "lyra_packets";
  LIGHTSWITCH_REQUIRE_DATA(folder);
  const auto two = read_lyra_packets(folder / "two_encoded_packets_16khz.lyra", 16);
  ASSERT_EQ(two.indices.size(), 4u * 16);
  EXPECT_EQ(two.indices[0], 6);
  EXPECT_EQ(two.indices[1], 4);
  EXPECT_EQ(two.indices[2], 0);
  EXPECT_EQ(read_lyra_packets(folder / "no_encoded_packet.lyra", 46).indices.size(), 0u);
  const auto rest = read_lyra_packets(folder / "incomplete_encoded_packet.lyra", 30);
  EXPECT_EQ(rest.indices.size(), 0u);
  EXPECT_EQ(rest.left_over, 9);
}

TEST(Lyra, OtherNetworksAreRefused) {
  const TemporaryFolder folder;
  for (const char* name : {"soundstream_encoder.tflite", "lyragan.tflite", "quantizer.tflite"})
    write_file(folder / name, testing::small_tflite());
  const auto refused = expect_error<FormatError>([&] { CodecModel::open(folder.path()); });
  EXPECT_TRUE(contains(refused.what(), "soundstream_encoder.tflite"));
}

TEST(Lyra, WeightsBecomeACodec) {
  LIGHTSWITCH_REQUIRE_DATA(weights_folder());
  const auto model = CodecModel::open(weights_folder());
  EXPECT_EQ(model.sample_rate(), 16000);
  EXPECT_EQ(model.hop(), 320);
  EXPECT_EQ(model.quantizer().stages(), 46);
  EXPECT_EQ(model.quantizer().entries(), 16);
  EXPECT_EQ(model.heavy().parameters(), 660289);
  EXPECT_EQ(model.encoder().parameters(), 660352);
  EXPECT_DOUBLE_EQ(model.bits_per_second(46), 9200);
  EXPECT_EQ(model.identity().size(), 64u);
  EXPECT_FALSE(model.light() || model.gate());
  // Stored as a model of ours, it is the same codec.
  const TemporaryFolder folder;
  const auto weights = open_lyra(weights_folder());
  std::map<std::string, at::Tensor> tensors;
  for (const TensorInfo& info : weights->tensors()) tensors[info.name] = weights->read(info.name);
  save_safetensors(folder / "lyra.safetensors", tensors, weights->metadata());
  const auto stored = CodecModel::open(folder / "lyra.safetensors");
  const auto embedding = testing::noise(64);
  std::vector<float> found(320), expected(320);
  auto one = stored.heavy().start(), other = model.heavy().start();
  stored.heavy().decode(embedding, one, found);
  model.heavy().decode(embedding, other, expected);
  EXPECT_EQ(largest_difference(found, expected), 0);
}

}  // namespace
}  // namespace lightswitch::audio
