#include "nn/layers.hpp"

#include <ATen/ATen.h>

namespace lightswitch::nn {

at::Tensor enter(Run& run, const at::Tensor& x, at::ScalarType dtype, c10::Device device) {
  if (run.counting()) return x;
  return x.to(device, dtype).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor leave(Run& run, const at::Tensor& x) {
  if (run.counting()) return x;
  return x.to(at::kCPU, at::kFloat).contiguous();
}

at::Tensor pixel_shuffle(Run& run, const at::Tensor& x, int64_t factor) {
  run.checkpoint();
  return at::pixel_shuffle(x, factor).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor pixel_unshuffle(Run& run, const at::Tensor& x, int64_t factor) {
  run.checkpoint();
  return at::pixel_unshuffle(x, factor).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor activate(Run& run, const at::Tensor& x, Activation act) {
  if (run.counting()) return x;
  switch (act) {
    case Activation::relu:
      return at::relu(x);
    case Activation::silu:
      return at::silu(x);
    case Activation::gelu:
      return at::gelu(x);
    case Activation::none:
      break;
  }
  return x;
}

at::Tensor add(Run& run, const at::Tensor& a, const at::Tensor& b) {
  if (run.counting()) return a;
  return at::add(a, b);
}

}  // namespace lightswitch::nn
