#pragma once

#include <lightswitch/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lightswitch::audio {

/// The bytes of a flatbuffer; whatever lies outside of them is refused before it is touched.
class FlatBytes {
 public:
  FlatBytes(std::span<const std::byte> bytes, const std::string& origin) : bytes_(bytes), origin_(&origin) {}

  std::span<const std::byte> at(uint64_t position, uint64_t count) const {
    if (position > bytes_.size() || count > bytes_.size() - position)
      refuse("offset outside of the file", std::to_string(bytes_.size()) + " bytes",
             std::to_string(count) + " at " + std::to_string(position));
    return bytes_.subspan(position, count);
  }

  template <typename Number>
  Number number(uint64_t position) const {
    Number value;
    std::memcpy(&value, at(position, sizeof value).data(), sizeof value);
    return value;
  }

  [[noreturn]] void refuse(const std::string& message, const std::string& expected, const std::string& found) const {
    throw FormatError(message, {*origin_, "flatbuffer", expected, found});
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string* origin_;
};

/// A table: numbers and offsets, each of which may be left out.
class FlatTable {
 public:
  FlatTable(FlatBytes bytes, uint64_t position) : bytes_(bytes), position_(position) {
    // What follows a table's start is its distance from the list of its fields, which may lie on either side.
    const int64_t fields = static_cast<int64_t>(position) - bytes.number<int32_t>(position);
    if (fields < 0) bytes.refuse("table without fields", "an offset inside of the file", std::to_string(fields));
    fields_ = static_cast<uint64_t>(fields);
    fields_size_ = bytes.number<uint16_t>(fields_);
    size_ = bytes.number<uint16_t>(fields_ + 2);
    if (fields_size_ < 4 || fields_size_ % 2 != 0)
      bytes.refuse("table with a broken list of fields", "an even size of 4 and more", std::to_string(fields_size_));
    bytes.at(fields_, fields_size_);
    bytes.at(position, size_);
  }

  template <typename Number>
  Number number(int field, Number otherwise) const {
    const auto place = find(field, sizeof(Number));
    return place ? bytes_.number<Number>(*place) : otherwise;
  }

  std::optional<FlatTable> table(int field) const {
    const auto place = find(field, 4);
    return place ? std::optional(FlatTable(bytes_, follow(*place))) : std::nullopt;
  }

  /// Elements of a vector of numbers or a string; empty where it is left out.
  std::span<const std::byte> vector(int field, uint64_t element_size) const {
    const auto place = find(field, 4);
    if (!place) return {};
    const uint64_t start = follow(*place);
    return bytes_.at(start + 4, bytes_.number<uint32_t>(start) * element_size);
  }

  std::string_view text(int field) const {
    const auto bytes = vector(field, 1);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// Calls `take` with every table of a vector of them.
  template <typename Take>
  void tables(int field, const Take& take) const {
    const auto place = find(field, 4);
    if (!place) return;
    const uint64_t start = follow(*place) + 4, count = vector(field, 4).size() / 4;
    for (uint64_t i = 0; i < count; ++i) take(FlatTable(bytes_, follow(start + 4 * i)));
  }

 private:
  uint64_t follow(uint64_t place) const { return place + bytes_.number<uint32_t>(place); }

  std::optional<uint64_t> find(int field, uint64_t size) const {
    const uint64_t entry = 4 + 2 * static_cast<uint64_t>(field);
    if (entry + 2 > fields_size_) return std::nullopt;
    const uint64_t offset = bytes_.number<uint16_t>(fields_ + entry);
    if (offset == 0) return std::nullopt;
    if (offset + size > size_)
      bytes_.refuse("field outside of its table", std::to_string(size_) + " bytes", std::to_string(offset));
    return position_ + offset;
  }

  FlatBytes bytes_;
  uint64_t position_, fields_ = 0, fields_size_ = 0, size_ = 0;
};

}  // namespace lightswitch::audio
