#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// Sound files (libsndfile) and rates (libsoxr). Target lightswitch::audio_files.
namespace lightswitch::audio {

/// Rate, channels and length of a sound.
struct SoundFormat {
  int64_t sample_rate = 16000;
  int64_t channels = 1;
};

/// Reads a sound in pieces: wav, flac, ogg, aiff and whatever else libsndfile knows.
class SoundReader {
 public:
  /// @param file "-" is standard input. @throws FileError, FormatError.
  explicit SoundReader(const std::filesystem::path& file);
  ~SoundReader();
  SoundReader(const SoundReader&) = delete;
  SoundReader& operator=(const SoundReader&) = delete;

  const SoundFormat& format() const { return format_; }
  /// Samples in each channel; -1 where the file does not say, as a pipe.
  int64_t length() const { return length_; }
  /// @param interleaved room for whole samples of all channels, -1 … 1.
  /// @return samples read of each channel; 0 at the end. @throws FormatError for a file that breaks off.
  int64_t read(std::span<float> interleaved);

 private:
  struct File;
  std::unique_ptr<File> file_;
  std::string name_;
  SoundFormat format_;
  int64_t length_ = 0;
};

/// Writes 16-bit wav or flac, by the name's ending, under a temporary name until finish().
class SoundWriter {
 public:
  /// @param file "-" is standard output: AU, whose header need not know the length. @throws FileError, OptionError for
  /// another ending.
  SoundWriter(const std::filesystem::path& file, const SoundFormat& format);
  ~SoundWriter();
  SoundWriter(const SoundWriter&) = delete;
  SoundWriter& operator=(const SoundWriter&) = delete;

  /// @param interleaved whole samples of all channels; beyond -1 … 1 they are clipped. @throws FileError.
  void write(std::span<const float> interleaved);
  /// Samples of any channel that were clipped so far.
  int64_t clipped() const { return clipped_; }
  /// @throws FileError; without it nothing is left behind.
  void finish();

 private:
  struct File;
  std::unique_ptr<File> file_;
  int64_t channels_, clipped_ = 0;
};

/// Changes the rate of one channel, in pieces; what comes out is as long as what went in, to the sample.
class Resampler {
 public:
  /// Equal rates pass through. @throws UnsupportedError for rates that libsoxr cannot join.
  Resampler(int64_t from, int64_t to);
  ~Resampler();
  Resampler(Resampler&&) noexcept;

  /// Appends what is ready. @param last nothing follows: everything comes out.
  void push(std::span<const float> samples, bool last, std::vector<float>& out);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  int64_t from_, to_, taken_ = 0, given_ = 0;
};

/// A whole sound, its channels averaged into one, at a rate.
/// @throws as SoundReader.
std::vector<float> read_mono(const std::filesystem::path& file, int64_t sample_rate);

}  // namespace lightswitch::audio
