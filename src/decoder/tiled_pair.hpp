#pragma once

#include <memory>

#include "decoder/pair_decoder.hpp"
#include "decoder/pair_parts.hpp"

namespace lightswitch {

/// A pair of decoders routed tile by tile: the light one makes the whole picture, the heavy one makes its tiles over
/// again, each block of them with the halo that it sees, and comes in over some pixels beside light ones. Where all
/// tiles are heavy the light one does not run; where blocks with their halos cost more than the whole picture does, the
/// heavy one makes that.
/// @param rule with a tile. @throws UnsupportedError for a heavy decoder that looks at the whole picture; decoding
/// throws it for a picture that is no larger than one tile with its halo.
std::shared_ptr<const Decoder> make_tiled_pair(PairParts parts, const PairRule& rule);

}  // namespace lightswitch
