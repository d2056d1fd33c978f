#pragma once

#include <lightswitch/text_to_image.hpp>

#include <optional>
#include <string>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// `lightswitch image`, as given. What is absent takes the model's default.
struct ImageArguments {
  std::string prompt, negative_prompt;
  std::string model;
  std::string decoder, encoder;
  std::optional<int64_t> width, height, steps, seed, batch_count, clip_skip;
  std::optional<double> cfg_scale, strength;
  std::optional<std::string> sampling_method;
  std::string init_image;
  std::string preview = "none";
  int64_t preview_interval = 1;
  std::string preview_path = "preview.png";
  TilingOptions tiling;
  std::string denoiser_dtype = "fp32";
  bool strict_dtype = false;
  std::string save_latents;
  bool disable_image_metadata = false;
  std::string output;
};

/// Puts what was given over `options`; a negative seed becomes a random one.
void apply(const ImageArguments& arguments, TextToImageOptions& options);

/// Prompt to picture files. @throws as the library; UsageError for what the command line alone shows.
void make_images(const ImageArguments& arguments, Session& session);

}  // namespace lightswitch::cli
