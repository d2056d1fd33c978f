#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace lightswitch {

/// Portable any-map pictures in memory: binary PGM (P5) and PPM (P6) with 8 or 16 bits, and PFM (Pf, PF) with floats.
bool looks_like_pnm(std::string_view bytes);
/// @param origin path for error messages.
/// @return [3, H, W] float32; integers divided by their maximum. @throws FormatError.
at::Tensor decode_pnm(std::string_view bytes, const std::string& origin);
/// @param pixels [H, W, 3] uint8, contiguous.
std::string encode_ppm(const at::Tensor& pixels);
/// @param pixels [H, W, 3] float32, contiguous.
std::string encode_pfm(const at::Tensor& pixels);

}  // namespace lightswitch
