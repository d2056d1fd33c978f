#include "cli/progress.hpp"

#include <algorithm>
#include <cstdio>
#include <ostream>

namespace lightswitch::cli {
namespace {

constexpr int64_t kBarWidth = 28;

std::string seconds(std::chrono::steady_clock::duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(duration).count());
  return text;
}

std::string bar(int64_t done, int64_t total) {
  const auto filled = static_cast<size_t>(done * kBarWidth / total);
  std::string text(filled, '=');
  if (filled < static_cast<size_t>(kBarWidth)) text += '>';
  text.resize(kBarWidth, ' ');
  return "[" + text + "]";
}

}  // namespace

void Progress::update(const std::string& stage, int64_t done, int64_t total, const std::string& remark) {
  if (style_ == ProgressStyle::none || total < 1) return;
  const auto now = Clock::now();
  if (stage != stage_) {
    leave_line();
    stage_ = stage;
    begin_ = drawn_ = now;
  }
  const bool last = done >= total;
  const std::string count = std::to_string(done) + "/" + std::to_string(total);
  if (style_ == ProgressStyle::bar) {
    stream_ << "\r" << stage << " " << bar(std::min(done, total), total) << " " << count << "  "
            << (remark.empty() ? seconds(now - begin_) : remark) << "\033[K" << std::flush;
    on_bar_ = true;
    if (last) leave_line();
  } else if (last || now - drawn_ >= std::chrono::seconds(1)) {
    stream_ << stage << " " << count << (remark.empty() ? "" : "  ") << remark << "\n" << std::flush;
    drawn_ = now;
  }
  if (last) stage_.clear();
}

void Progress::leave_line() {
  if (on_bar_) stream_ << "\n" << std::flush;
  on_bar_ = false;
}

}  // namespace lightswitch::cli
