#pragma once

#include <lightswitch/routed_decoder.hpp>

#include <memory>

#include "routing/heavy_rule.hpp"

namespace lightswitch {

/// How a pair of decoders is routed.
struct PairRule {
  HeavyRule heavy;
  int64_t dwell = 8;  ///< frames of a clip that a path is kept for, so that it does not flicker; 1 or more

  /// Of a SPEC: heavy-share, threshold or budget-ms, and dwell. @throws OptionError.
  static PairRule read(const Config& config);
};

/// Any light and heavy decoder of one latent space, routed picture by picture; it takes diffusion latents and gives
/// pictures in [0, 1]. Tiles are not routed: all that is needed of a picture for one heavy tile of an ordinary decoder
/// is most of the picture.
/// @param gate [n, C, h, w] diffusion latents to scores.
/// @throws UnsupportedError for decoders of different spaces (channels, factor, name, scaling) and of indices.
std::shared_ptr<const Decoder> make_pair_decoder(std::shared_ptr<const Decoder> light,
                                                 std::shared_ptr<const Decoder> heavy, std::shared_ptr<const Gate> gate,
                                                 const PairRule& rule);

}  // namespace lightswitch
