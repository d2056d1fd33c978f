#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/latent_file.hpp>

#include <filesystem>
#include <vector>

namespace lightswitch::cli {

/// The pictures of a folder by name, or the one file. @throws FileError for a folder without pictures.
std::vector<std::filesystem::path> picture_files(const std::filesystem::path& input);

/// Whether an input is called like a latent file, not like a picture.
bool is_latent_name(const std::filesystem::path& input);

/// [3, H, W] as a batch of one, edge pixels repeated up to the next multiple of `factor`: what decode crops away again.
at::Tensor pad_to(const at::Tensor& picture, int64_t factor);

/// Latents with what a latent file says of their space.
LatentFile latents_of(const at::Tensor& latents, const LatentSpec& spec);

}  // namespace lightswitch::cli
