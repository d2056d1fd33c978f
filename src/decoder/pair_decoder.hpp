#pragma once

#include <lightswitch/routed_decoder.hpp>

#include <memory>

#include "routing/heavy_rule.hpp"

namespace lightswitch {

/// How a pair of decoders is routed.
struct PairRule {
  HeavyRule heavy;
  int64_t dwell = 8;  ///< frames of a clip that a path is kept for, so that it does not flicker; 1 or more
  int64_t tile = 0;   ///< latents of a tile's edge where tiles are routed; 0 routes whole pictures

  /// Of a SPEC: heavy-share, threshold or budget-ms, and dwell or tile. @throws OptionError.
  static PairRule read(const Config& config);
};

/// Any light and heavy decoder of one latent space, routed picture by picture, or tile by tile where the rule says so;
/// it takes diffusion latents and gives pictures in [0, 1].
/// @param gate [n, C, h, w] diffusion latents to scores.
/// @throws UnsupportedError for decoders of different spaces (channels, factor, name, scaling), of indices, and for
/// tiles of a heavy decoder that looks at the whole picture.
std::shared_ptr<const Decoder> make_pair_decoder(std::shared_ptr<const Decoder> light,
                                                 std::shared_ptr<const Decoder> heavy, std::shared_ptr<const Gate> gate,
                                                 const PairRule& rule);

}  // namespace lightswitch
