#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "audio/kernels.hpp"

namespace lightswitch::audio {

/// A causal convolution over rows of channels, [time][channel]. Transposed ones are told the same way: as many rows of
/// outputs for one row of inputs, each looking back over some rows. So every layer's state is the last rows that it
/// was given, and nothing else.
class Convolution {
 public:
  /// nn.Conv1d: weight [out, in / groups, kernel] with kernel >= stride, bias [out].
  static Convolution plain(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t dilation,
                           int64_t groups);
  /// nn.ConvTranspose1d, its last kernel - stride outputs left for the rows to come: weight [in, out / groups, kernel]
  /// with kernel >= stride, bias [out].
  static Convolution transposed(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t groups);

  /// @param rows history() rows of the past, then rows_in(steps) new ones.
  /// @param out rows_out(steps) rows.
  void run(const float* rows, int64_t steps, float* out, Finish finish) const;

  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  /// Rows before the first new one that it looks at.
  int64_t history() const { return history_; }
  int64_t rows_in(int64_t steps) const { return steps * down_; }
  int64_t rows_out(int64_t steps) const { return steps * up_; }
  int64_t rows_down() const { return down_; }
  int64_t rows_up() const { return up_; }
  int64_t macs_per_step() const { return macs_; }
  int64_t parameters() const { return parameters_; }

 private:
  /// Columns of outputs that look at the same inputs and lie side by side.
  struct Part {
    int64_t input, output;  // first channel, first column
    Floats weights, bias;
  };

  /// @param weights [column, tap, input], taps from the oldest row on.
  void add_part(const at::Tensor& weights, const at::Tensor& bias, int64_t input, int64_t output);

  int64_t inputs_ = 0, outputs_ = 0, history_ = 0, down_ = 1, up_ = 1, dilation_ = 1, macs_ = 0, parameters_ = 0;
  int64_t taps_ = 0, part_inputs_ = 0, part_columns_ = 0;
  std::vector<Part> parts_;
};

/// Every channel for itself.
class DepthwiseConvolution {
 public:
  DepthwiseConvolution() = default;
  /// nn.Conv1d of as many groups as channels: weight [channels, 1, kernel], bias [channels].
  DepthwiseConvolution(const at::Tensor& weight, const at::Tensor& bias, int64_t dilation);

  /// @param rows history() rows of the past, then `steps` new ones.
  void run(const float* rows, int64_t steps, float* out) const;

  int64_t channels() const { return channels_; }
  int64_t history() const { return (taps_ - 1) * dilation_; }
  int64_t macs_per_step() const { return channels_ * taps_; }
  int64_t parameters() const { return channels_ * (taps_ + 1); }

 private:
  int64_t channels_ = 0, taps_ = 1, dilation_ = 1;
  Floats weights_, bias_;
};

}  // namespace lightswitch::audio
