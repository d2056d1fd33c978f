#include <ATen/ATen.h>

#include "nn/layers.hpp"
#include "nn/packed_conv.hpp"

namespace lightswitch::nn {
namespace {

/// Weights [in, out, 4, 4] of the transposed convolution (stride 2, padding 1) that equals nearest 2x and a 3x3
/// convolution. Along one axis an output pixel sees two input pixels; the taps that fall on the same one are summed.
at::Tensor phase_weights(const at::Tensor& weight) {
  const auto merged = [](const at::Tensor& w, int64_t axis) {
    const auto tap = [&](int64_t i) { return w.select(axis, i); };
    return at::stack({tap(2), tap(1) + tap(2), tap(0) + tap(1), tap(0)}, axis);
  };
  return merged(merged(weight, 2), 3).transpose(0, 1);
}

}  // namespace

UpsampleConv2d::UpsampleConv2d(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, bool bias)
    : name_(loader.full_name(name)), in_(in), out_(out) {
  const at::Tensor weight = loader.take(name + ".weight", {out, in, 3, 3});
  const auto options = weight.options().dtype(loader.dtype()).device(loader.device());
  weight_ = phase_weights(weight).to(options);
  if (bias) bias_ = loader.take(name + ".bias", {out}).to(options, false, true);
  packed_ = PackedConv::make(weight_, bias_, {.stride = 2, .padding = 1, .transposed = true});
  if (packed_)
    weight_ = bias_ = at::Tensor();
  else
    weight_ = weight_.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor UpsampleConv2d::operator()(Run& run, const at::Tensor& x) const {
  run.checkpoint();
  if (run.counting()) {
    run.add_macs(x.size(0) * 4 * x.size(2) * x.size(3) * out_ * in_ * 9);
    return run.planned(at::empty({x.size(0), out_, 2 * x.size(2), 2 * x.size(3)}, x.options()));
  }
  if (!packed_) return run.made(name_, at::conv_transpose2d(x, weight_, bias_, 2, 1));
  Magnitudes& known = run.magnitudes();
  // Where bounds are followed, they are renewed here: what comes after has four times the pixels.
  if (known.bound(x) < Magnitudes::kSafe) known.measure(x);
  at::Tensor y = (*packed_)(run, x, {}, Activation::none);
  known.note(y, packed_->bound(known.bound(x)));
  return run.made(name_, std::move(y));
}

}  // namespace lightswitch::nn
