#pragma once

#include <lightswitch/decoder_registry.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/layers.hpp"
#include "vit/names.hpp"

namespace lightswitch::vit {

enum class Op {
  resample,  ///< ConvPixelShuffle or InterpolateConv going up, ConvPixelUnshuffle or Conv going down
  residual,  ///< ResBlock
  attention  ///< EViT_GLU, EViTS5_GLU
};

/// One stage that holds anything. Its operations run in the order of their numbers.
struct Stage {
  const Names* names = nullptr;
  std::string name;     ///< "stages.N.op_list." or "up_blocks.N."
  std::vector<Op> ops;  ///< by number
  int64_t width = 0;    ///< channels of its blocks
  nn::Activation act = nn::Activation::relu;
  nn::Activation gate_act = nn::Activation::relu;  ///< of gated convolutions
  bool batch_norm = false;                         ///< somewhere in it

  std::string op_name(size_t number) const { return name + std::to_string(number) + "."; }
};

/// What names, shapes and config say about one network of a file.
struct Layout {
  const Names* names = nullptr;
  std::string prefix;         ///< "decoder.", "encoder." or empty
  std::vector<Stage> stages;  ///< in the order of execution
  int64_t latent_channels = 0;
  bool resamples_at_full_size = false;  ///< the decoder's last convolution doubles, the encoder's first halves
  bool latent_shortcut = true;          ///< around the convolution between latents and the lowest resolution
  nn::Activation out_act = nn::Activation::relu;  ///< of a decoder, before its last convolution

  bool attends() const;
  bool has_batch_norm() const;
  /// "widths 256,128,128, depths 0,10,5, attention in none": in the order of execution.
  std::string describe() const;
};

/// nullopt when the file holds no such network. A block that a hole in the numbering suggests stays in the layout, so
/// that the weight loader reports its tensors as missing. Activations come from the config's `act.N` (under the
/// network's prefix or bare) or diffusers' `decoder_act_fns`; without them a stage has what mit-han-lab/efficientvit
/// pairs with its norm: ReLU with batch norm, SiLU with RMS norm.
/// @throws OptionError when the config names a norm that the tensors contradict, UnsupportedError for an unknown
/// activation.
std::optional<Layout> decoder_layout(const WeightSource& weights, const Config& config);
std::optional<Layout> encoder_layout(const WeightSource& weights, const Config& config);

/// True when either network is there; looks at names alone.
bool holds_network(const WeightSource& weights);

}  // namespace lightswitch::vit
