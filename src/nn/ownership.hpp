#pragma once

#include <ATen/core/Tensor.h>

namespace lightswitch::nn {

/// True when nobody but the caller can see this tensor's numbers, so that a layer may write its result over them. A
/// layer that takes its input by value owns what is moved in, and shares what the caller keeps.
inline bool is_sole_owner(const at::Tensor& x) {
  return x.use_count() == 1 && x.has_storage() && x.storage().use_count() == 1;
}

}  // namespace lightswitch::nn
