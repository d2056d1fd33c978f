#include "nn/linear_attention.hpp"

#include <ATen/ATen.h>

namespace lightswitch::nn {
namespace {

/// Far below any real sum of weights; turns 0 / 0 into 0.
constexpr double eps = 1e-15;

/// One picture, one scale. qkv is [pixels, heads, 3 * size], out a [pixels, heads, size] window of the result.
/// The sums over pixels are [size, size] per head however many pixels there are. (Upstream switches to the pixels x
/// pixels form below 33 pixels; it is the same sum in another order.)
void attend(const at::Tensor& qkv, at::Tensor out, int64_t size) {
  qkv.narrow(2, 0, 2 * size).relu_();
  const at::Tensor heads = qkv.transpose(0, 1);
  const at::Tensor query = heads.narrow(2, 0, size), key = heads.narrow(2, size, size),
                   value = heads.narrow(2, 2 * size, size);
  const at::Tensor values = at::bmm(query, at::bmm(key.transpose(1, 2), value));
  const at::Tensor weights = at::bmm(query, key.sum(1).unsqueeze(2)).add_(eps);
  at::Tensor window = out.transpose(0, 1);
  at::div_out(window, values, weights);
}

}  // namespace

at::Tensor relu_linear_attention(Run& run, std::vector<at::Tensor>&& qkv, int64_t head_size) {
  run.checkpoint();
  const at::Tensor& first = qkv.front();
  const int64_t batch = first.size(0), channels = first.size(1) / 3, height = first.size(2), width = first.size(3);
  const int64_t pixels = height * width, heads = channels / head_size, scales = static_cast<int64_t>(qkv.size());
  if (run.counting()) {
    run.add_macs(batch * scales * channels * 2 * (head_size + 1) * pixels);
    // In fp32 first: the result, and one scale's input.
    const auto wide = first.options().dtype(at::kFloat);
    const at::Tensor result = run.planned(at::empty({batch, scales * channels, height, width}, wide));
    const at::Tensor part = run.planned(at::empty(first.sizes(), wide));
    return run.planned(at::empty(result.sizes(), first.options()));
  }
  const at::Tensor out = at::empty({batch, pixels, scales, heads, head_size}, first.options().dtype(at::kFloat));
  for (int64_t s = 0; s < scales; ++s) {
    const at::Tensor part = qkv[s].to(at::kFloat).permute({0, 2, 3, 1}).reshape({batch, pixels, heads, 3 * head_size});
    for (int64_t n = 0; n < batch; ++n) attend(part[n], out[n].select(1, s), head_size);
  }
  return out.view({batch, height, width, scales * channels}).permute({0, 3, 1, 2}).to(first.scalar_type());
}

}  // namespace lightswitch::nn
