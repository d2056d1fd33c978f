#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

namespace lightswitch {

/// Lines of a file or a pipe, whoever writes it in whatever pieces.
class LineReader {
 public:
  struct Line {
    int64_t number = 0;     ///< from 1
    std::string text;       ///< without its end
    bool too_long = false;  ///< more than 1 MiB: the text is cut
  };

  /// @throws FileError.
  explicit LineReader(const std::filesystem::path& file);
  /// Reads from a descriptor that belongs to the caller.
  LineReader(int descriptor, std::string name);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// Waits for the next line that is not blank. Nothing at the end, or when a stop is requested. @throws FileError.
  std::optional<Line> next(const std::stop_token& stop = {});
  /// Whether next() has something to read at once, be it the end.
  bool ready() const;
  const std::string& name() const { return name_; }

 private:
  bool fill(const std::stop_token& stop);
  bool readable(int milliseconds) const;

  int descriptor_;
  bool owned_;
  std::string name_, unread_;
  size_t begin_ = 0;  ///< of the next line in `unread_`
  int64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace lightswitch
