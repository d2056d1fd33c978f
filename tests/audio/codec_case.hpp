#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/audio/layout.hpp>
#include <lightswitch/weights.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lightswitch::audio::testing {

/// A codec with random weights and what PyTorch makes with it (tests/support/reference/soundstream.py).
struct CodecCase {
  Layout layout;
  std::shared_ptr<const WeightSource> weights;  ///< encoder., heavy., quantizer.
  at::Tensor samples, embeddings, indices, dequantized, dequantized_2, decoded;
};

/// tests/fixtures/soundstream_NAME.safetensors.
CodecCase stored_codec(const std::string& name);
/// Made by the Python that LIGHTSWITCH_REFERENCE_PYTHON names; nullopt where it names none.
std::optional<CodecCase> python_codec(const std::string& name);

/// A network's own weights, of any layout: random, every layer keeps the size of its numbers.
std::shared_ptr<const WeightSource> random_encoder(const Layout& layout, uint64_t seed = 1);
std::shared_ptr<const WeightSource> random_decoder(const Layout& layout, uint64_t seed = 1);

/// A whole codec of the shipped shapes, 16 stages of 256 entries, with light decoder and gate where asked for.
std::shared_ptr<const WeightSource> random_codec(bool light);

std::span<const float> numbers_of(const at::Tensor& tensor);
/// Seeded, normal.
std::vector<float> noise(int64_t count, uint64_t seed = 3);
double largest_difference(std::span<const float> found, std::span<const float> expected);

}  // namespace lightswitch::audio::testing
