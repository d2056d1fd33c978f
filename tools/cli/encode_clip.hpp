#pragma once

#include <lightswitch/decoder.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/timings.hpp>

#include <filesystem>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// Encodes a video file frame by frame into a file with the latents [1, C, T, h, w] of one clip. Memory holds a few
/// frames.
/// @throws UnsupportedError for codebook indices, else as the library.
void encode_clip(const std::filesystem::path& input, const Encoder& encoder, LatentKind kind,
                 const std::filesystem::path& output, Session& session, Timings& timings);

/// The same, but the latents, of diffusion space, stay in memory.
LatentFile encoded_clip(const std::filesystem::path& input, const Encoder& encoder, Session& session);

}  // namespace lightswitch::cli
