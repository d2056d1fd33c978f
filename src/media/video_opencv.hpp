#pragma once

#include <lightswitch/media/video_io.hpp>

namespace lightswitch {

/// A clip that FFmpeg reads. @throws FormatError.
std::unique_ptr<VideoReader> open_with_opencv(const std::filesystem::path& file);
/// @throws UnsupportedError, FileError.
std::unique_ptr<VideoWriter> create_with_opencv(const std::filesystem::path& file, double fps);

}  // namespace lightswitch
