#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder_registry.hpp>

#include <filesystem>
#include <string>

namespace lightswitch::testing {

/// An autoencoder with random weights, and what the Python reference computes with it. Halves it lacks are undefined
/// tensors.
struct ReferenceCase {
  NetworkRequest request;
  at::Tensor decoder_input, decoder_output;
  at::Tensor encoder_input, encoder_output;
  at::Tensor frames_input, frames_output;  ///< of a decoder of clips: [C, T, h, w] and [T', 3, H, W]
};

/// Reads a case that `python -m reference` (tests/support) wrote.
ReferenceCase load_reference_case(const std::filesystem::path& file);

/// tests/fixtures/NAME.safetensors as users have a network: model.safetensors and config.json in an existing folder.
ReferenceCase write_stored_network(const std::filesystem::path& folder, const std::string& name);

}  // namespace lightswitch::testing
