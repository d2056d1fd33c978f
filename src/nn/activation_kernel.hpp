#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <type_traits>
#include <utility>

#include "nn/layers.hpp"
#include "nn/vector_code.hpp"

/// What the kernels with an activation in them share.
namespace lightswitch::nn {

/// Numbers below which starting another thread does not pay.
inline constexpr int64_t kGrain = 32768;

template <Activation act>
[[gnu::always_inline]] inline float activated(float x) {
  if constexpr (act == Activation::relu) return x < 0.f ? 0.f : x;  // NaN passes, to be found at the end
  if constexpr (act == Activation::silu) return x / (1.f + fast_exp(-x));
  return x;
}

/// Calls `use` with a value of the element type and the activation as a constant.
template <typename Use>
void for_type_and_activation(at::ScalarType type, Activation act, Use&& use) {
  const auto with_type = [&](auto element) {
    if (act == Activation::silu)
      use(element, std::integral_constant<Activation, Activation::silu>());
    else if (act == Activation::relu)
      use(element, std::integral_constant<Activation, Activation::relu>());
    else
      use(element, std::integral_constant<Activation, Activation::none>());
  };
  if (type == at::kBFloat16)
    with_type(c10::BFloat16());
  else
    with_type(float());
}

}  // namespace lightswitch::nn
