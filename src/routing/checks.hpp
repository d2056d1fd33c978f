#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace lightswitch {

/// round(share * samples). @throws OptionError naming the option unless share lies in 0 … 1.
int64_t heavy_samples(double share, size_t samples, const char* option);

/// Shape and dtype, for messages; an undefined tensor too.
std::string shape_text(const at::Tensor& tensor);

}  // namespace lightswitch
