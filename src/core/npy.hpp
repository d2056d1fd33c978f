#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace lightswitch {

/// NumPy's array file, little-endian float32 in C order.
bool looks_like_npy(std::string_view bytes);
/// @return [H, W, 3] float32 of such an array. @throws FormatError for any other shape, type or order.
at::Tensor decode_npy_pixels(std::string_view bytes, const std::string& origin);
/// @param pixels [H, W, 3] float32, contiguous.
std::string encode_npy(const at::Tensor& pixels);

}  // namespace lightswitch
