#pragma once

#include <lightswitch/routing.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The container .lsc. Little-endian; a header, then blocks of equal size but for the last, so that any second is found
/// by arithmetic. Codes are bits and nothing else: no entropy coder, whose tables would have to agree everywhere.
///
/// Header, 84 bytes: "LSC\x1a", version u16, flags u16 (1: route hints), model's SHA-256 [32], source rate u32, rate
/// u32, channels u16, stages u16, bits of an index u16, samples in a frame u16, frames in a block u16, 0 u16, samples
/// of each channel u64, source samples of each channel u64 (both all ones where the stream was written as it came), 0
/// u32, CRC-32. Block: payload bytes u32, frames u16, samples of its last frame that are padding u16, hints (a bit a
/// frame and channel, to whole bytes), indices (frame, channel, stage; to whole bytes), CRC-32 over the block's number
/// u64 and all of this.
namespace lightswitch::audio {

/// What a stream is. Sizes are those of the codec that it was made with.
struct StreamInfo {
  std::string model;            ///< CodecModel::identity(): 64 lower-case hex digits
  int64_t sample_rate = 16000;  ///< of the codec
  int64_t source_rate = 16000;  ///< of the sound that was encoded
  int64_t channels = 1;
  int64_t stages = 16;
  int64_t bits = 8;  ///< of an index
  int64_t hop = 320;
  int64_t block_frames = 50;
  bool hints = false;                          ///< a Path for each frame, which a player may follow
  std::optional<int64_t> samples = {};         ///< of each channel, at sample_rate; nullopt: not known at the start
  std::optional<int64_t> source_samples = {};  ///< the same at source_rate

  /// Bytes of a block that is full, header and checksum included.
  int64_t block_bytes() const;
  /// Bits a second over all channels, without headers and checksums.
  double bits_per_second() const;
  /// @throws OptionError naming the field.
  void validate() const;
};

/// Some frames, as they follow each other.
struct StreamBlock {
  std::vector<int32_t> indices;  ///< [frame][channel][stage]
  std::vector<Path> hints;       ///< [frame][channel]; empty without hints
  int64_t frames = 0;
  int64_t padding = 0;      ///< samples of the last frame that are no sound
  std::string damage = {};  ///< why it cannot be read; then frames alone is told, and is what the sound lacks
};

/// Writes a stream block by block.
class StreamWriter {
 public:
  /// A temporary name in the same folder until finish(). "-" is standard output: samples are left unknown in the
  /// header.
  /// @throws OptionError for an impossible stream, FileError.
  StreamWriter(const std::filesystem::path& file, const StreamInfo& info);
  ~StreamWriter();
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  /// Frames in order; full blocks are written as they fill.
  /// @param indices frames * channels * stages, below 2^bits. @param hints frames * channels, or empty without hints.
  /// @throws TensorError, FileError.
  void write(std::span<const int32_t> indices, std::span<const Path> hints = {});
  /// Writes what is left, and the header once more with its lengths.
  /// @param samples of each channel at sample_rate; the last frame may be padded by less than a frame.
  /// @throws TensorError when frames written and samples do not agree, FileError.
  void finish(int64_t samples, int64_t source_samples);

 private:
  void flush(int64_t padding);

  StreamInfo info_;
  struct Output;
  std::unique_ptr<Output> output_;
  std::vector<int32_t> indices_;
  std::vector<Path> hints_;
  int64_t blocks_ = 0, frames_ = 0;
};

/// Reads a stream block by block, in any order.
class StreamReader {
 public:
  /// @throws FileError; FormatError for a header that is damaged, sizes that are impossible, or bytes behind the end. A
  /// file that breaks off opens: see missing_samples().
  explicit StreamReader(const std::filesystem::path& file);
  ~StreamReader();
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  /// Lengths as found: those of a stream that did not know them are filled in from its blocks.
  const StreamInfo& info() const { return info_; }
  /// Blocks of which there is anything.
  int64_t blocks() const { return blocks_; }
  /// Frames in them.
  int64_t frames() const;
  /// Samples of each channel that the header promises and the file does not hold.
  int64_t missing_samples() const;
  /// The block that holds a frame.
  int64_t block_of(int64_t frame) const { return frame / info_.block_frames; }
  /// A damaged block comes back with its damage told, and without indices. @throws OptionError for a number beyond
  /// blocks().
  StreamBlock read(int64_t block) const;

 private:
  struct Input;
  std::string_view bytes_of(int64_t block) const;
  int64_t frames_expected(int64_t block) const;

  std::unique_ptr<Input> input_;
  StreamInfo info_;
  int64_t blocks_ = 0, last_frames_ = 0;
};

/// Reads a stream while it comes, from a pipe: each block once, as soon as it is there.
class StreamPipe {
 public:
  /// Waits for the header. @param input stays open. @param name of it, for messages. @throws as StreamReader.
  StreamPipe(std::FILE* input, std::string name);

  /// Lengths are missing where the writer did not know them.
  const StreamInfo& info() const { return info_; }
  /// Waits for the next block; nothing at the end. @throws FormatError for bytes behind the last block.
  std::optional<StreamBlock> next();
  /// At the end: samples of each channel that the header promised and that did not come.
  int64_t missing_samples() const;

 private:
  std::string take(int64_t bytes);

  std::FILE* input_;
  std::string name_;
  StreamInfo info_;
  int64_t blocks_ = 0, frames_ = 0;
};

}  // namespace lightswitch::audio
