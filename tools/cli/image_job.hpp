#pragma once

#include <lightswitch/text_to_image.hpp>

#include <optional>
#include <string>

#include "cli/generation_options.hpp"
#include "cli/session.hpp"

namespace lightswitch::cli {

/// `lightswitch image`, as given. What is absent takes the model's default.
struct ImageArguments : GenerationArguments {
  std::string prompt;
  std::string encoder;
  std::optional<int64_t> batch_count;
  std::optional<double> strength;
  std::string init_image;
  std::string preview = "none";
  int64_t preview_interval = 1;
  std::string preview_path = "preview.png";
  std::string save_latents;
  std::string route_map;
  std::string output;
};

/// Puts what was given over `options`; a negative seed becomes a random one.
void apply(const ImageArguments& arguments, TextToImageOptions& options);

/// Prompt to picture files. @throws as the library; UsageError for what the command line alone shows.
void make_images(const ImageArguments& arguments, Session& session);

}  // namespace lightswitch::cli
