#include "audio/convolution.hpp"

#include <ATen/ATen.h>

namespace lightswitch::audio {
namespace {

int64_t padded(int64_t columns) {
  return (columns + kPanel - 1) / kPanel * kPanel;
}

Floats copy_of(const at::Tensor& tensor, int64_t size) {
  Floats numbers(size, 0.0F);
  const at::Tensor dense = tensor.contiguous();
  std::copy_n(dense.const_data_ptr<float>(), dense.numel(), numbers.begin());
  return numbers;
}

}  // namespace

void Convolution::add_part(const at::Tensor& weights, const at::Tensor& bias, int64_t input, int64_t output) {
  const int64_t columns = weights.size(0), panels = padded(columns) / kPanel;
  const at::Tensor wide = at::constant_pad_nd(weights.flatten(1), {0, 0, 0, panels * kPanel - columns});
  const at::Tensor packed = wide.reshape({panels, kPanel, -1}).transpose(1, 2);
  parts_.push_back({input, output, copy_of(packed, packed.numel()), copy_of(bias, panels * kPanel)});
  part_columns_ = columns;
}

Convolution Convolution::plain(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t dilation,
                               int64_t groups) {
  Convolution made;
  const int64_t kernel = weight.size(2);
  made.part_inputs_ = weight.size(1);
  made.inputs_ = weight.size(1) * groups;
  made.outputs_ = weight.size(0);
  made.taps_ = kernel;
  made.dilation_ = dilation;
  made.down_ = stride;
  made.history_ = (kernel - 1) * dilation + 1 - stride;
  made.macs_ = weight.numel();
  made.parameters_ = weight.numel() + bias.numel();
  const int64_t columns = made.outputs_ / groups;
  for (int64_t g = 0; g < groups; ++g)
    made.add_part(weight.narrow(0, g * columns, columns).transpose(1, 2), bias.narrow(0, g * columns, columns),
                  g * made.part_inputs_, g * columns);
  return made;
}

Convolution Convolution::transposed(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t groups) {
  Convolution made;
  const int64_t columns = weight.size(1), taps = (weight.size(2) + stride - 1) / stride;
  made.inputs_ = weight.size(0);
  made.part_inputs_ = made.inputs_ / groups;
  made.outputs_ = columns * groups;
  made.taps_ = taps;
  made.up_ = stride;
  made.history_ = taps - 1;
  made.macs_ = weight.numel();
  made.parameters_ = weight.numel() + bias.numel();
  // Output `phase` of a step is the sum over j of the row j steps back times weight[:, :, phase + j * stride].
  const at::Tensor whole = at::constant_pad_nd(weight, {0, taps * stride - weight.size(2)});
  const at::Tensor by_phase = whole.reshape({groups, made.part_inputs_, columns, taps, stride})
                                  .flip(3)
                                  .permute({0, 4, 2, 3, 1});  // group, phase, column, tap, input
  const at::Tensor biases = bias.reshape({groups, columns});
  if (groups == 1) {
    made.add_part(by_phase[0].flatten(0, 1), biases[0].repeat({stride}), 0, 0);
    return made;
  }
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t phase = 0; phase < stride; ++phase)
      made.add_part(by_phase[g][phase], biases[g], g * made.part_inputs_, phase * made.outputs_ + g * columns);
  return made;
}

void Convolution::run(const float* rows, int64_t steps, float* out, Finish finish) const {
  // Rows that follow each other are one stretch where all channels count.
  const bool one_stretch = part_inputs_ == inputs_ && dilation_ == 1;
  for (const Part& part : parts_)
    kernels().dense({.x = rows + part.input,
                     .row_step = down_ * inputs_,
                     .taps = one_stretch ? 1 : taps_,
                     .tap_step = dilation_ * inputs_,
                     .inputs = one_stretch ? taps_ * inputs_ : part_inputs_,
                     .weights = part.weights.data(),
                     .bias = part.bias.data(),
                     .out = out + part.output,
                     .out_step = up_ * outputs_,
                     .rows = steps,
                     .columns = part_columns_,
                     .finish = finish});
}

DepthwiseConvolution::DepthwiseConvolution(const at::Tensor& weight, const at::Tensor& bias, int64_t dilation)
    : channels_(weight.size(0)),
      taps_(weight.size(2)),
      dilation_(dilation),
      weights_(copy_of(weight.squeeze(1).transpose(0, 1), weight.numel())),
      bias_(copy_of(bias, bias.numel())) {}

void DepthwiseConvolution::run(const float* rows, int64_t steps, float* out) const {
  kernels().depthwise({rows, taps_, dilation_, weights_.data(), bias_.data(), out, steps, channels_});
}

}  // namespace lightswitch::audio
