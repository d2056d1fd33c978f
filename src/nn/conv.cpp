#include <ATen/ATen.h>

#include "nn/int8/conv.hpp"
#include "nn/layers.hpp"
#include "nn/ownership.hpp"
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
    : Conv2d(loader, loader.full_name(name), taken_weight(loader, name, shape), taken_bias(loader, name, shape), shape,
             act) {}

Conv2d::Conv2d(WeightLoader& loader, std::string name, const at::Tensor& weight, const at::Tensor& bias,
               const ConvShape& shape, Activation act)
    : name_(std::move(name)), shape_(with_padding(shape)), act_(act) {
  if (loader.rounds() && works_in_int8()) {
    int8_ = std::make_shared<const Int8Conv>(weight, bias, shape_.stride, own_padding(shape_),
                                             loader.rounding_of(name_), loader.dtype());
    return;
  }
  // copy=true: the network must not depend on the file's mapping.
  weight_ = weight.to(weight.options().dtype(loader.dtype()).device(loader.device()), false, true);
  if (bias.defined()) bias_ = bias.to(bias.options().dtype(loader.dtype()).device(loader.device()), false, true);
  // Groups of channels gain nothing from packing.
  if (shape_.groups == 1)
    packed_ = PackedConv::make(weight_, bias_,
                               {.stride = {shape_.stride, shape_.stride}, .padding = own_padding(shape_)});
  if (packed_)
    weight_ = bias_ = at::Tensor();
  else
    weight_ = weight_.contiguous(at::MemoryFormat::ChannelsLast);
}

/// Few channels are few multiplications, and the first and the last layer decide what the picture looks like.
bool Conv2d::works_in_int8() const {
  constexpr int64_t narrowest = 16;
  return shape_.groups == 1 && shape_.kernel == 3 && is_even(shape_) && shape_.in >= narrowest &&
         shape_.out >= narrowest;
}

void Conv2d::feeds(const Conv2d& next) {
  if (int8_) output_ = next.rounds_input();
}

std::optional<Rounding> Conv2d::rounds_input() const {
  return int8_ ? std::optional(int8_->input()) : std::nullopt;
}

at::Tensor Conv2d::operator()(Run& run, const at::Tensor& x, at::Tensor residual) const {
  run.checkpoint();
  if (run.counting()) {
    const int64_t height = output_size(shape_, x.size(2)), width = output_size(shape_, x.size(3));
    run.add_macs(x.size(0) * height * width * shape_.out * (shape_.in / shape_.groups) * shape_.kernel * shape_.kernel);
    if (residual.defined() && is_sole_owner(residual)) return residual;
    return run.planned(at::empty({x.size(0), shape_.out, height, width}, x.options()));
  }
  if (run.watching() && works_in_int8()) run.watch(name_, x);
  return run.made(name_, compute(run, x, std::move(residual)));
}

at::Tensor Conv2d::compute(Run& run, const at::Tensor& x, at::Tensor residual) const {
  if (int8_) return compute_int8(run, x, std::move(residual));
  const at::Tensor padded = is_even(shape_) ? x : pad(x, shape_);
  if (packed_) return compute_packed(run, padded, std::move(residual));
  at::Tensor y = at::conv2d(padded, weight_, bias_, shape_.stride, own_padding(shape_), 1, shape_.groups);
  if (residual.defined()) y.add_(residual);
  return activate(run, std::move(y), act_);
}

at::Tensor Conv2d::compute_packed(Run& run, const at::Tensor& x, at::Tensor residual) const {
  Magnitudes& known = run.magnitudes();
  const auto bound = [&] { return packed_->bound(known.bound(x)) + (residual.defined() ? known.bound(residual) : 0); };
  double largest = bound();
  if (act_ == Activation::relu && !(largest < Magnitudes::kSafe)) {
    known.measure(x);
    if (residual.defined()) known.measure(residual);
    largest = bound();
  }
  // The fused ReLU hides NaN, and whatever was lost with an infinity.
  const bool hides = act_ == Activation::relu && !(largest < Magnitudes::kSafe);
  at::Tensor y = (*packed_)(run, x, std::move(residual), hides ? Activation::none : act_);
  if (hides) {
    Run::require_finite(name_, y);
    y = activate(run, std::move(y), act_);
  }
  known.note(y, largest);
  return y;
}

at::Tensor Conv2d::compute_int8(Run& run, const at::Tensor& x, at::Tensor residual) const {
  Magnitudes& known = run.magnitudes();
  const at::Tensor bytes = x.scalar_type() == at::kByte
                               ? x
                               : round_to_bytes(name_, x.contiguous(at::MemoryFormat::ChannelsLast), int8_->input());
  double largest = int8_->bound();
  if (residual.defined()) {
    if (!(known.bound(residual) < Magnitudes::kSafe)) known.measure(residual);
    largest += known.bound(residual);
    if (!(largest < Magnitudes::kSafe)) Run::require_finite(name_, residual);
  }
  at::Tensor y = output_ ? int8_->to_bytes(bytes, act_, *output_) : (*int8_)(run, bytes, std::move(residual), act_);
  known.note(y, largest);
  return y;
}

}  // namespace lightswitch::nn
