#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace lightswitch {

/// How the colour of a YUV4MPEG2 frame is stored: full resolution, half as wide, half as wide and high, not at all.
enum class Chroma { full, half_width, half_both, none };

/// The first line of a YUV4MPEG2 stream.
struct Y4mHeader {
  int64_t width = 0, height = 0;
  int64_t rate = 0, rate_scale = 0;  ///< frames per second as a fraction; 0/0 when unknown
  Chroma chroma = Chroma::half_both;
  bool full_range = false;  ///< XCOLORRANGE=FULL: 0 … 255 and not 16 … 235
};

/// Reads a YUV4MPEG2 file of 8 bits frame by frame. Colours are BT.601's, as they are where a stream does not say.
class Y4mReader {
 public:
  /// @throws FileError, FormatError, UnsupportedError (interlaced, more than 8 bits).
  explicit Y4mReader(const std::filesystem::path& file);
  const Y4mHeader& header() const { return header_; }
  /// The next frame, [3, H, W] float32 in [0, 1]; undefined at the end. @throws FormatError.
  at::Tensor read();

 private:
  std::string line(size_t most, const char* field);
  at::Tensor plane(int64_t height, int64_t width);

  std::string name_;
  std::ifstream stream_;
  Y4mHeader header_;
  int64_t frames_ = 0;
};

/// Writes YUV4MPEG2 with 8 bits, full-resolution colour and the full range, which players of ffmpeg's kind understand.
/// A frame that is read back differs by at most one level.
class Y4mWriter {
 public:
  /// @throws FileError.
  Y4mWriter(const std::filesystem::path& file, int64_t width, int64_t height, double frames_per_second);
  /// @param frame [3, H, W] float32; clamped to [0, 1]. @throws FileError when the disk is full.
  void write(const at::Tensor& frame);
  /// @throws FileError.
  void close();

 private:
  void check() const;

  std::string name_;
  std::ofstream stream_;
};

}  // namespace lightswitch
