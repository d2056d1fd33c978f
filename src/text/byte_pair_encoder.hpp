#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lightswitch::text {

/// What two neighbouring tokens become. Merges of lower rank come first.
struct Merge {
  int32_t rank;
  int32_t result;
};

/// Merges by their two tokens.
class MergeTable {
 public:
  void reserve(size_t count) { merges_.reserve(count); }
  size_t size() const { return merges_.size(); }
  /// The new merge ranks behind all others. False when the pair is there already.
  bool add(int32_t left, int32_t right, int32_t result) {
    return merges_.try_emplace(key(left, right), Merge{static_cast<int32_t>(merges_.size()), result}).second;
  }
  /// Null when the two do not merge.
  const Merge* find(int32_t left, int32_t right) const {
    const auto found = merges_.find(key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
  }

 private:
  static uint64_t key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  std::unordered_map<uint64_t, Merge> merges_;
};

/// Ids of the 256 single bytes, and of the same bytes where they end a word.
struct ByteTokens {
  std::array<int32_t, 256> inside;
  std::array<int32_t, 256> last;
};

class BytePairEncoder {
 public:
  BytePairEncoder(const ByteTokens& bytes, MergeTable merges) : bytes_(bytes), merges_(std::move(merges)) {}

  /// Appends one word's tokens: its bytes, merged by ascending rank and from left to right, in O(n log n).
  void encode(std::string_view word, std::vector<int64_t>& ids) const;

 private:
  ByteTokens bytes_;
  MergeTable merges_;
};

}  // namespace lightswitch::text
