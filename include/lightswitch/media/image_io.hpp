#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lightswitch {

/// Free text stored inside a picture file, by keyword. Values are UTF-8; keywords are 1 to 79 Latin-1 characters.
using ImageText = std::map<std::string, std::string>;

/// How write_image() stores a picture.
struct ImageWriteOptions {
  ImageText text;    ///< PNG alone can hold it; off: empty
  int quality = 95;  ///< JPEG and WebP, 1 … 100
  /// PNG, 0 … 9 as zlib counts; the pixels are the same. 1 looks for runs alone, which after PNG's filters finds nearly
  /// all there is: about four times as fast as 6, and hardly larger.
  int compression = 1;
};

/// Extensions that write_image() knows, in lower case with the dot: .png .jpg .jpeg .webp .ppm .pfm .npy
const std::vector<std::string>& image_extensions();
/// True when the name ends in one of image_extensions(), in whatever case.
bool is_image_name(const std::filesystem::path& file);

/// Reads PNG (8 and 16 bit), JPEG (turned as its EXIF orientation says), WebP, PPM, PGM, PFM or NPY. The format is told
/// from the content, never from the name. Grey becomes RGB; transparent pixels are laid over white.
/// @return [3, H, W] float32 RGB, contiguous, in [0, 1] (PFM and NPY: whatever numbers they hold).
/// @throws FileError (cannot be read), FormatError (not a picture, truncated, damaged, no pixels or more than 2^28).
at::Tensor read_image(const std::filesystem::path& file);

/// The text inside a PNG; empty for other pictures. @throws FileError, FormatError.
ImageText read_image_text(const std::filesystem::path& file);

/// Writes the format that the extension names: temporary name in the same folder, then rename. 8-bit formats store
/// floor(x * 255 + 0.5), clamped; PFM and NPY ([H, W, 3]) store the numbers themselves.
/// @param image [3, H, W] float32, any strides.
/// @throws OptionError (unknown extension, quality), UnsupportedError (text in a format that holds none), TensorError,
/// NumericError (NaN or infinity), FileError. The target is then untouched.
void write_image(const std::filesystem::path& file, const at::Tensor& image, const ImageWriteOptions& options = {});

/// The first half of write_image(): the numbers that a file of this extension (".png") stores.
/// @return [H, W, 3] contiguous; uint8, or float32 for PFM and NPY. @throws as write_image().
at::Tensor to_stored_pixels(const at::Tensor& image, const std::string& extension);

/// The second half but for the file: its bytes. No tensor arithmetic, so that many threads may encode at a time without
/// waking LibTorch's own.
/// @param pixels what to_stored_pixels() made for this extension. @throws as write_image().
std::string encode_pixels(const at::Tensor& pixels, const std::string& extension,
                          const ImageWriteOptions& options = {});

/// Antialiased bicubic resampling (as Pillow's), clamped to [0, 1].
/// @param image [3, H, W] float32 in [0, 1].
at::Tensor resize_image(const at::Tensor& image, int64_t height, int64_t width);

/// Scales until the picture covers height x width, then cuts the middle out: the aspect ratio is kept.
at::Tensor resize_to_cover(const at::Tensor& image, int64_t height, int64_t width);

}  // namespace lightswitch
