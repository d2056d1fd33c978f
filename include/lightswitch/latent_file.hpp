#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/tensor_spec.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace lightswitch {

/// A latent file: safetensors with one tensor `latents` [N, C, h, w] (or `indices` [N, h, w] int64) and text metadata.
struct LatentFile {
  at::Tensor latents;
  LatentKind kind = LatentKind::diffusion;
  std::string space;                     ///< name of the latent space, empty when unknown
  std::optional<double> scaling_factor;  ///< of the space
  std::optional<double> shift_factor;    ///< of the space
  std::optional<int64_t> width, height;  ///< pixels, where the picture was padded up to the factor: decode crops back
  std::optional<int64_t> seed;
  std::string prompt, model;
};

/// @param assume_kind, assume_scaling_factor used for files without `format` metadata (plain safetensors with
/// `latents`); such a file is refused when either is missing.
/// @throws FileError, FormatError (naming the metadata field, expected and found).
LatentFile read_latents(const std::filesystem::path& file, std::optional<LatentKind> assume_kind = {},
                        std::optional<double> assume_scaling_factor = {});

/// Temporary name, then rename. @throws FileError, TensorError.
void write_latents(const std::filesystem::path& file, const LatentFile& content);

}  // namespace lightswitch
