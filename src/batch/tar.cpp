#include "batch/tar.hpp"

#include <lightswitch/error.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace lightswitch {
namespace {

constexpr int64_t kBlock = 512;

/// Offsets and sizes of the fields that are written or read here.
struct Field {
  size_t offset, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12}, kTime{136, 12},
    kChecksum{148, 8}, kMagic{257, 8};
constexpr size_t kType = 156;

void put(std::string& header, Field field, const std::string& text) {
  header.replace(field.offset, text.size(), text);
}

std::string octal(int64_t value, Field field) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", static_cast<int>(field.size) - 1, static_cast<unsigned long long>(value));
  return text;
}

int64_t checksum(const std::string& header) {
  int64_t sum = 0;
  for (size_t i = 0; i < header.size(); ++i)
    sum += i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size ? ' ' : static_cast<unsigned char>(header[i]);
  return sum;
}

int64_t read_octal(const std::string& header, Field field, const std::string& file) {
  int64_t value = 0;
  bool any = false;
  for (const char c : header.substr(field.offset, field.size)) {
    if (c >= '0' && c <= '7') {
      value = value * 8 + (c - '0');
      any = true;
    } else if (any && (c == '\0' || c == ' ')) {
      break;
    } else if (c != ' ') {
      any = false;
      break;
    }
  }
  if (!any) throw FormatError("damaged tar", {file, "header", "an octal number", "something else"});
  return value;
}

std::string padding(size_t bytes) {
  return std::string((kBlock - bytes % kBlock) % kBlock, '\0');
}

}  // namespace

std::string tar_entry(const std::string& name, const std::string& content, int64_t time) {
  if (name.size() > kName.size)
    throw OptionError("name too long for a tar", {"", name, "at most 100 bytes", std::to_string(name.size())});
  std::string header(kBlock, '\0');
  put(header, kName, name);
  put(header, kMode, "0000644");
  put(header, kOwner, "0000000");
  put(header, kGroup, "0000000");
  put(header, kSize, octal(static_cast<int64_t>(content.size()), kSize));
  put(header, kTime, octal(time, kTime));
  header[kType] = '0';
  put(header, kMagic,
      std::string("ustar\0"
                  "00",
                  8));
  put(header, kChecksum, octal(checksum(header), {0, 7}) + std::string("\0 ", 2));
  return header + content + padding(content.size());
}

std::string tar_end() {
  return std::string(2 * kBlock, '\0');
}

void visit_tar(const std::filesystem::path& file, const std::function<void(const TarMember&)>& visit) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code code;
  const auto total = static_cast<int64_t>(std::filesystem::file_size(file, code));
  if (!stream || code) throw FileError("cannot read", {file.string(), "", "a tar file", std::strerror(errno)});
  const auto damaged = [&](const std::string& found) {
    return FormatError("damaged tar", {file.string(), "", "headers and contents of the sizes that they tell", found});
  };
  int64_t at = 0;
  const auto read = [&](int64_t from, int64_t bytes) {
    std::string content(static_cast<size_t>(bytes), '\0');
    stream.seekg(from);
    if (!stream.read(content.data(), bytes))
      throw FileError("cannot read", {file.string(), "", "", std::strerror(errno)});
    return content;
  };
  for (;;) {
    if (at + kBlock > total) throw damaged("no end");
    const std::string header = read(at, kBlock);
    if (header.find_first_not_of('\0') == std::string::npos) return;
    if (read_octal(header, kChecksum, file.string()) != checksum(header)) throw damaged("another checksum");
    if (header[kType] != '0') throw damaged("an entry that is no regular file");
    const int64_t bytes = read_octal(header, kSize, file.string()), content = at + kBlock;
    if (bytes > total - content) throw damaged("a truncated file");
    const std::string name = header.substr(kName.offset, kName.size);
    visit({name.substr(0, name.find('\0')), bytes, [&read, content, bytes] { return read(content, bytes); }});
    at = content + bytes + static_cast<int64_t>(padding(static_cast<size_t>(bytes)).size());
  }
}

}  // namespace lightswitch
