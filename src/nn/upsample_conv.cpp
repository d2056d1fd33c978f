#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cstring>

#include "nn/activation_kernel.hpp"
#include "nn/int8/conv.hpp"
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

/// The same as one 2x2 convolution (padding 1) with the four phases side by side, [4 * out, in, 2, 2]: there is no
/// transposed convolution of bytes. Phase 2a + b at (y + a, x + b) is the output pixel (2y + a, 2x + b).
at::Tensor side_by_side(const at::Tensor& weight) {
  const at::Tensor merged = phase_weights(weight);
  const auto taps = [](int64_t phase) { return at::tensor({3 - phase, 1 - phase}); };
  std::vector<at::Tensor> phases;
  for (const int64_t a : {0, 1})
    for (const int64_t b : {0, 1}) phases.push_back(merged.index_select(2, taps(a)).index_select(3, taps(b)));
  return at::cat(phases, 1).transpose(0, 1);
}

/// [N, 4C, H + 1, W + 1] as side_by_side() makes it to [N, C, 2H, 2W], channels_last.
at::Tensor interleave(const at::Tensor& phases) {
  const int64_t pictures = phases.size(0), channels = phases.size(1) / 4;
  const int64_t height = phases.size(2) - 1, width = phases.size(3) - 1;
  at::Tensor y =
      at::empty({pictures, channels, 2 * height, 2 * width}, phases.options(), at::MemoryFormat::ChannelsLast);
  const auto* from = static_cast<const char*>(phases.const_data_ptr());
  auto* to = static_cast<char*>(y.mutable_data_ptr());
  const int64_t pixel = channels * phases.element_size();
  at::parallel_for(0, pictures * 2 * height, std::max<int64_t>(kGrain / (2 * width * channels), 1),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) {
                       const int64_t n = row / (2 * height), a = row % 2, line = row % (2 * height) / 2 + a;
                       const char* in = from + (n * (height + 1) + line) * (width + 1) * 4 * pixel;
                       char* out = to + row * 2 * width * pixel;
                       for (int64_t x = 0; x < 2 * width; ++x)
                         std::memcpy(out + x * pixel, in + ((x / 2 + x % 2) * 4 + 2 * a + x % 2) * pixel, pixel);
                     }
                   });
  return y;
}

}  // namespace

UpsampleConv2d::UpsampleConv2d(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, bool bias)
    : name_(loader.full_name(name)), in_(in), out_(out) {
  const at::Tensor weight = loader.take(name + ".weight", {out, in, 3, 3});
  const auto options = weight.options().dtype(loader.dtype()).device(loader.device());
  if (bias) bias_ = loader.take(name + ".bias", {out}).to(options, false, true);
  if (loader.rounds()) {
    int8_ = std::make_shared<const Int8Conv>(side_by_side(weight), bias ? bias_.repeat({4}) : bias_, 1, 1,
                                             loader.rounding_of(name_), loader.dtype());
    bias_ = at::Tensor();
    return;
  }
  weight_ = phase_weights(weight).to(options);
  packed_ = PackedConv::make(weight_, bias_, {.stride = {2, 2}, .padding = 1, .transposed = true});
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
  if (run.watching()) run.watch(name_, x);
  if (int8_) {
    const at::Tensor wide = x.contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor y = interleave((*int8_)(run, round_to_bytes(name_, wide, int8_->input()), {}, Activation::none));
    run.magnitudes().note(y, int8_->bound());
    return run.made(name_, std::move(y));
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
