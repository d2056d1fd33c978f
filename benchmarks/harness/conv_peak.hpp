#pragma once

#include <lightswitch/tensor_spec.hpp>

namespace lightswitch::bench {

/// The most multiply-adds per second that a 3x3 convolution reaches on this machine in this dtype: the best of several
/// layer shapes over half a second, prepared as the decoders prepare theirs. What "achieved share" is measured against.
double convolution_peak(DType dtype);

}  // namespace lightswitch::bench
