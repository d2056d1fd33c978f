#pragma once

#include <lightswitch/media/image_io.hpp>
#include <lightswitch/text_to_image.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "cli/common_options.hpp"

namespace lightswitch::cli {

/// What `image` and `batch` take alike, as given. What is absent takes the model's default.
struct GenerationArguments {
  std::string negative_prompt;
  std::string model, decoder;
  std::optional<int64_t> width, height, steps, seed, clip_skip;
  std::optional<double> cfg_scale;
  std::optional<std::string> sampling_method;
  TilingOptions tiling;
  std::string denoiser_dtype = "fp32";
  bool strict_dtype = false;
  bool disable_image_metadata = false;
  int64_t png_level = ImageWriteOptions{}.compression;
};

/// All of them but --seed, of which every command tells something else.
void add_generation_options(CLI::App& command, GenerationArguments& to);

/// Of PNG files. @throws UsageError.
int png_level(const GenerationArguments& arguments);
/// @throws UsageError.
DType denoiser_dtype(const GenerationArguments& arguments);

/// Puts what was given over `options`; a negative seed becomes a random one. @throws UsageError.
void apply(const GenerationArguments& arguments, TextToImageOptions& options);

}  // namespace lightswitch::cli
