#pragma once

#include <ATen/core/Tensor.h>

#include "nn/layers.hpp"

namespace lightswitch::nn {

/// First half of the channels times act(second half).
/// @param act relu or silu.
at::Tensor gated(Run& run, const at::Tensor& x, Activation act);

}  // namespace lightswitch::nn
