#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace lightswitch::contact_sheet {

/// Dark text on white, broken at spaces to fit. The font knows ASCII alone; other characters become '?'.
/// @return [3, H, width] float32; H grows with the lines, 0 for empty text.
at::Tensor draw_label(const std::string& text, int64_t width);

}  // namespace lightswitch::contact_sheet
