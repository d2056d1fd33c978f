#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "nn/int8/rounding.hpp"
#include "nn/layers.hpp"

namespace lightswitch::nn {

/// Whether this LibTorch and this CPU multiply bytes: oneDNN's operations and AVX-512 VNNI.
bool multiplies_int8();

/// A convolution with weights in eight bits, a scale for each output channel, and activations rounded by a calibration;
/// sums are exact. Through oneDNN, as PackedConv. Safe to call from several threads.
class Int8Conv {
 public:
  /// @param weight fp32 [out, in, k, k]. @param bias fp32, may be undefined. @param dtype of results that are not
  /// bytes.
  Int8Conv(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t padding, const Rounding& input,
           at::ScalarType dtype);

  const Rounding& input() const { return input_; }

  /// act(conv(x) + residual). With ReLU, NaN of the residual becomes 0.
  /// @param x bytes, rounded by input(). @param residual undefined, or of the result's shape and dtype; its memory is
  /// used for the result where nobody else sees it.
  at::Tensor operator()(Run& run, const at::Tensor& x, at::Tensor residual, Activation act) const;
  /// act(conv(x)) as bytes for a layer that takes them so. The activation is none or one that fused_name() knows.
  at::Tensor to_bytes(const at::Tensor& x, Activation act, const Rounding& output) const;

  /// What no number of conv(x) exceeds.
  double bound() const { return bound_; }

 private:
  at::Tensor plain(const at::Tensor& x, Activation act, const Rounding& output, at::ScalarType type) const;
  at::Tensor weight_for(at::IntArrayRef input_size) const;

  Rounding input_;
  int64_t stride_, padding_;
  at::ScalarType dtype_;
  at::Tensor bytes_, scales_, zeros_, bias_;
  double bound_ = 0;
  mutable std::mutex mutex_;
  mutable at::Tensor packed_;  // oneDNN chooses its kernel, and with it the order, by the size of the picture
  mutable std::vector<int64_t> packed_for_;
};

}  // namespace lightswitch::nn
