#include <c10/core/ScalarType.h>
#include <lightswitch/error.hpp>

#include "nn/int8/conv.hpp"
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
  if (asked == DType::int8 && !(device.is_cpu() && multiplies_int8()))
    throw UnsupportedError("no int8 arithmetic on this machine: it takes a CPU with AVX-512 VNNI",
                           {"", "dtype", "fp32, bf16 or auto", "int8"});
  if (asked != DType::automatic) return asked;
  return !device.is_cpu() || cpu_multiplies_bf16() ? DType::bf16 : DType::fp32;
}

at::ScalarType scalar_type(DType resolved) {
  switch (resolved) {
    case DType::bf16:
      return at::kBFloat16;
    case DType::fp16:
      return at::kHalf;
    case DType::int8:  // between the layers that are rounded
      return cpu_multiplies_bf16() ? at::kBFloat16 : at::kFloat;
    default:
      return at::kFloat;
  }
}

}  // namespace lightswitch::nn
