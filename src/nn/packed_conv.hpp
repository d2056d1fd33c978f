#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "nn/layers.hpp"

namespace lightswitch::nn {

/// A convolution, or a transposed one, through oneDNN on the CPU: weights lie in the order its kernels want, and bias,
/// residual and activation are added before the result is written. LibTorch has these operations for its compiler,
/// without a C++ header, so they are looked up by name. Safe to call from several threads.
class PackedConv {
 public:
  struct Geometry {
    std::array<int64_t, 2> stride = {1, 1};  // down, across
    int64_t padding = 0;
    bool transposed = false;
  };

  /// Null when this LibTorch or this CPU lacks the operations for such a weight.
  static std::shared_ptr<const PackedConv> make(const at::Tensor& weight, const at::Tensor& bias,
                                                const Geometry& geometry);

  /// act(conv(x) + residual). With ReLU, NaN becomes 0.
  /// @param residual undefined, or of the result's shape; its memory is used for the result where nobody else sees it.
  at::Tensor operator()(Run& run, const at::Tensor& x, at::Tensor residual, Activation act) const;

  /// What no number of conv(x) exceeds when none of x exceeds `input`; infinity or NaN where that cannot be told.
  double bound(double input) const;

 private:
  // oneDNN chooses its kernel, and with it the order of the weights, by the size of the picture.
  struct Packed {
    at::Tensor weight;
    std::vector<int64_t> input_size;  // empty: not packed yet
  };

  PackedConv(const at::Tensor& weight, const at::Tensor& bias, const Geometry& geometry);
  /// The same with four neighbours of a row as channels of one pixel; null where that does not pay.
  static std::shared_ptr<const PackedConv> four_at_once(const at::Tensor& weight, const at::Tensor& bias,
                                                        const Geometry& geometry);
  at::Tensor dense() const;
  at::Tensor weight_for(at::IntArrayRef input_size) const;

  Geometry geometry_;
  at::Tensor bias_;
  at::Tensor original_;                           // of a transposed convolution
  std::shared_ptr<const PackedConv> four_at_once_;  // for rows that it divides
  mutable std::mutex mutex_;
  mutable std::optional<double> gain_;  // the largest sum of weights' magnitudes that makes one output
  mutable double shift_ = 0;            // the largest bias
  size_t kept_;                         // orders of the weights at one time
  mutable std::vector<Packed> packed_;  // the last used first
};

}  // namespace lightswitch::nn
