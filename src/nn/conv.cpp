#include <ATen/ATen.h>

#include "nn/layers.hpp"

namespace lightswitch::nn {
namespace {

ConvShape with_padding(ConvShape shape) {
  if (shape.pad_begin < 0) shape.pad_begin = shape.kernel / 2;
  if (shape.pad_end < 0) shape.pad_end = shape.kernel / 2;
  return shape;
}

int64_t output_size(const ConvShape& shape, int64_t size) {
  return (size + shape.pad_begin + shape.pad_end - shape.kernel) / shape.stride + 1;
}

at::Tensor taken_weight(WeightLoader& loader, const std::string& name, const ConvShape& shape) {
  return loader.take(name + ".weight", {shape.out, shape.in / shape.groups, shape.kernel, shape.kernel});
}

at::Tensor taken_bias(WeightLoader& loader, const std::string& name, const ConvShape& shape) {
  return shape.bias ? loader.take(name + ".bias", {shape.out}) : at::Tensor();
}

}  // namespace

Conv2d::Conv2d(WeightLoader& loader, const std::string& name, const ConvShape& shape, Activation act)
    : Conv2d(taken_weight(loader, name, shape), taken_bias(loader, name, shape), shape, act, loader.dtype(),
             loader.device()) {}

Conv2d::Conv2d(const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape, Activation act,
               at::ScalarType dtype, c10::Device device)
    // copy=true: the network must not depend on the file's mapping.
    : weight_(weight.to(weight.options().dtype(dtype).device(device), false, true, at::MemoryFormat::ChannelsLast)),
      bias_(bias.defined() ? bias.to(bias.options().dtype(dtype).device(device), false, true) : at::Tensor()),
      shape_(with_padding(shape)),
      act_(act) {}

at::Tensor Conv2d::operator()(Run& run, const at::Tensor& x, const at::Tensor& residual) const {
  run.checkpoint();
  if (run.counting()) {
    const int64_t height = output_size(shape_, x.size(2)), width = output_size(shape_, x.size(3));
    run.add_macs(x.size(0) * height * width * shape_.out * (shape_.in / shape_.groups) * shape_.kernel * shape_.kernel);
    return at::empty({x.size(0), shape_.out, height, width}, x.options());
  }
  const bool even = shape_.pad_begin == shape_.pad_end;
  const at::Tensor padded =
      even ? x : at::constant_pad_nd(x, {shape_.pad_begin, shape_.pad_end, shape_.pad_begin, shape_.pad_end});
  at::Tensor y = at::conv2d(padded, weight_, bias_, shape_.stride, even ? shape_.pad_begin : 0, 1, shape_.groups);
  if (residual.defined()) y.add_(residual);
  return activate(run, y, act_);
}

}  // namespace lightswitch::nn
