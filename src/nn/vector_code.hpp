#pragma once

#include <c10/util/BFloat16.h>

#include <bit>
#include <cstdint>

/// Loops that the compiler turns into vector code, compiled for several instruction sets and chosen at run time.
namespace lightswitch::nn {

enum class VectorSet { plain, avx2, avx512 };

/// The widest set this CPU has.
inline VectorSet vector_set() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return VectorSet::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return VectorSet::avx2;
#endif
  return VectorSet::plain;
}

#if defined(__x86_64__)
template <typename Body, typename... Args>
[[gnu::target("avx2,fma")]] void run_with_avx2(Args... args) {
  Body::run(args...);
}

template <typename Body, typename... Args>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]] void run_with_avx512(Args... args) {
  Body::run(args...);
}
#endif

/// Calls Body::run(args...), a static member function marked [[gnu::always_inline]], in code made for this CPU.
/// It must not contain lambdas: they would be compiled for the smallest CPU.
template <typename Body, typename... Args>
void run_vectorised(Args... args) {
#if defined(__x86_64__)
  static const VectorSet set = vector_set();
  if (set == VectorSet::avx512) return run_with_avx512<Body>(args...);
  if (set == VectorSet::avx2) return run_with_avx2<Body>(args...);
#endif
  Body::run(args...);
}

[[gnu::always_inline]] inline float widen(float x) {
  return x;
}
[[gnu::always_inline]] inline float widen(c10::BFloat16 x) {
  return std::bit_cast<float>(uint32_t(x.x) << 16);
}

template <typename T>
[[gnu::always_inline]] inline T narrow(float x);
template <>
[[gnu::always_inline]] inline float narrow<float>(float x) {
  return x;
}
/// Rounds to the nearest, ties to even; NaN stays NaN.
template <>
[[gnu::always_inline]] inline c10::BFloat16 narrow<c10::BFloat16>(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return c10::BFloat16(uint16_t(x == x ? rounded : 0x7fc0), c10::BFloat16::from_bits());
}

/// e^x to within a few units in the last place. Beyond +-87 it stays at e^-87 or e^87, for NaN too.
[[gnu::always_inline]] inline float fast_exp(float x) {
  // Clamped as integers: GCC makes no vector code of comparisons of floating-point numbers, which could trap.
  const uint32_t bits = std::bit_cast<uint32_t>(x), magnitude = bits & 0x7fffffffu,
                 limit = std::bit_cast<uint32_t>(87.f);
  x = std::bit_cast<float>((bits & 0x80000000u) | (magnitude < limit ? magnitude : limit));
  // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits.
  const float shifted = x * 1.44269504f + 12582912.f;
  const float whole = shifted - 12582912.f;
  // ln 2 in two parts, so that the remainder stays exact.
  const float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  const uint32_t power = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return p * std::bit_cast<float>(power);
}

}  // namespace lightswitch::nn
