#include <lightswitch/audio/bitstream.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "audio/stream_header.hpp"
#include "audio/stream_parts.hpp"
#include "nn/files/mapped_file.hpp"

namespace lightswitch::audio {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

struct StreamReader::Input {
  explicit Input(const std::filesystem::path& file) : mapping(file), origin(file.string()) {}
  nn::MappedFile mapping;
  std::string origin;
};

StreamReader::~StreamReader() = default;

StreamReader::StreamReader(const std::filesystem::path& file)
    : input_(std::make_unique<Input>(file)), info_(read_header(text_of(input_->mapping.bytes()), input_->origin)) {
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
  last_frames_ = frames_in(info_, size - (blocks_ - 1) * full);
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
  return read_block(info_, bytes_of(block), block, frames_expected(block));
}

}  // namespace lightswitch::audio
