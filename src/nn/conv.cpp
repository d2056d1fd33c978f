#include <ATen/ATen.h>

#include "nn/layers.hpp"
#include "nn/packed_conv.hpp"

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

bool is_even(const ConvShape& shape) {
  return shape.pad_begin == shape.pad_end;
}

/// Padding the convolution does itself; uneven padding is done before it.
int64_t own_padding(const ConvShape& shape) {
  return is_even(shape) ? shape.pad_begin : 0;
}

at::Tensor pad(const at::Tensor& x, const ConvShape& shape) {
  return at::constant_pad_nd(x, {shape.pad_begin, shape.pad_end, shape.pad_begin, shape.pad_end});
}

at::Tensor taken_weight(WeightLoader& loader, const std::string& name, const ConvShape& shape) {
  return loader.take(name + ".weight", {shape.out, shape.in / shape.groups, shape.kernel, shape.kernel});
}

at::Tensor taken_bias(WeightLoader& loader, const std::string& name, const ConvShape& shape) {
  return shape.bias ? loader.take(name + ".bias", {shape.out}) : at::Tensor();
}

}  // namespace

Conv2d::Conv2d(WeightLoader& loader, const std::string& name, const ConvShape& shape, Activation act)
    : Conv2d(loader.full_name(name), taken_weight(loader, name, shape), taken_bias(loader, name, shape), shape, act,
             loader.dtype(), loader.device()) {}

Conv2d::Conv2d(std::string name, const at::Tensor& weight, const at::Tensor& bias, const ConvShape& shape,
               Activation act, at::ScalarType dtype, c10::Device device)
    : name_(std::move(name)),
      // copy=true: the network must not depend on the file's mapping.
      weight_(weight.to(weight.options().dtype(dtype).device(device), false, true)),
      bias_(bias.defined() ? bias.to(bias.options().dtype(dtype).device(device), false, true) : at::Tensor()),
      shape_(with_padding(shape)),
      act_(act) {
  // Groups of channels gain nothing from packing.
  if (shape_.groups == 1)
    packed_ = PackedConv::make(weight_, bias_, {.stride = shape_.stride, .padding = own_padding(shape_)});
  if (packed_)
    weight_ = bias_ = at::Tensor();
  else
    weight_ = weight_.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor Conv2d::operator()(Run& run, const at::Tensor& x, const at::Tensor& residual) const {
  run.checkpoint();
  if (run.counting()) {
    const int64_t height = output_size(shape_, x.size(2)), width = output_size(shape_, x.size(3));
    run.add_macs(x.size(0) * height * width * shape_.out * (shape_.in / shape_.groups) * shape_.kernel * shape_.kernel);
    return run.planned(at::empty({x.size(0), shape_.out, height, width}, x.options()));
  }
  return run.made(name_, compute(run, x, residual));
}

at::Tensor Conv2d::compute(Run& run, const at::Tensor& x, const at::Tensor& residual) const {
  const at::Tensor padded = is_even(shape_) ? x : pad(x, shape_);
  if (packed_) {
    const double largest = bound(run, x, residual);
    // The fused ReLU hides NaN, and whatever was lost with an infinity.
    const bool hides = act_ == Activation::relu && !(largest < Magnitudes::kSafe);
    at::Tensor y = (*packed_)(run, padded, residual, hides ? Activation::none : act_);
    if (hides) {
      Run::require_finite(name_, y);
      y = activate(run, std::move(y), act_);
    }
    run.magnitudes().note(y, largest);
    return y;
  }
  at::Tensor y = at::conv2d(padded, weight_, bias_, shape_.stride, own_padding(shape_), 1, shape_.groups);
  if (residual.defined()) y.add_(residual);
  return activate(run, std::move(y), act_);
}

/// What no result exceeds; looks at the input where it must, to know that a ReLU hides nothing.
double Conv2d::bound(Run& run, const at::Tensor& x, const at::Tensor& residual) const {
  Magnitudes& known = run.magnitudes();
  const auto largest = [&] {
    return packed_->bound(known.bound(x)) + (residual.defined() ? known.bound(residual) : 0);
  };
  const double cheap = largest();
  if (act_ != Activation::relu || cheap < Magnitudes::kSafe) return cheap;
  known.measure(x);
  if (residual.defined()) known.measure(residual);
  return largest();
}

}  // namespace lightswitch::nn
