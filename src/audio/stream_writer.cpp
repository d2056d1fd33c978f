#include <lightswitch/audio/bitstream.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

#include "audio/bits.hpp"
#include "audio/crc32.hpp"
#include "audio/stream_header.hpp"
#include "core/atomic_file.hpp"

namespace lightswitch::audio {
namespace {

constexpr uint16_t kVersion = 1;

uint8_t digit(char c) {
  return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10);
}

std::string header_of(const StreamInfo& info) {
  constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
  std::string bytes(kStreamSignature);
  append_number(bytes, kVersion);
  append_number(bytes, static_cast<uint16_t>(info.hints));
  for (size_t i = 0; i < info.model.size(); i += 2)
    bytes += static_cast<char>(digit(info.model[i]) << 4 | digit(info.model[i + 1]));
  append_number(bytes, static_cast<uint32_t>(info.source_rate));
  append_number(bytes, static_cast<uint32_t>(info.sample_rate));
  for (const int64_t number : {info.channels, info.stages, info.bits, info.hop, info.block_frames, int64_t(0)})
    append_number(bytes, static_cast<uint16_t>(number));
  append_number(bytes, info.samples ? static_cast<uint64_t>(*info.samples) : kUnknown);
  append_number(bytes, info.source_samples ? static_cast<uint64_t>(*info.source_samples) : kUnknown);
  append_number(bytes, uint32_t(0));
  append_number(bytes, crc32(bytes));
  return bytes;
}

}  // namespace

struct StreamWriter::Output {
  std::optional<PendingFile> pending;  ///< none for standard output
  std::FILE* stream = nullptr;
  std::string name;

  ~Output() {
    if (pending && stream != nullptr) std::fclose(stream);
  }
  void check(bool sound) const {
    if (!sound) throw FileError("cannot write", {name, "", "", std::strerror(errno)});
  }
  void write(std::string_view bytes) { check(std::fwrite(bytes.data(), 1, bytes.size(), stream) == bytes.size()); }
};

StreamWriter::StreamWriter(const std::filesystem::path& file, const StreamInfo& info)
    : info_(info), output_(std::make_unique<Output>()) {
  info_.samples = info_.source_samples = std::nullopt;
  info_.validate();
  if (file == "-") {
    output_->name = "standard output";
    output_->stream = stdout;
  } else {
    output_->name = file.string();
    output_->pending.emplace(file);
    output_->stream = std::fopen(output_->pending->temporary().c_str(), "wb");
    output_->check(output_->stream != nullptr);
  }
  output_->write(header_of(info_));
}

StreamWriter::~StreamWriter() = default;

void StreamWriter::write(std::span<const int32_t> indices, std::span<const Path> hints) {
  const int64_t per_frame = info_.channels * info_.stages, count = static_cast<int64_t>(indices.size());
  const int64_t frames = count / per_frame;
  if (count != frames * per_frame)
    throw TensorError("no whole frames",
                      {output_->name, "indices", "a multiple of " + std::to_string(per_frame), std::to_string(count)});
  if (static_cast<int64_t>(hints.size()) != (info_.hints ? frames * info_.channels : 0))
    throw TensorError("hints of other frames",
                      {output_->name, "hints", std::to_string(info_.hints ? frames * info_.channels : 0),
                       std::to_string(hints.size())});
  for (const int32_t index : indices)
    if (index < 0 || index >> info_.bits != 0)
      throw TensorError("no such entry",
                        {output_->name, "indices", "below 2^" + std::to_string(info_.bits), std::to_string(index)});
  for (int64_t frame = 0; frame < frames; ++frame) {
    // The last block says how much of it is padding, so that a full one waits for the frame that follows it.
    if (static_cast<int64_t>(indices_.size()) == info_.block_frames * per_frame) flush(0);
    const auto codes = indices.subspan(frame * per_frame, per_frame);
    indices_.insert(indices_.end(), codes.begin(), codes.end());
    if (info_.hints) {
      const auto paths = hints.subspan(frame * info_.channels, info_.channels);
      hints_.insert(hints_.end(), paths.begin(), paths.end());
    }
    ++frames_;
  }
}

void StreamWriter::flush(int64_t padding) {
  const int64_t frames = static_cast<int64_t>(indices_.size()) / (info_.channels * info_.stages);
  std::string bytes;
  append_number(bytes, static_cast<uint32_t>(payload_bytes(info_, frames)));
  append_number(bytes, static_cast<uint16_t>(frames));
  append_number(bytes, static_cast<uint16_t>(padding));
  if (info_.hints) {
    std::vector<int32_t> bits;
    for (const Path path : hints_) bits.push_back(path == Path::heavy);
    append_bits(bytes, bits, 1);
  }
  append_bits(bytes, indices_, info_.bits);
  std::string number;
  append_number(number, static_cast<uint64_t>(blocks_++));
  append_number(bytes, crc32(bytes, crc32(number)));
  output_->write(bytes);
  if (!output_->pending) output_->check(std::fflush(output_->stream) == 0);
  indices_.clear();
  hints_.clear();
}

void StreamWriter::finish(int64_t samples, int64_t source_samples) {
  const int64_t padding = frames_ * info_.hop - samples;
  if (samples < 0 || source_samples < 0 || padding < 0 || padding >= info_.hop + (frames_ == 0))
    throw TensorError(
        "frames and samples do not agree",
        {output_->name, "samples", "at most " + std::to_string(frames_ * info_.hop) + ", by less than a frame",
         std::to_string(samples)});
  if (!indices_.empty()) flush(padding);
  info_.samples = samples;
  info_.source_samples = source_samples;
  info_.validate();
  if (!output_->pending) {
    output_->check(std::fflush(output_->stream) == 0);
    return;
  }
  output_->check(std::fseek(output_->stream, 0, SEEK_SET) == 0);
  output_->write(header_of(info_));
  std::FILE* const stream = output_->stream;
  output_->stream = nullptr;
  output_->check(std::fclose(stream) == 0);
  output_->pending->rename_to(output_->pending->target());
}

}  // namespace lightswitch::audio
