#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// The command line of `compare`.
struct CompareArguments {
  std::string input;
  std::string model, encoder;
  std::vector<std::string> decoders;
  std::string lpips;
  std::optional<int64_t> repeat;  ///< decodes that are timed; by default 3 of a picture, 1 of a clip
  std::optional<int64_t> chunk;   ///< latents of a clip that are decoded at once; 0: all of them
  int64_t shown = 12;             ///< pictures or clips in the report
  std::string output;
};

/// The pictures of a latent file [N, C, h, w], or a picture or a folder of them, which are encoded first.
/// @throws as the library.
void compare_pictures(const CompareArguments& arguments, Session& session);

/// The clips of a latent file [N, C, T, h, w], or a video file, which is encoded first. Memory holds the latents, the
/// frames of one chunk, and without an original those of the first decoder.
/// @throws as the library.
void compare_clips(const CompareArguments& arguments, Session& session);

}  // namespace lightswitch::cli
