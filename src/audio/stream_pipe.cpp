#include <lightswitch/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "audio/stream_header.hpp"
#include "audio/stream_parts.hpp"

namespace lightswitch::audio {

StreamPipe::StreamPipe(std::FILE* input, std::string name)
    : input_(input), name_(std::move(name)), info_(read_header(take(kHeaderBytes), name_)) {}

std::string StreamPipe::take(int64_t bytes) {
  std::string taken;
  // What a header asks for is not allocated before it came.
  constexpr int64_t kPiece = 1 << 16;
  for (int64_t got = 1; got > 0 && bytes > 0; bytes -= got) {
    const size_t before = taken.size();
    taken.resize(before + std::min(bytes, kPiece));
    got = static_cast<int64_t>(std::fread(taken.data() + before, 1, taken.size() - before, input_));
    taken.resize(before + got);
  }
  if (std::ferror(input_) != 0) throw FileError("cannot read", {name_, "", "", std::strerror(errno)});
  return taken;
}

std::optional<StreamBlock> StreamPipe::next() {
  int64_t frames = info_.block_frames, size = info_.block_bytes();
  if (info_.samples) {
    frames = std::min(frames, (*info_.samples + info_.hop - 1) / info_.hop - frames_);
    if (frames == 0) {
      if (!take(1).empty()) throw FormatError("bytes behind the last block", {name_, "size", "the end", "more"});
      return {};
    }
    size = kBlockHeader + payload_bytes(info_, frames) + kChecksum;
  }
  const std::string bytes = take(size);
  if (bytes.empty()) return {};
  if (!info_.samples) frames = frames_in(info_, static_cast<int64_t>(bytes.size()));
  frames_ += frames;
  return read_block(info_, bytes, blocks_++, frames);
}

int64_t StreamPipe::missing_samples() const {
  return info_.samples ? std::max<int64_t>(0, *info_.samples - frames_ * info_.hop) : 0;
}

}  // namespace lightswitch::audio
