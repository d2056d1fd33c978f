#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace lightswitch {

/// Text to token ids.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Number of ids encode() returns, start and end included.
  virtual int64_t max_length() const = 0;
  /// Exactly max_length() ids: start, text (cut when too long), end, padding. Text is UTF-8; malformed bytes become
  /// U+FFFD.
  virtual std::vector<int64_t> encode(std::string_view text) const = 0;
  /// Ids of the text alone: no start, end, padding or cut.
  virtual std::vector<int64_t> tokens(std::string_view text) const = 0;
};

}  // namespace lightswitch
