#include "core/pnm.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <sstream>

#include "core/image_size.hpp"

namespace lightswitch {
namespace {

/// Walks the header: fields parted by white space, `#` starts a comment, one white-space byte before the pixels.
class Header {
 public:
  Header(std::string_view bytes, const std::string& origin) : bytes_(bytes), origin_(origin), at_(2) {}

  template <typename Number>
  Number number(const char* field) {
    skip_space();
    Number value{};
    const auto [end, code] = std::from_chars(bytes_.data() + at_, bytes_.data() + bytes_.size(), value);
    if (code != std::errc{})
      throw FormatError("damaged picture header",
                        {origin_, field, "a number", "\"" + std::string(bytes_.substr(at_, 8)) + "\""});
    at_ = static_cast<size_t>(end - bytes_.data());
    return value;
  }

  std::string_view pixels(uint64_t needed) const {
    const std::string_view rest = bytes_.substr(std::min(at_ + 1, bytes_.size()));
    if (rest.size() < needed)
      throw FormatError("picture is truncated",
                        {origin_, "pixels", std::to_string(needed) + " bytes", std::to_string(rest.size()) + " bytes"});
    return rest.substr(0, needed);
  }

 private:
  void skip_space() {
    while (at_ < bytes_.size() && (std::isspace(static_cast<unsigned char>(bytes_[at_])) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#') at_ = std::min(bytes_.find('\n', at_), bytes_.size() - 1);
      ++at_;
    }
  }

  std::string_view bytes_;
  const std::string& origin_;
  size_t at_;
};

at::Tensor to_rgb_planes(const at::Tensor& pixels) {
  return pixels.permute({2, 0, 1}).expand({3, -1, -1}).contiguous();
}

at::Tensor decode_floats(Header& header, int64_t channels, const std::string& origin) {
  const auto width = header.number<uint64_t>("width"), height = header.number<uint64_t>("height");
  const double scale = header.number<double>("scale");
  check_image_size(width, height, origin);
  if (scale == 0) throw FormatError("damaged picture header", {origin, "scale", "a number other than 0", "0"});
  const auto bytes = header.pixels(width * height * static_cast<uint64_t>(channels) * 4);
  at::Tensor pixels = at::empty({static_cast<int64_t>(height), static_cast<int64_t>(width), channels}, at::kFloat);
  std::memcpy(pixels.data_ptr(), bytes.data(), bytes.size());
  const bool file_is_little = scale < 0;
  if (file_is_little != (std::endian::native == std::endian::little)) {
    auto* word = static_cast<uint32_t*>(pixels.data_ptr());
    for (int64_t i = 0; i < pixels.numel(); ++i) word[i] = __builtin_bswap32(word[i]);
  }
  return to_rgb_planes(pixels.flip(0));  // PFM stores the bottom row first
}

at::Tensor decode_integers(Header& header, int64_t channels, const std::string& origin) {
  const auto width = header.number<uint64_t>("width"), height = header.number<uint64_t>("height");
  const auto most = header.number<uint64_t>("maximum");
  check_image_size(width, height, origin);
  if (most < 1 || most > 65535)
    throw FormatError("damaged picture header", {origin, "maximum", "1 … 65535", std::to_string(most)});
  const int64_t sample_bytes = most > 255 ? 2 : 1;
  const auto bytes = header.pixels(width * height * static_cast<uint64_t>(channels * sample_bytes));
  at::Tensor stored =
      at::empty({static_cast<int64_t>(height), static_cast<int64_t>(width), channels, sample_bytes}, at::kByte);
  std::memcpy(stored.data_ptr(), bytes.data(), bytes.size());
  at::Tensor samples = stored.select(3, 0).to(at::kFloat);
  if (sample_bytes == 2) samples = samples * 256 + stored.select(3, 1);  // most significant byte first
  return to_rgb_planes(samples / static_cast<double>(most));
}

std::string header_and_pixels(const std::string& header, const at::Tensor& pixels) {
  return header + std::string(static_cast<const char*>(pixels.data_ptr()), pixels.nbytes());
}

std::string size_line(const at::Tensor& pixels) {
  return std::to_string(pixels.size(1)) + " " + std::to_string(pixels.size(0)) + "\n";
}

}  // namespace

bool looks_like_pnm(std::string_view bytes) {
  const std::string_view magic = bytes.substr(0, 2);
  return bytes.size() > 2 && std::isspace(static_cast<unsigned char>(bytes[2])) &&
         (magic == "P5" || magic == "P6" || magic == "Pf" || magic == "PF");
}

at::Tensor decode_pnm(std::string_view bytes, const std::string& origin) {
  Header header(bytes, origin);
  const char letter = bytes[1];
  return letter == 'f' || letter == 'F' ? decode_floats(header, letter == 'F' ? 3 : 1, origin)
                                        : decode_integers(header, letter == '6' ? 3 : 1, origin);
}

std::string encode_ppm(const at::Tensor& pixels) {
  return header_and_pixels("P6\n" + size_line(pixels) + "255\n", pixels);
}

std::string encode_pfm(const at::Tensor& pixels) {
  const char* scale = std::endian::native == std::endian::little ? "-1.0\n" : "1.0\n";
  return header_and_pixels("PF\n" + size_line(pixels) + scale, pixels.flip(0).contiguous());
}

}  // namespace lightswitch
