#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/StringUtil.h>

#include <string>

namespace lightswitch {

/// Shape and dtype, for messages; an undefined tensor too.
inline std::string describe(const at::Tensor& tensor) {
  return tensor.defined() ? c10::str(tensor.sizes(), " ", tensor.scalar_type()) : "an undefined tensor";
}

}  // namespace lightswitch
