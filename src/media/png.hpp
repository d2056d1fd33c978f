#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/media/image_io.hpp>

#include <string>
#include <string_view>

namespace lightswitch {

bool looks_like_png(std::string_view bytes);
/// @return [3, H, W] float32 in [0, 1]; transparent pixels laid over white. @throws FormatError.
at::Tensor decode_png(std::string_view bytes, const std::string& origin);
/// tEXt, zTXt and iTXt chunks before and after the pixels. @throws FormatError.
ImageText decode_png_text(std::string_view bytes, const std::string& origin);
/// @param pixels [H, W, 3] uint8, contiguous. Text goes into tEXt chunks where it is ASCII, else into iTXt.
/// @param compression see ImageWriteOptions. @throws OptionError for a keyword that PNG does not allow.
std::string encode_png(const at::Tensor& pixels, const ImageText& text, int compression);

}  // namespace lightswitch
