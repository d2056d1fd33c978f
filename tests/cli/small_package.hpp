#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace lightswitch::testing {

/// Weights of an AutoencoderTiny of width 8 with a factor of 8, from a seed.
std::map<std::string, at::Tensor> tiny_autoencoder(uint64_t seed);

/// Writes a whole model package into an existing folder within a second: decoders `tae` and `other` (other weights),
/// encoder `tae`, a text encoder and a denoiser of a few operations, schedulers `euler`, `euler_a` and `dpm++2m`, 32x32
/// pixels by default.
/// @param slow the denoiser takes long enough to be interrupted.
void write_small_package(const std::filesystem::path& folder, bool slow = false);

}  // namespace lightswitch::testing
