#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lightswitch {

/// What a clip says about itself before it is read.
struct VideoInfo {
  int64_t width = 0, height = 0;  ///< pixels
  double fps = 0;                 ///< frames per second, above 0
  std::optional<int64_t> frames;  ///< unknown for streams that do not say
};

/// Extensions of clips, in lower case with the dot: .mp4 .m4v .mov .mkv .webm .avi .y4m
const std::vector<std::string>& video_extensions();
/// True when the name ends in one of video_extensions(), in whatever case.
bool is_video_name(const std::filesystem::path& file);

/// A clip that is read from its first frame to its last; memory holds what one read() returns.
class VideoReader {
 public:
  virtual ~VideoReader() = default;
  virtual const VideoInfo& info() const = 0;
  /// The next frames: fewer than `most` at the end, none after it.
  /// @return [T, 3, H, W] float32 RGB in [0, 1].
  /// @throws FormatError for a clip that is damaged or ends before the frames that it announced.
  virtual at::Tensor read(int64_t most) = 0;
};

/// YUV4MPEG2 (.y4m) natively, everything else that FFmpeg reads through OpenCV. An mp4 of create_video() that had to be
/// padded to even sizes has its true size again.
/// @throws FileError, FormatError (not a clip, no frames), UnsupportedError.
std::unique_ptr<VideoReader> open_video(const std::filesystem::path& file);

/// A clip that is written frame by frame under a temporary name. Without finish() or keep_partial() nothing is left.
class VideoWriter {
 public:
  virtual ~VideoWriter() = default;
  /// @param frames [T, 3, H, W] float32, clamped to [0, 1]; every call with the same H and W.
  /// @throws TensorError, FileError.
  virtual void write(const at::Tensor& frames) = 0;
  virtual int64_t frames_written() const = 0;
  /// Renames the file to its name. @throws FileError, OptionError when no frame was written.
  virtual void finish() = 0;
  /// Closes what there is so that it plays, as NAME.partial.EXTENSION. @return that name; empty when no frame was
  /// written. @throws FileError.
  virtual std::filesystem::path keep_partial() = 0;
};

/// .mp4 (H.264 where FFmpeg was built with it, else MPEG-4; lossy; odd sizes padded to even, see open_video()) or .y4m
/// (8 bits, full-resolution colour, at most one level off).
/// @throws OptionError (extension, fps), FileError; UnsupportedError when OpenCV cannot write mp4.
std::unique_ptr<VideoWriter> create_video(const std::filesystem::path& file, double fps);

}  // namespace lightswitch
