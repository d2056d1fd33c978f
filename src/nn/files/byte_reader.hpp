#pragma once

#include <lightswitch/error.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace lightswitch::nn {

/// Walks over a file's bytes; whatever would lie behind the end is refused by name before it is touched.
class ByteReader {
  static_assert(std::endian::native == std::endian::little, "every format here holds little-endian numbers");

 public:
  /// @param part what is read, for messages ("the zip directory").
  ByteReader(std::span<const std::byte> bytes, std::string origin, std::string part)
      : bytes_(bytes), origin_(std::move(origin)), part_(std::move(part)) {}

  /// @throws FormatError when fewer bytes are left.
  std::span<const std::byte> take(uint64_t count) {
    if (count > left())
      refuse("ends too early", std::to_string(count) + " more bytes at " + std::to_string(position_),
             std::to_string(left()) + " (truncated, or a size that lies)");
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view text(uint64_t length) {
    const auto taken = take(length);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  size_t left() const { return bytes_.size() - position_; }
  size_t position() const { return position_; }

  /// @throws FormatError always.
  [[noreturn]] void refuse(const std::string& message, const std::string& expected, const std::string& found) const {
    throw FormatError(message, {origin_, part_, expected, found});
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  std::string origin_, part_;
};

}  // namespace lightswitch::nn
