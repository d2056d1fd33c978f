#include "audio/stream_parts.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "audio/bits.hpp"
#include "audio/crc32.hpp"
#include "audio/stream_header.hpp"
#include "nn/files/byte_reader.hpp"

namespace lightswitch::audio {
namespace {

constexpr uint16_t kVersion = 1;

std::optional<int64_t> length_of(uint64_t stored) {
  if (stored == std::numeric_limits<uint64_t>::max()) return std::nullopt;
  return static_cast<int64_t>(std::min<uint64_t>(stored, std::numeric_limits<int64_t>::max()));
}

/// Lengths at both rates are of one sound; nobody shall allocate by one that is not.
void check_lengths(const StreamInfo& info, const std::string& origin) {
  if (!info.samples || !info.source_samples) return;
  const double ratio = static_cast<double>(info.source_rate) / static_cast<double>(info.sample_rate);
  const double expected = static_cast<double>(*info.samples) * ratio;
  if (std::abs(static_cast<double>(*info.source_samples) - expected) > 2 + ratio)
    throw FormatError("lengths do not agree",
                      {origin, "source_samples", "about " + std::to_string(std::llround(expected)),
                       std::to_string(*info.source_samples)});
}

}  // namespace

StreamInfo read_header(std::string_view bytes, const std::string& origin) {
  nn::ByteReader reader(std::as_bytes(std::span(bytes)), origin, "stream header");
  const auto signature = reader.text(kStreamSignature.size());
  if (signature != kStreamSignature) reader.refuse("not a stream of lightswitch codec", "LSC", "other bytes");
  if (const auto version = reader.number<uint16_t>(); version != kVersion)
    reader.refuse("unsupported version", std::to_string(kVersion), std::to_string(version));
  const auto flags = reader.number<uint16_t>();
  StreamInfo info;
  info.hints = (flags & 1) != 0;
  for (const std::byte byte : reader.take(32))
    for (const int shift : {4, 0}) info.model += "0123456789abcdef"[std::to_integer<int>(byte) >> shift & 15];
  info.source_rate = reader.number<uint32_t>();
  info.sample_rate = reader.number<uint32_t>();
  for (int64_t* number : {&info.channels, &info.stages, &info.bits, &info.hop, &info.block_frames})
    *number = reader.number<uint16_t>();
  const auto zero = reader.number<uint16_t>();
  info.samples = length_of(reader.number<uint64_t>());
  info.source_samples = length_of(reader.number<uint64_t>());
  const auto more_zero = reader.number<uint32_t>();
  const auto sum = reader.number<uint32_t>();
  const uint32_t expected = crc32(bytes.substr(0, kHeaderBytes - kChecksum));
  if (sum != expected) reader.refuse("damaged header", "CRC-32 " + std::to_string(expected), std::to_string(sum));
  if (flags > 1 || zero != 0 || more_zero != 0) reader.refuse("unknown flags", "none", std::to_string(flags));
  try {
    info.validate();
  } catch (const OptionError& error) {
    throw FormatError("impossible stream",
                      {origin, error.detail().field, error.detail().expected, error.detail().found});
  }
  check_lengths(info, origin);
  return info;
}

int64_t frames_in(const StreamInfo& info, int64_t bytes) {
  for (int64_t frames = 1; frames <= info.block_frames; ++frames)
    if (kBlockHeader + payload_bytes(info, frames) + kChecksum == bytes) return frames;
  return info.block_frames;
}

StreamBlock read_block(const StreamInfo& info, std::string_view bytes, int64_t block, int64_t frames) {
  StreamBlock found;
  found.frames = frames;
  const int64_t payload = payload_bytes(info, found.frames), size = kBlockHeader + payload + kChecksum;
  const auto damaged = [&](std::string why) {
    found.damage = std::move(why);
    return found;
  };
  if (static_cast<int64_t>(bytes.size()) < size)
    return damaged("breaks off after " + std::to_string(bytes.size()) + " of " + std::to_string(size) + " bytes");
  const auto number_at = [&]<typename Number>(size_t place, Number number) {
    std::memcpy(&number, bytes.data() + place, sizeof number);
    return number;
  };
  std::string number;
  append_number(number, static_cast<uint64_t>(block));
  if (crc32(bytes.substr(0, size - kChecksum), crc32(number)) != number_at(size - kChecksum, uint32_t(0)))
    return damaged("its checksum differs");
  const int64_t padding = number_at(6, uint16_t(0));
  if (number_at(0, uint32_t(0)) != payload || number_at(4, uint16_t(0)) != found.frames || padding >= info.hop)
    return damaged("its sizes are not those of the stream");
  found.padding = padding;
  const int64_t codes = found.frames * info.channels;
  int64_t place = kBlockHeader;
  if (info.hints) {
    std::vector<int32_t> bits(codes);
    read_bits(bytes.substr(place), 1, bits);
    for (const int32_t bit : bits) found.hints.push_back(bit != 0 ? Path::heavy : Path::light);
    place += bytes_of_bits(codes, 1);
  }
  found.indices.resize(codes * info.stages);
  read_bits(bytes.substr(place), info.bits, found.indices);
  return found;
}

}  // namespace lightswitch::audio
