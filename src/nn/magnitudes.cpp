#include "nn/magnitudes.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include "nn/activation_kernel.hpp"
#include "nn/vector_code.hpp"

namespace lightswitch::nn {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::infinity();

/// Without their sign, floating-point numbers are in order as integers, infinity and NaN above all others.
template <typename Bits>
struct LargestBits {
  [[gnu::always_inline]] static inline void run(const Bits* x, int64_t count, Bits* largest) {
    constexpr Bits magnitude = std::numeric_limits<Bits>::max() >> 1;
    Bits most = 0;
    for (int64_t i = 0; i < count; ++i) {
      const Bits bits = x[i] & magnitude;
      most = most < bits ? bits : most;
    }
    *largest = most;
  }
};

template <typename Bits>
Bits largest_bits(const at::Tensor& x) {
  const auto* bits = static_cast<const Bits*>(x.const_data_ptr());
  std::atomic<Bits> largest = 0;
  at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
    Bits most = 0;
    run_vectorised<LargestBits<Bits>>(bits + begin, end - begin, &most);
    Bits seen = largest;
    while (seen < most && !largest.compare_exchange_weak(seen, most)) {
    }
  });
  return largest;
}

}  // namespace

double largest_magnitude(const at::Tensor& given) {
  // Any order will do, as long as every number is there once.
  const at::Tensor x = given.is_non_overlapping_and_dense() ? given : given.contiguous();
  const float largest = x.scalar_type() == at::kBFloat16
                            ? std::bit_cast<float>(uint32_t(largest_bits<uint16_t>(x)) << 16)
                            : std::bit_cast<float>(largest_bits<uint32_t>(x));
  return std::isfinite(largest) ? largest : kUnknown;
}

double Magnitudes::bound(const at::Tensor& x) const {
  for (const auto& [storage, bound] : bounds_)
    if (storage._unsafe_get_target() == x.storage().unsafeGetStorageImpl()) return bound;
  return kUnknown;
}

void Magnitudes::note(const at::Tensor& x, double bound) {
  std::erase_if(bounds_, [&](const auto& entry) {
    return entry.first.expired() || entry.first._unsafe_get_target() == x.storage().unsafeGetStorageImpl();
  });
  if (bound < kSafe) bounds_.emplace_back(x.storage().getWeakStorageImpl(), bound);
}

void Magnitudes::measure(const at::Tensor& x) {
  note(x, largest_magnitude(x));
}

}  // namespace lightswitch::nn
