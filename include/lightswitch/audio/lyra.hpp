#pragma once

#include <lightswitch/weights.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// Lyra V2 (github.com/google/lyra, Apache-2.0): its trained weights and its packets. Its graphs are a SoundStream of
/// Layout::heavy() at 16 kHz, with 46 quantizers of 16 entries.
namespace lightswitch::audio {

/// Stages of the quantizer at Lyra's bit rates: 3200, 6000 and 9200 bit/s. @throws OptionError for another rate.
int64_t lyra_stages(int64_t bits_per_second);

/// Reads soundstream_encoder.tflite, lyragan.tflite and quantizer.tflite (Lyra 1.3) from a folder as the weights of a
/// codec: tensors encoder.*, heavy.* and quantizer.codebooks, metadata as CodecModel expects it. int8 weights are
/// multiplied out. save_safetensors() makes a model file of it.
/// @throws FileError, FormatError naming the file and what does not fit.
std::shared_ptr<const WeightSource> open_lyra(const std::filesystem::path& folder);

/// A raw .lyra file: packets one after the other, without header, rate or checksum.
struct LyraPackets {
  int64_t stages = 0;            ///< of each packet
  std::vector<int32_t> indices;  ///< frames * stages
  int64_t left_over = 0;         ///< bytes behind the last whole packet
};

/// @param stages which the file does not say: 16, 30 or 46.
/// @throws OptionError for other stages, FileError.
LyraPackets read_lyra_packets(const std::filesystem::path& file, int64_t stages);
/// Temporary name, then rename. @throws OptionError for other stages, TensorError for indices that are no packets,
/// FileError.
void write_lyra_packets(const std::filesystem::path& file, std::span<const int32_t> indices, int64_t stages);

/// One packet: 4 bits a stage, the first stage in the highest bits. @throws as above.
std::string pack_lyra(std::span<const int32_t> indices);
/// @throws FormatError unless the size is that of a packet: 8, 15 or 23 bytes.
std::vector<int32_t> unpack_lyra(std::string_view packet);

}  // namespace lightswitch::audio
