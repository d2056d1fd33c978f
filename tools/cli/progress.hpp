#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace lightswitch::cli {

enum class ProgressStyle {
  none,   ///< nothing at all
  lines,  ///< a plain line at most once a second and at the end of a stage, for logs
  bar,    ///< one line redrawn in place, for people
};

/// Shows how far a stage is. Used by one thread.
class Progress {
 public:
  Progress(std::ostream& stream, ProgressStyle style) : stream_(stream), style_(style) {}

  /// Draws `done` of `total`; another stage name starts anew. The last one ends the line.
  /// @param remark stands behind the count, in place of the time so far.
  void update(const std::string& stage, int64_t done, int64_t total, const std::string& remark = "");
  /// Moves off a half-drawn bar, so that a message can follow.
  void leave_line();

 private:
  using Clock = std::chrono::steady_clock;

  std::ostream& stream_;
  ProgressStyle style_;
  std::string stage_;
  Clock::time_point begin_, drawn_;
  bool on_bar_ = false;
};

}  // namespace lightswitch::cli
