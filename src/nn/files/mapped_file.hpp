#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace lightswitch::nn {

/// A whole file mapped read-only into memory for as long as the object lives.
class MappedFile {
 public:
  /// @throws FileError when the file cannot be opened or is not a regular file.
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// Lets go of the memory behind a part of bytes(), which is read from the file again when it is next looked at. Pages
  /// that the part shares with others stay.
  void release(std::span<const std::byte> part) const noexcept;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace lightswitch::nn
