#include "nn/files/zip_directory.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>

#include "nn/files/byte_reader.hpp"

namespace lightswitch::nn {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr size_t kEndBytes = 22, kEnd64LocatorBytes = 20, kLongestComment = 0xffff;
constexpr uint16_t kEncryptedFlag = 1, kZip64Extra = 1;
constexpr uint32_t kSeeZip64 = 0xffffffff;

struct Directory {
  uint64_t entries, bytes, offset;
};

class ZipReader {
 public:
  ZipReader(Bytes file, const std::string& origin) : file_(file), origin_(origin) {}

  std::map<std::string, ZipEntry> read() const {
    const Directory directory = find_directory();
    ByteReader reader(slice("directory", directory.offset, directory.bytes), origin_, "zip directory");
    std::map<std::string, ZipEntry> entries;
    for (uint64_t i = 0; i < directory.entries; ++i) {
      auto [name, entry] = read_entry(reader);
      if (!entries.emplace(name, entry).second) refuse("zip entry stands twice", name, "one of that name", "two");
    }
    return entries;
  }

 private:
  [[noreturn]] void refuse(const std::string& message, const std::string& field, const std::string& expected,
                           const std::string& found) const {
    throw FormatError(message, {origin_, field, expected, found});
  }

  Bytes slice(const std::string& field, uint64_t offset, uint64_t count) const {
    if (offset > file_.size() || count > file_.size() - offset)
      refuse("zip archive points outside the file", field, "bytes within 0.." + std::to_string(file_.size()),
             std::to_string(count) + " bytes at " + std::to_string(offset));
    return file_.subspan(offset, count);
  }

  ByteReader reader_at(uint64_t offset, const char* part) const {
    return {slice(part, offset, file_.size() - std::min<uint64_t>(offset, file_.size())), origin_, part};
  }

  /// The end record stands last, behind it only a comment whose length it tells.
  size_t find_end() const {
    const size_t last = file_.size() < kEndBytes ? 0 : file_.size() - kEndBytes + 1;
    for (size_t back = 0; back < std::min(last, kLongestComment + 1); ++back) {
      ByteReader reader = reader_at(last - 1 - back, "zip end record");
      if (reader.number<uint32_t>() != kEnd) continue;
      reader.take(16);
      if (reader.number<uint16_t>() == back) return last - 1 - back;
    }
    refuse("not a sound zip archive", "", "an end-of-directory record", "none (a truncated zip archive?)");
  }

  Directory find_directory() const {
    const size_t end = find_end();
    if (end >= kEnd64LocatorBytes) {
      ByteReader locator = reader_at(end - kEnd64LocatorBytes, "zip64 locator");
      if (locator.number<uint32_t>() == kEnd64Locator) {
        locator.take(4);
        return read_end64(locator.number<uint64_t>());
      }
    }
    ByteReader reader = reader_at(end, "zip end record");
    reader.take(10);
    const auto entries = reader.number<uint16_t>();
    const auto bytes = reader.number<uint32_t>();
    return {entries, bytes, reader.number<uint32_t>()};
  }

  Directory read_end64(uint64_t offset) const {
    ByteReader reader = reader_at(offset, "zip64 end record");
    if (reader.number<uint32_t>() != kEnd64)
      refuse("not a sound zip archive", "zip64 end record", "its signature", "none");
    reader.take(28);
    const auto entries = reader.number<uint64_t>();
    const auto bytes = reader.number<uint64_t>();
    return {entries, bytes, reader.number<uint64_t>()};
  }

  std::pair<std::string, ZipEntry> read_entry(ByteReader& reader) const {
    if (reader.number<uint32_t>() != kCentralHeader)
      reader.refuse("not a sound zip archive", "the signature of an entry", "something else");
    reader.take(4);
    const auto flags = reader.number<uint16_t>();
    auto method = reader.number<uint16_t>();
    reader.take(8);
    uint64_t packed = reader.number<uint32_t>(), size = reader.number<uint32_t>();
    const auto name_length = reader.number<uint16_t>();
    const auto extra_length = reader.number<uint16_t>();
    const auto comment_length = reader.number<uint16_t>();
    reader.take(8);
    uint64_t offset = reader.number<uint32_t>();
    const std::string name(reader.text(name_length));
    read_zip64_extra(ByteReader(reader.take(extra_length), origin_, name), {&size, &packed, &offset});
    reader.take(comment_length);
    if ((flags & kEncryptedFlag) != 0) method = kZipEncrypted;
    if (method == kZipStored && packed != size)
      refuse("zip entry is stored in another size than its own", name, std::to_string(size), std::to_string(packed));
    return {name, {method, slice(name, data_offset(name, offset), packed)}};
  }

  /// Of the three numbers those that did not fit into 32 bits stand in an extra field, in this order.
  static void read_zip64_extra(ByteReader extra, std::initializer_list<uint64_t*> numbers) {
    while (extra.left() >= 4) {
      const auto id = extra.number<uint16_t>();
      const auto length = extra.number<uint16_t>();
      if (id != kZip64Extra) {
        extra.take(length);
        continue;
      }
      for (uint64_t* number : numbers)
        if (*number == kSeeZip64) *number = extra.number<uint64_t>();
      return;
    }
  }

  uint64_t data_offset(const std::string& name, uint64_t offset) const {
    ByteReader local = reader_at(offset, "zip entry's own header");
    if (local.number<uint32_t>() != kLocalHeader)
      refuse("zip directory points to something else than an entry", name, "its signature", "none");
    local.take(22);
    const auto name_length = local.number<uint16_t>();
    const auto extra_length = local.number<uint16_t>();
    const auto own_name = local.text(name_length);
    if (own_name != name)
      refuse("zip entry has two names", name, "the directory's", std::string(own_name.substr(0, 200)));
    local.take(extra_length);
    return offset + local.position();
  }

  Bytes file_;
  const std::string& origin_;
};

}  // namespace

std::map<std::string, ZipEntry> read_zip_directory(std::span<const std::byte> file, const std::string& origin) {
  return ZipReader(file, origin).read();
}

}  // namespace lightswitch::nn
