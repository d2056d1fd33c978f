#include "media/compressed_opencv.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "core/image_size.hpp"

namespace lightswitch {
namespace {

uint8_t byte_at(std::string_view bytes, size_t at) {
  return at < bytes.size() ? static_cast<uint8_t>(bytes[at]) : 0;
}

/// libjpeg fills a truncated picture up with grey and calls it a success. Whole files carry an end marker behind the
/// scan.
bool jpeg_is_whole(std::string_view bytes) {
  size_t at = 2;
  while (byte_at(bytes, at) == 0xff &&
         byte_at(bytes, at + 1) != 0xda)  // segments before the first scan: marker, length, payload
    at += 2u + 256u * byte_at(bytes, at + 2) + byte_at(bytes, at + 3);
  return bytes.find("\xff\xd9", at) != std::string_view::npos;
}

bool webp_is_whole(std::string_view bytes) {
  const uint64_t riff_size =
      byte_at(bytes, 4) | byte_at(bytes, 5) << 8 | byte_at(bytes, 6) << 16 | uint64_t{byte_at(bytes, 7)} << 24;
  return bytes.size() >= riff_size + 8;
}

}  // namespace

bool looks_like_jpeg(std::string_view bytes) {
  return bytes.substr(0, 3) == "\xff\xd8\xff";
}
bool looks_like_webp(std::string_view bytes) {
  return bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP";
}

at::Tensor decode_compressed(std::string_view bytes, const std::string& origin) {
  if (!(looks_like_jpeg(bytes) ? jpeg_is_whole(bytes) : webp_is_whole(bytes)))
    throw FormatError("picture is truncated",
                      {origin, "", "an end marker", "end of file at byte " + std::to_string(bytes.size())});
  cv::Mat decoded;
  try {
    const cv::Mat file(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
    decoded = cv::imdecode(file, cv::IMREAD_COLOR);
  } catch (const cv::Exception& error) {
    throw FormatError("damaged picture: " + error.err, {origin, "", "", ""});
  }
  if (decoded.empty()) throw FormatError("damaged picture", {origin, "", "JPEG or WebP", "undecodable data"});
  check_image_size(static_cast<uint64_t>(decoded.cols), static_cast<uint64_t>(decoded.rows), origin);
  const at::Tensor blue_first = at::from_blob(decoded.data, {decoded.rows, decoded.cols, 3}, at::kByte);
  return blue_first.flip(2).permute({2, 0, 1}).to(at::kFloat, false, true, at::MemoryFormat::Contiguous) / 255;
}

std::string encode_compressed(const at::Tensor& pixels, const std::string& extension, int quality) {
  const at::Tensor blue_first = pixels.flip(2).contiguous();
  const cv::Mat picture(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), CV_8UC3,
                        blue_first.data_ptr());
  const int setting = extension == ".webp" ? cv::IMWRITE_WEBP_QUALITY : cv::IMWRITE_JPEG_QUALITY;
  std::vector<uint8_t> encoded;
  try {
    if (!cv::imencode(extension, picture, encoded, {setting, quality})) encoded.clear();
  } catch (const cv::Exception& error) {
    throw UnsupportedError("cannot encode " + extension + ": " + error.err);
  }
  if (encoded.empty()) throw UnsupportedError("cannot encode " + extension);
  return std::string(encoded.begin(), encoded.end());
}

}  // namespace lightswitch
