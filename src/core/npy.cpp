#include "core/npy.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "core/image_size.hpp"

namespace lightswitch {
namespace {

static_assert(std::endian::native == std::endian::little, "the array is copied as it lies in memory");

constexpr std::string_view magic("\x93NUMPY", 6);
constexpr size_t preamble = 10;  // magic, two version bytes, 16-bit header length

}  // namespace

bool looks_like_npy(std::string_view bytes) {
  return bytes.substr(0, magic.size()) == magic;
}

at::Tensor decode_npy_pixels(std::string_view bytes, const std::string& origin) {
  if (bytes.size() < preamble || bytes[6] != 1)
    throw FormatError("not a NumPy array that can be read",
                      {origin, "version", "1.0", bytes.size() < preamble ? "end of file" : "another"});
  const size_t header_bytes = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  const std::string header(bytes.substr(preamble, header_bytes));
  unsigned height = 0, width = 0;
  int read = 0;
  std::sscanf(header.c_str(), "{'descr': '<f4', 'fortran_order': False, 'shape': (%9u, %9u, 3), }%n", &height, &width,
              &read);
  if (read == 0)
    throw FormatError("not a picture",
                      {origin, "header", "little-endian float32 [H, W, 3] in C order", header.substr(0, 80)});
  check_image_size(width, height, origin);
  at::Tensor pixels = at::empty({height, width, 3}, at::kFloat);
  const std::string_view data = bytes.substr(std::min(preamble + header_bytes, bytes.size()));
  if (data.size() != pixels.nbytes())
    throw FormatError(
        "array has another size than its header says",
        {origin, "data", std::to_string(pixels.nbytes()) + " bytes", std::to_string(data.size()) + " bytes"});
  std::memcpy(pixels.data_ptr(), data.data(), data.size());
  return pixels;
}

std::string encode_npy(const at::Tensor& pixels) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(pixels.size(0)) + ", " +
                       std::to_string(pixels.size(1)) + ", 3), }";
  while ((preamble + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file(magic);
  file += {'\x01', '\x00', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  return file + header + std::string(static_cast<const char*>(pixels.data_ptr()), pixels.nbytes());
}

}  // namespace lightswitch
