#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// `lightswitch video`, as given. What is absent takes the model's default.
struct VideoArguments {
  std::string init_image, prompt;  ///< one of the two
  std::string image_model;         ///< draws the prompt
  std::string model, decoder, encoder;
  std::optional<int64_t> width, height, frames, fps, motion_bucket, steps, seed, decode_chunk;
  std::optional<double> noise_aug, min_cfg, max_cfg;
  std::optional<std::string> sampling_method;
  bool strict_dtype = false;
  std::string save_latents;
  bool disable_image_metadata = false;
  std::string output;
};

/// Picture or prompt to clip. @throws as the library; UsageError for what the command line alone shows.
void make_video(const VideoArguments& arguments, Session& session);

}  // namespace lightswitch::cli
