#include "nn/gated.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "nn/activation_kernel.hpp"

namespace lightswitch::nn {
namespace {

template <typename T, Activation act>
struct GatedRows {
  [[gnu::always_inline]] static inline void run(const T* x, int64_t rows, int64_t half, T* y) {
    for (int64_t row = 0; row < rows; ++row, x += 2 * half, y += half)
      for (int64_t c = 0; c < half; ++c) y[c] = narrow<T>(widen(x[c]) * activated<act>(widen(x[half + c])));
  }
};

template <typename T, Activation act>
void gate_pixels(const at::Tensor& x, at::Tensor& y) {
  const int64_t half = y.size(1), pixels = y.size(0) * y.size(2) * y.size(3);
  const T* input = x.const_data_ptr<T>();
  T* output = y.mutable_data_ptr<T>();
  at::parallel_for(0, pixels, std::max<int64_t>(kGrain / (2 * half), 1), [&](int64_t begin, int64_t end) {
    run_vectorised<GatedRows<T, act>>(input + begin * 2 * half, end - begin, half, output + begin * half);
  });
}

}  // namespace

at::Tensor gated(Run& run, const at::Tensor& x, Activation act) {
  run.checkpoint();
  const int64_t half = x.size(1) / 2;
  if (run.counting()) return run.planned(at::empty({x.size(0), half, x.size(2), x.size(3)}, x.options()));
  if (!x.is_cpu()) return activate(run, x.narrow(1, half, half), act) * x.narrow(1, 0, half);
  const at::Tensor pixels = x.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor y = at::empty({x.size(0), half, x.size(2), x.size(3)}, x.options(), at::MemoryFormat::ChannelsLast);
  for_type_and_activation(x.scalar_type(), act, [&](auto element, auto constant) {
    gate_pixels<decltype(element), decltype(constant)::value>(pixels, y);
  });
  return y;
}

}  // namespace lightswitch::nn
