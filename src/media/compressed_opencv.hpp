#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace lightswitch {

bool looks_like_jpeg(std::string_view bytes);
bool looks_like_webp(std::string_view bytes);

/// JPEG or WebP through OpenCV. @return [3, H, W] float32 in [0, 1]. @throws FormatError (truncated, damaged).
at::Tensor decode_compressed(std::string_view bytes, const std::string& origin);
/// @param pixels [H, W, 3] uint8 RGB, contiguous.  @param extension .jpg, .jpeg or .webp.
std::string encode_compressed(const at::Tensor& pixels, const std::string& extension, int quality);

}  // namespace lightswitch
