#include "nn/int8/rounding.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <cmath>

#include "nn/int8/round_kernel.hpp"
#include "nn/run.hpp"

namespace lightswitch::nn {
namespace {

template <typename T>
bool round_numbers(const at::Tensor& x, const Rounding& rounding, at::Tensor& bytes) {
  const T* from = x.const_data_ptr<T>();
  uint8_t* to = bytes.mutable_data_ptr<uint8_t>();
  std::atomic<bool> finite = true;
  at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
    uint32_t largest = 0;
    run_vectorised<RoundNumbers<T>>(from + begin, end - begin, float(1 / rounding.scale), float(rounding.zero),
                                    to + begin, &largest);
    if (largest >= kInfinityBits) finite = false;
  });
  return finite;
}

}  // namespace

Rounding Rounding::of(const ActivationRange& range) {
  const double width = range.high - range.low;
  if (!(width > 0)) return {};  // the layer saw nothing but zeros
  return {width / 255, std::lround(-range.low * 255 / width)};
}

at::Tensor round_to_bytes(const std::string& layer, const at::Tensor& x, const Rounding& rounding) {
  at::Tensor bytes = at::empty_like(x, x.options().dtype(at::kByte), at::MemoryFormat::ChannelsLast);
  const bool finite = x.scalar_type() == at::kBFloat16 ? round_numbers<at::BFloat16>(x, rounding, bytes)
                                                       : round_numbers<float>(x, rounding, bytes);
  if (!finite) Run::require_finite(layer, x);
  return bytes;
}

}  // namespace lightswitch::nn
