#include <c10/core/ScalarType.h>
#include <lightswitch/error.hpp>

#include "nn/weight_loader.hpp"

namespace lightswitch::nn {
namespace {

bool cpu_multiplies_bf16() {
#if defined(__x86_64__)
  // Every CPU with AMX has AVX-512 BF16 too.
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace

DType resolve_dtype(DType asked, c10::Device device) {
  if (asked == DType::fp16 && device.is_cpu())
    throw UnsupportedError("no half-precision arithmetic on a CPU", {"", "dtype", "fp32, bf16 or auto", "fp16"});
  if (asked != DType::automatic) return asked;
  return !device.is_cpu() || cpu_multiplies_bf16() ? DType::bf16 : DType::fp32;
}

at::ScalarType scalar_type(DType resolved) {
  switch (resolved) {
    case DType::bf16:
      return at::kBFloat16;
    case DType::fp16:
      return at::kHalf;
    default:
      return at::kFloat;
  }
}

}  // namespace lightswitch::nn
