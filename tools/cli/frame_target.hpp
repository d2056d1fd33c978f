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

/// What -o asks for: a video file, a pattern of picture files, or a folder for them.
struct FrameRequest {
  std::string output;
  int64_t frames = 0;                   ///< how many there will be
  std::function<double()> fps;          ///< asked for a video file alone
  std::function<ImageText()> metadata;  ///< text for a PNG, asked for when it is written; null for none
};
/// @throws as create_video().
std::unique_ptr<FrameTarget> open_frame_target(const FrameRequest& request, Session& session);

/// What the command line alone shows about -o. @throws UsageError, FileError (folder).
void check_frame_target(const std::string& output);

}  // namespace lightswitch::cli
