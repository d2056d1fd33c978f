#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// The command line of `calibrate`.
struct CalibrateArguments {
  std::vector<std::string> latents;
  std::string model, decoder;
  std::string kind;
  std::optional<double> scaling_factor;
  std::string output;  ///< empty: where the decoder's weights are
};

/// Watches the decoder on every latent picture, writes the ranges of its layers, and says how far its pictures in int8
/// are then from those in fp32.
/// @throws UsageError for what the command line alone shows, else as the library.
void calibrate_decoder(const CalibrateArguments& arguments, Session& session);

}  // namespace lightswitch::cli
