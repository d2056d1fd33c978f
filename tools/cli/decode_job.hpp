#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// The command line of `decode`.
struct DecodeArguments {
  std::string latents;
  std::string model, decoder;
  std::string kind;
  std::optional<double> scaling_factor;
  int64_t repeat = 1;
  TilingOptions tiling;
  std::optional<int64_t> chunk;  ///< latents of a clip that are decoded at once; 0: all of them
  std::optional<double> fps;     ///< of a video file; the latents' own otherwise
  bool strict_dtype = false;
  bool disable_image_metadata = false;
  std::string route_map;  ///< where pictures go with their route drawn over them; empty for nowhere
  std::string output;
};

/// Decodes a latent file: the pictures of [N, C, h, w], or the frames of the clips [N, C, T, h, w], one clip after the
/// other. [N, C, h, w] are one clip when chunk is given or a video file is written. Decoders of pictures decode the
/// frames of clips one by one.
/// @throws UsageError for what the command line alone shows, else as the library.
void decode_file(const DecodeArguments& arguments, Session& session);

}  // namespace lightswitch::cli
