#include "nn/int8/conv.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "nn/operations.hpp"
#include "nn/ownership.hpp"

namespace lightswitch::nn {
namespace {

using c10::IValue;

struct Operations {
  Operation pack = find_operation("onednn::qconv_prepack");
  Operation conv = find_operation("onednn::qconv2d_pointwise");
  Operation conv_sum = find_operation("onednn::qconv2d_pointwise", "binary");

  bool complete() const { return pack && conv && conv_sum; }
  static const Operations& get() {
    static const Operations operations;
    return operations;
  }
};

IValue type_argument(at::ScalarType type) {
  return IValue(static_cast<int64_t>(type));
}

}  // namespace

bool multiplies_int8() {
#if defined(__x86_64__)
  // Without VNNI, sums of two products are cut off at sixteen bits.
  return __builtin_cpu_supports("avx512vnni") && at::globalContext().userEnabledMkldnn() &&
         Operations::get().complete();
#else
  return false;
#endif
}

Int8Conv::Int8Conv(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t padding,
                   const Rounding& input, at::ScalarType dtype)
    : input_(input), stride_(stride), padding_(padding), dtype_(dtype) {
  const at::Tensor largest = weight.abs().amax({1, 2, 3});
  scales_ = at::where(largest > 0, largest / 127, at::ones_like(largest));
  bytes_ = (weight / scales_.view({-1, 1, 1, 1})).round().to(at::kChar).contiguous();
  zeros_ = at::zeros({weight.size(0)}, at::kInt);
  bias_ = bias.defined() ? bias.to(at::kFloat, false, true) : at::Tensor();
  const double reach = input.scale * static_cast<double>(std::max(input.zero, 255 - input.zero));
  bound_ = reach * weight.abs().sum({1, 2, 3}).max().item<double>() * 1.01 +
           (bias_.defined() ? bias_.abs().max().item<double>() : 0);
}

at::Tensor Int8Conv::weight_for(at::IntArrayRef input_size) const {
  const std::lock_guard lock(mutex_);
  if (input_size != packed_for_) {
    packed_ = call(*Operations::get().pack, {bytes_, scales_, input_.scale, input_.zero, pair(stride_), pair(padding_),
                                             pair(1), 1, IValue(input_size.vec())});
    packed_for_ = input_size.vec();
  }
  return packed_;
}

at::Tensor Int8Conv::plain(const at::Tensor& x, Activation act, const Rounding& output, at::ScalarType type) const {
  return call(*Operations::get().conv, {x, input_.scale, input_.zero, weight_for(x.sizes()), scales_, zeros_,
                                        optional_tensor(bias_), pair(stride_), pair(padding_), pair(1), 1, output.scale,
                                        output.zero, type_argument(type), fused_name(act), no_scalars(), IValue("")});
}

at::Tensor Int8Conv::to_bytes(const at::Tensor& x, Activation act, const Rounding& output) const {
  return plain(x, act, output, at::kByte);
}

at::Tensor Int8Conv::operator()(Run& run, const at::Tensor& x, at::Tensor residual, Activation act) const {
  if (!residual.defined()) {
    at::Tensor y = plain(x, act, {}, dtype_);
    return act == Activation::gelu ? activate(run, std::move(y), act) : y;
  }
  // The operation adds in place; what it returns is a copy.
  if (!is_sole_owner(residual) || !residual.is_contiguous(at::MemoryFormat::ChannelsLast))
    residual = residual.clone(at::MemoryFormat::ChannelsLast);
  const bool fused = act == Activation::relu;
  call(*Operations::get().conv_sum, {x,
                                     input_.scale,
                                     input_.zero,
                                     weight_for(x.sizes()),
                                     scales_,
                                     zeros_,
                                     residual,
                                     optional_tensor(bias_),
                                     pair(stride_),
                                     pair(padding_),
                                     pair(1),
                                     1,
                                     1.0,
                                     int64_t{0},
                                     type_argument(dtype_),
                                     1.0,
                                     int64_t{0},
                                     "sum",
                                     IValue(1.0),
                                     fused ? IValue("relu") : IValue("none"),
                                     no_scalars(),
                                     IValue("")});
  return fused ? residual : activate(run, std::move(residual), act);
}

}  // namespace lightswitch::nn
