#include "batch/line_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lightswitch {
namespace {

constexpr size_t kLongest = size_t{1} << 20;
constexpr int kStopCheckMs = 100;

}  // namespace

LineReader::LineReader(const std::filesystem::path& file)
    : descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), owned_(true), name_(file.string()) {
  if (descriptor_ < 0) throw FileError("cannot read", {name_, "", "", std::strerror(errno)});
}

LineReader::LineReader(int descriptor, std::string name)
    : descriptor_(descriptor), owned_(false), name_(std::move(name)) {}

LineReader::~LineReader() {
  if (owned_) ::close(descriptor_);
}

bool LineReader::readable(int milliseconds) const {
  pollfd waiting{descriptor_, POLLIN, 0};
  return ::poll(&waiting, 1, milliseconds) > 0;
}

bool LineReader::ready() const {
  return ended_ || unread_.find('\n', begin_) != std::string::npos || readable(0);
}

bool LineReader::fill(const std::stop_token& stop) {
  while (!readable(kStopCheckMs))
    if (stop.stop_requested()) return false;
  std::array<char, 1 << 16> piece;
  const ssize_t count = ::read(descriptor_, piece.data(), piece.size());
  if (count < 0 && errno == EINTR) return true;
  if (count < 0) throw FileError("cannot read", {name_, "", "", std::strerror(errno)});
  if (count == 0) ended_ = true;
  unread_.append(piece.data(), static_cast<size_t>(count));
  return true;
}

std::optional<LineReader::Line> LineReader::next(const std::stop_token& stop) {
  bool too_long = false;
  for (size_t searched = begin_;;) {
    if (stop.stop_requested()) return {};
    const size_t end = unread_.find('\n', searched);
    if (end == std::string::npos && !ended_) {
      unread_.erase(0, std::exchange(begin_, 0));
      if (unread_.size() > kLongest) {  // its end is still looked for, so that the next line is a line
        too_long = true;
        unread_.clear();
      }
      searched = unread_.size();
      if (!fill(stop)) return {};
      continue;
    }
    if (end == std::string::npos && begin_ == unread_.size() && !too_long) return {};
    Line line{++number_, unread_.substr(begin_, end - begin_), too_long};
    begin_ = searched = std::min(end, unread_.size() - 1) + 1;
    if (line.text.size() > kLongest) line = {number_, "", true};
    if (line.too_long || line.text.find_first_not_of(" \t\r") != std::string::npos) return line;
  }
}

}  // namespace lightswitch
