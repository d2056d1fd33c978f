#include <lightswitch/audio/bitstream.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "audio/bits.hpp"
#include "audio/crc32.hpp"
#include "audio/stream_header.hpp"
#include "nn/files/byte_reader.hpp"
#include "nn/files/mapped_file.hpp"

namespace lightswitch::audio {
namespace {

constexpr uint16_t kVersion = 1;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<int64_t> length_of(uint64_t stored) {
  if (stored == std::numeric_limits<uint64_t>::max()) return std::nullopt;
  return static_cast<int64_t>(std::min<uint64_t>(stored, std::numeric_limits<int64_t>::max()));
}

StreamInfo read_header(std::span<const std::byte> file, const std::string& origin) {
  nn::ByteReader reader(file, origin, "stream header");
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
  const uint32_t expected = crc32(text_of(file.first(kHeaderBytes - kChecksum)));
  if (sum != expected) reader.refuse("damaged header", "CRC-32 " + std::to_string(expected), std::to_string(sum));
  if (flags > 1 || zero != 0 || more_zero != 0) reader.refuse("unknown flags", "none", std::to_string(flags));
  try {
    info.validate();
  } catch (const OptionError& error) {
    throw FormatError("impossible stream",
                      {origin, error.detail().field, error.detail().expected, error.detail().found});
  }
  return info;
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

struct StreamReader::Input {
  explicit Input(const std::filesystem::path& file) : mapping(file), origin(file.string()) {}
  nn::MappedFile mapping;
  std::string origin;
};

StreamReader::~StreamReader() = default;

StreamReader::StreamReader(const std::filesystem::path& file)
    : input_(std::make_unique<Input>(file)), info_(read_header(input_->mapping.bytes(), input_->origin)) {
  check_lengths(info_, input_->origin);
  const int64_t size = static_cast<int64_t>(input_->mapping.bytes().size()) - kHeaderBytes;
  const int64_t full = info_.block_bytes();
  blocks_ = (size + full - 1) / full;
  if (info_.samples) {
    const int64_t frames = (*info_.samples + info_.hop - 1) / info_.hop;
    const int64_t promised = (frames + info_.block_frames - 1) / info_.block_frames;
    const int64_t rest = frames - (promised - 1) * info_.block_frames;
    const int64_t exact =
        promised == 0 ? 0 : (promised - 1) * full + kBlockHeader + payload_bytes(info_, rest) + kChecksum;
    if (size > exact)
      throw FormatError("bytes behind the last block", {input_->origin, "size", std::to_string(exact + kHeaderBytes),
                                                        std::to_string(size + kHeaderBytes)});
    last_frames_ = blocks_ == promised ? rest : info_.block_frames;
    return;
  }
  // Written as it came: the last block, as long as what is left, says how many frames it holds.
  if (blocks_ == 0) {
    info_.samples = 0;
    return;
  }
  last_frames_ = info_.block_frames;
  const int64_t left = size - (blocks_ - 1) * full;
  for (int64_t frames = 1; frames <= info_.block_frames; ++frames)
    if (kBlockHeader + payload_bytes(info_, frames) + kChecksum == left) last_frames_ = frames;
  const StreamBlock last = read(blocks_ - 1);
  if (last.damage.empty()) info_.samples = frames() * info_.hop - last.padding;
}

int64_t StreamReader::frames() const {
  return blocks_ == 0 ? 0 : (blocks_ - 1) * info_.block_frames + last_frames_;
}

int64_t StreamReader::missing_samples() const {
  return info_.samples ? std::max<int64_t>(0, *info_.samples - frames() * info_.hop) : 0;
}

int64_t StreamReader::frames_expected(int64_t block) const {
  return block + 1 == blocks_ ? last_frames_ : info_.block_frames;
}

std::string_view StreamReader::bytes_of(int64_t block) const {
  const auto all = text_of(input_->mapping.bytes());
  return all.substr(kHeaderBytes + block * info_.block_bytes(), info_.block_bytes());
}

StreamBlock StreamReader::read(int64_t block) const {
  if (block < 0 || block >= blocks_)
    throw OptionError("no such block",
                      {input_->origin, "block", "below " + std::to_string(blocks_), std::to_string(block)});
  StreamBlock found;
  found.frames = frames_expected(block);
  const int64_t payload = payload_bytes(info_, found.frames), size = kBlockHeader + payload + kChecksum;
  const std::string_view bytes = bytes_of(block);
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
  if (number_at(0, uint32_t(0)) != payload || number_at(4, uint16_t(0)) != found.frames || padding >= info_.hop)
    return damaged("its sizes are not those of the stream");
  found.padding = padding;
  const int64_t codes = found.frames * info_.channels;
  int64_t place = kBlockHeader;
  if (info_.hints) {
    std::vector<int32_t> bits(codes);
    read_bits(bytes.substr(place), 1, bits);
    for (const int32_t bit : bits) found.hints.push_back(bit != 0 ? Path::heavy : Path::light);
    place += bytes_of_bits(codes, 1);
  }
  found.indices.resize(codes * info_.stages);
  read_bits(bytes.substr(place), info_.bits, found.indices);
  return found;
}

}  // namespace lightswitch::audio
