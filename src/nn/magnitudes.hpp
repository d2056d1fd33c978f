#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace lightswitch::nn {

/// Upper bounds on the magnitude of activations, followed from layer to layer through one pass. oneDNN's fused ReLU
/// makes 0 of NaN, so that an overflow before it can end in a finite and wrong picture. A layer whose result cannot
/// exceed a known bound cannot overflow, and nobody has to look at its numbers.
class Magnitudes {
 public:
  /// Results with a bound below this overflow neither fp32 nor bf16, rounding included.
  static constexpr double kSafe = 1e38;

  /// Infinity where nothing is known.
  double bound(const at::Tensor& x) const;
  /// From now on x holds no number beyond `bound`; with infinity or NaN nothing is known of x.
  void note(const at::Tensor& x, double bound);
  /// Looks at every number of x and notes the largest; infinity when there is NaN or infinity.
  void measure(const at::Tensor& x);

 private:
  std::vector<std::pair<c10::weak_intrusive_ptr<c10::StorageImpl>, double>> bounds_;  // a storage's, views included
};

/// The largest |x|, infinity when there is NaN or infinity. x is fp32 or bf16 on the CPU.
double largest_magnitude(const at::Tensor& x);

}  // namespace lightswitch::nn
