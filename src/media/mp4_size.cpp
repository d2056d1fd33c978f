#include "media/mp4_size.hpp"

#include <lightswitch/error.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

namespace lightswitch {
namespace {

/// Size and kind, the identifier of our box, width and height: big-endian words.
constexpr std::string_view identifier = "lightswitch size";
static_assert(identifier.size() == 16);
constexpr size_t box_size = 8 + 16 + 8;

void put(char* to, uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(value >> (24 - 8 * i));
}

uint32_t get(const char* from) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(from[i]);
  return value;
}

}  // namespace

void append_true_size(const std::filesystem::path& mp4, int64_t width, int64_t height) {
  std::array<char, box_size> box{};
  put(box.data(), box_size);
  std::memcpy(box.data() + 4, "uuid", 4);
  std::memcpy(box.data() + 8, identifier.data(), identifier.size());
  put(box.data() + 24, static_cast<uint32_t>(width));
  put(box.data() + 28, static_cast<uint32_t>(height));
  std::ofstream stream(mp4, std::ios::binary | std::ios::app);
  stream.write(box.data(), box.size());
  stream.close();
  if (!stream) throw FileError("cannot write", {mp4.string(), "", "", std::strerror(errno)});
}

std::optional<std::pair<int64_t, int64_t>> read_true_size(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::array<char, box_size> box{};
  if (!stream.seekg(-static_cast<std::streamoff>(box_size), std::ios::end) || !stream.read(box.data(), box.size()))
    return std::nullopt;
  if (get(box.data()) != box_size || std::string_view(box.data() + 4, 4) != "uuid" ||
      std::string_view(box.data() + 8, 16) != identifier)
    return std::nullopt;
  return std::pair(get(box.data() + 24), get(box.data() + 28));
}

}  // namespace lightswitch
