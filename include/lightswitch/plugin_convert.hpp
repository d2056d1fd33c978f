#pragma once

#include <ATen/ATen.h>
#include <lightswitch/plugin.h>
#include <lightswitch/tensor_spec.hpp>

#include <optional>

/// The plug-in boundary's codes and views, and what they are in C++. Used on both sides of it.
namespace lightswitch {

inline int32_t arithmetic_code(DType dtype) {
  switch (dtype) {
    case DType::fp32:
      return LIGHTSWITCH_ARITHMETIC_FP32;
    case DType::bf16:
      return LIGHTSWITCH_ARITHMETIC_BF16;
    case DType::fp16:
      return LIGHTSWITCH_ARITHMETIC_FP16;
    default:
      return LIGHTSWITCH_ARITHMETIC_AUTOMATIC;
  }
}

inline int32_t latents_code(LatentKind kind) {
  switch (kind) {
    case LatentKind::raw:
      return LIGHTSWITCH_LATENTS_RAW;
    case LatentKind::diffusion:
      return LIGHTSWITCH_LATENTS_DIFFUSION;
    default:
      return LIGHTSWITCH_LATENTS_INDICES;
  }
}

inline int32_t range_code(OutputRange range) {
  return range == OutputRange::unit ? LIGHTSWITCH_RANGE_UNIT : LIGHTSWITCH_RANGE_SIGNED;
}

/// nullopt for a code that this version does not know.
inline std::optional<DType> dtype_of_code(int32_t code) {
  for (const DType dtype : {DType::automatic, DType::fp32, DType::bf16, DType::fp16})
    if (arithmetic_code(dtype) == code) return dtype;
  return std::nullopt;
}

inline std::optional<LatentKind> latents_of_code(int32_t code) {
  for (const LatentKind kind : {LatentKind::raw, LatentKind::diffusion, LatentKind::indices})
    if (latents_code(kind) == code) return kind;
  return std::nullopt;
}

inline std::optional<OutputRange> range_of_code(int32_t code) {
  for (const OutputRange range : {OutputRange::signed_unit, OutputRange::unit})
    if (range_code(range) == code) return range;
  return std::nullopt;
}

/// A dense CPU tensor as the plug-in boundary passes it. Shares the tensor's memory and sizes: the view must not
/// outlive `tensor`.
inline lightswitch_tensor view_of(const at::Tensor& tensor) {
  const bool real = tensor.is_floating_point();
  return {.data = tensor.data_ptr(),
          .shape = tensor.sizes().data(),
          .strides = tensor.strides().data(),
          .stream = nullptr,
          .device_type = LIGHTSWITCH_DEVICE_CPU,
          .device_id = 0,
          .ndim = static_cast<int32_t>(tensor.dim()),
          .dtype_code = static_cast<uint8_t>(real ? LIGHTSWITCH_DTYPE_FLOAT : LIGHTSWITCH_DTYPE_INT),
          .dtype_bits = static_cast<uint8_t>(tensor.element_size() * 8),
          .dtype_lanes = 1};
}

/// The other way: a tensor over the memory that the view shows.
/// @return an undefined tensor for a device or element type that this build does not know: anything but float32,
/// float64 and int64 on a CPU.
inline at::Tensor tensor_of(const lightswitch_tensor& view) {
  const bool real = view.dtype_code == LIGHTSWITCH_DTYPE_FLOAT && (view.dtype_bits == 32 || view.dtype_bits == 64);
  const bool whole = view.dtype_code == LIGHTSWITCH_DTYPE_INT && view.dtype_bits == 64;
  if (view.device_type != LIGHTSWITCH_DEVICE_CPU || view.dtype_lanes != 1 || !(real || whole)) return {};
  const auto rank = static_cast<size_t>(view.ndim);
  const at::ScalarType type = whole ? at::kLong : view.dtype_bits == 64 ? at::kDouble : at::kFloat;
  return at::from_blob(view.data, {view.shape, rank}, {view.strides, rank}, type);
}

}  // namespace lightswitch
