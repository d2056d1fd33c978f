#pragma once

#include <lightswitch/weights.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lightswitch::taming {

struct BlockLayer {
  std::string name;
  bool pools = false;  ///< TAEF2's branch with a group norm, which sees the whole picture
};

/// Blocks at one resolution, and the bias-less convolution that leads there from the stage before.
struct Stage {
  std::string resample;  ///< layer name; empty for the first stage
  std::string grow;      ///< of videos: the 1x1 convolution before it that makes more or fewer frames; may be empty
  std::vector<BlockLayer> blocks;
};

/// Which numbered layers of a file are what. Two numberings exist: diffusers' AutoencoderTiny, and the bare
/// nn.Sequential of the original TAESD files, whose decoder counts the latent clamp as layer 0. Decoders of videos have
/// the latter under "decoder." (TAESDV, TAEHV) and the former under "layers." (DecoderTinyTemporal).
struct Layout {
  std::string prefix;  ///< before every layer name
  std::string conv_in, conv_out;
  std::vector<Stage> stages;  ///< in the order of execution
  int64_t in_channels = 0, width = 0, out_channels = 0;

  /// Pixels per latent.
  int64_t factor() const { return int64_t{1} << (stages.size() - 1); }
  bool pools() const;
  /// "width 64, blocks 3,3,3,1", and ", 3 with pooling"
  std::string describe() const;
};

/// nullopt when the file holds no such network. Layers that should be there and are not stay in the layout, so that the
/// weight loader reports them as missing.
std::optional<Layout> decoder_layout(const WeightSource& weights);
std::optional<Layout> encoder_layout(const WeightSource& weights);
/// TAESDV and TAEHV: blocks that see the frame before.
std::optional<Layout> memory_decoder_layout(const WeightSource& weights);
/// TAEHV's encoder: the convolutions called grow make one frame of several.
std::optional<Layout> memory_encoder_layout(const WeightSource& weights);
/// TAEHV's "super" decoder of 7x7 depthwise convolutions, which is not computed.
bool is_super_decoder(const WeightSource& weights);
/// DecoderTinyTemporal: everything but its `mid_block.`
std::optional<Layout> temporal_decoder_layout(const WeightSource& weights);

}  // namespace lightswitch::taming
