#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/media/video_io.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// Where pictures go as they are made: each into a file of its own, or all into one video file.
class FrameTarget {
 public:
  virtual ~FrameTarget() = default;
  /// The next ones, [T, 3, H, W] float32 in [0, 1].
  virtual void write(const at::Tensor& frames) = 0;
  /// After the last.
  virtual void finish() = 0;
  /// After a failure or a stop: keeps what can be looked at, and says how much that is.
  virtual void abandon() = 0;
  /// Files that are finished.
  virtual const std::vector<std::string>& outputs() const = 0;
};

/// @param metadata text for a PNG, asked for when it is written; null for none.
std::unique_ptr<FrameTarget> picture_target(std::vector<std::filesystem::path> names,
                                            std::function<ImageText()> metadata, Session& session);
/// @param frames how many there will be, for messages. @throws as create_video().
std::unique_ptr<FrameTarget> video_target(const std::filesystem::path& file, double fps, int64_t frames,
                                          Session& session);

/// What the command line alone shows about -o. @throws UsageError, FileError (folder).
void check_video_target(const std::filesystem::path& file);

}  // namespace lightswitch::cli
