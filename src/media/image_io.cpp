#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/media/image_io.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/atomic_file.hpp"
#include "core/describe.hpp"
#include "core/nearest_word.hpp"
#include "core/npy.hpp"
#include "core/pnm.hpp"
#include "media/compressed_opencv.hpp"
#include "media/extension.hpp"
#include "media/png.hpp"

namespace lightswitch {
namespace {

std::string read_bytes(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) throw FileError("cannot read", {file.string(), "", "a picture", "a folder"});
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw FileError("cannot read", {file.string(), "", "", std::strerror(errno)});
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  if (stream.bad()) throw FileError("cannot read", {file.string(), "", "", std::strerror(errno)});
  return bytes;
}

/// What a file that is no picture begins with, fit for a message.
std::string opening(std::string_view bytes) {
  if (bytes.empty()) return "an empty file";
  std::string text = "\"";
  for (const char c : bytes.substr(0, 16)) text += c >= ' ' && c < 127 ? c : '.';
  return text + "\"";
}

void check_image(const std::filesystem::path& file, const at::Tensor& image) {
  if (!image.defined() || image.dim() != 3 || image.size(0) != 3 || image.numel() == 0 ||
      image.scalar_type() != at::kFloat) {
    std::string found = "nothing";
    if (image.defined()) {
      found = std::string(c10::toString(image.scalar_type())) + " [";
      for (int64_t d = 0; d < image.dim(); ++d) found += (d ? ", " : "") + std::to_string(image.size(d));
      found += "]";
    }
    throw TensorError("not a picture", {file.string(), "image", "Float [3, H, W]", found});
  }
  if (!at::isfinite(image).all().item<bool>())
    throw NumericError("picture holds NaN or infinity", {file.string(), "image", "finite numbers", "others"});
}

void check_extension(const std::string& extension, const std::string& file) {
  const auto& known = image_extensions();
  if (std::find(known.begin(), known.end(), extension) == known.end())
    throw OptionError("unknown kind of picture", {file, "extension", "one of " + join_words(known), extension});
}

void check_options(const std::string& extension, const ImageWriteOptions& options, const std::string& file) {
  check_extension(extension, file);
  if (!options.text.empty() && extension != ".png")
    throw UnsupportedError("this kind of picture holds no text", {file, "text", ".png", extension});
  if (options.compression < 0 || options.compression > 9)
    throw OptionError("out of range", {file, "compression", "0 … 9", std::to_string(options.compression)});
  if (options.quality < 1 || options.quality > 100)
    throw OptionError("out of range", {file, "quality", "1 … 100", std::to_string(options.quality)});
}

bool stores_floats(const std::string& extension) {
  return extension == ".pfm" || extension == ".npy";
}

at::Tensor stored_pixels(const at::Tensor& image, const std::string& extension) {
  const at::Tensor numbers = image.permute({1, 2, 0}).contiguous();
  return stores_floats(extension) ? numbers : (numbers * 255 + 0.5).floor().clamp(0, 255).to(at::kByte);
}

}  // namespace

const std::vector<std::string>& image_extensions() {
  static const std::vector<std::string> known{".png", ".jpg", ".jpeg", ".webp", ".ppm", ".pfm", ".npy"};
  return known;
}

bool is_image_name(const std::filesystem::path& file) {
  const auto& known = image_extensions();
  return std::find(known.begin(), known.end(), lower_extension(file)) != known.end();
}

at::Tensor read_image(const std::filesystem::path& file) {
  const std::string bytes = read_bytes(file), origin = file.string();
  if (looks_like_png(bytes)) return decode_png(bytes, origin);
  if (looks_like_jpeg(bytes) || looks_like_webp(bytes)) return decode_compressed(bytes, origin);
  if (looks_like_pnm(bytes)) return decode_pnm(bytes, origin);
  if (looks_like_npy(bytes)) return decode_npy_pixels(bytes, origin).permute({2, 0, 1}).contiguous();
  throw FormatError("not a picture", {origin, "", "PNG, JPEG, WebP, PPM, PGM, PFM or NPY", opening(bytes)});
}

ImageText read_image_text(const std::filesystem::path& file) {
  const std::string bytes = read_bytes(file);
  return looks_like_png(bytes) ? decode_png_text(bytes, file.string()) : ImageText{};
}

void write_image(const std::filesystem::path& file, const at::Tensor& image, const ImageWriteOptions& options) {
  const std::string extension = lower_extension(file);
  check_options(extension, options, file.string());
  check_image(file, image);
  const std::string bytes = encode_pixels(stored_pixels(image, extension), extension, options);
  write_stream_atomically(
      file, [&](std::ostream& stream) { stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size())); });
}

at::Tensor to_stored_pixels(const at::Tensor& image, const std::string& extension) {
  check_extension(extension, "");
  check_image("", image);
  return stored_pixels(image, extension);
}

std::string encode_pixels(const at::Tensor& pixels, const std::string& extension, const ImageWriteOptions& options) {
  check_options(extension, options, "");
  const auto type = stores_floats(extension) ? at::kFloat : at::kByte;
  if (!pixels.defined() || pixels.dim() != 3 || pixels.size(2) != 3 || pixels.numel() == 0 || !pixels.is_contiguous() ||
      pixels.scalar_type() != type)
    throw TensorError("unusable pixels", {"", "pixels", c10::str("contiguous [H, W, 3] ", type), describe(pixels)});
  if (extension == ".pfm") return encode_pfm(pixels);
  if (extension == ".npy") return encode_npy(pixels);
  if (extension == ".png") return encode_png(pixels, options.text, options.compression);
  if (extension == ".ppm") return encode_ppm(pixels);
  return encode_compressed(pixels, extension, options.quality);
}

at::Tensor resize_image(const at::Tensor& image, int64_t height, int64_t width) {
  if (image.size(1) == height && image.size(2) == width) return image;
  return at::_upsample_bicubic2d_aa(image.unsqueeze(0), {height, width}, false).squeeze(0).clamp(0, 1);
}

at::Tensor resize_to_cover(const at::Tensor& image, int64_t height, int64_t width) {
  const double scale = std::max(static_cast<double>(height) / static_cast<double>(image.size(1)),
                                static_cast<double>(width) / static_cast<double>(image.size(2)));
  const int64_t covering_height = std::max<int64_t>(height, std::llround(scale * static_cast<double>(image.size(1))));
  const int64_t covering_width = std::max<int64_t>(width, std::llround(scale * static_cast<double>(image.size(2))));
  return resize_image(image, covering_height, covering_width)
      .narrow(1, (covering_height - height) / 2, height)
      .narrow(2, (covering_width - width) / 2, width)
      .contiguous();
}

}  // namespace lightswitch
