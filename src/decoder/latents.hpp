#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder.hpp>

#include <stop_token>
#include <string>

#include "core/describe.hpp"

/// What pictures and clips have in common on their way through a decoder.
namespace lightswitch {

bool is_finite(const at::Tensor& tensor);
/// "3 of 48 are NaN or infinite".
std::string count_of_bad(const at::Tensor& tensor);
/// @throws NumericError with the count of NaN and infinities. @param what goes into the message.
void require_finite(const at::Tensor& tensor, const char* what);

/// @throws TensorError, NumericError unless these are latents [N, C, h, w], or indices [N, h, w], that the decoder
/// takes.
void require_latents(const at::Tensor& latents, LatentKind kind, const LatentSpec& spec);

/// Latents of one kind as fp32 of the kind that the decoder eats; indices as they are.
at::Tensor to_network_input(const at::Tensor& latents, LatentKind kind, const LatentSpec& spec);

/// Latents of a kind through a decoder of some kind and range: pictures in unit range, not clamped.
at::Tensor forward_to_unit(const Decoder& decoder, const at::Tensor& latents, LatentKind kind, std::stop_token stop);

/// What a decoder gives, as pictures in [0, 1], contiguous.
at::Tensor to_unit(const at::Tensor& picture, OutputRange range);

}  // namespace lightswitch
