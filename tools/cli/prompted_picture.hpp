#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/timings.hpp>

#include <cstdint>
#include <string>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// What a clip starts from where there is no picture yet: the words, and the text-to-image package that draws them.
struct PromptedPicture {
  std::string prompt;
  std::string model;  ///< see find_model()
  int64_t height = 0, width = 0;
  int64_t seed = 0;
};

/// [3, H, W] in [0, 1], with the package's own steps, guidance and decoder: what `lightswitch image` makes of the same
/// prompt, size and seed. Adds a stage "picture". @throws as the library.
at::Tensor draw(const PromptedPicture& wanted, Session& session, Timings& timings);

}  // namespace lightswitch::cli
