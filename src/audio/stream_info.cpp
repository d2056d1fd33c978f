#include <lightswitch/audio/bitstream.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "audio/bits.hpp"
#include "audio/stream_header.hpp"

namespace lightswitch::audio {
namespace {

constexpr int64_t kMost16 = 65535, kMostRate = 1 << 20, kMostChannels = 64, kMostStages = 1024, kMostBits = 16;
/// So that nothing that is computed from it overflows.
constexpr int64_t kMostSamples = int64_t(1) << 48;

void require(const char* field, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most)
    throw OptionError("impossible stream",
                      {"", field, std::to_string(least) + " … " + std::to_string(most), std::to_string(value)});
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

int64_t payload_bytes(const StreamInfo& info, int64_t frames) {
  const int64_t codes = frames * info.channels;
  return (info.hints ? bytes_of_bits(codes, 1) : 0) + bytes_of_bits(codes * info.stages, info.bits);
}

int64_t StreamInfo::block_bytes() const {
  return kBlockHeader + payload_bytes(*this, block_frames) + kChecksum;
}

double StreamInfo::bits_per_second() const {
  return static_cast<double>(channels * stages * bits) * static_cast<double>(sample_rate) / static_cast<double>(hop);
}

void StreamInfo::validate() const {
  if (model.size() != 64 || !std::ranges::all_of(model, is_hex))
    throw OptionError("impossible stream",
                      {"", "model", "64 lower-case hex digits", "\"" + model.substr(0, 100) + "\""});
  require("sample_rate", sample_rate, 1, kMostRate);
  require("source_rate", source_rate, 1, kMostRate);
  require("channels", channels, 1, kMostChannels);
  require("stages", stages, 1, kMostStages);
  require("bits", bits, 1, kMostBits);
  require("hop", hop, 1, kMost16);
  require("block_frames", block_frames, 1, 1024);
  require("samples", samples.value_or(0), 0, kMostSamples);
  require("source_samples", source_samples.value_or(0), 0, kMostSamples);
}

}  // namespace lightswitch::audio
