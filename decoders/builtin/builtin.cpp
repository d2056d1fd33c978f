#include <lightswitch/decoder_registry.hpp>

#include <array>

#include "kl/kl.hpp"
#include "projection/projection.hpp"
#include "routed/routed.hpp"
#include "svd/svd.hpp"
#include "taming/taming.hpp"
#include "vit/vit.hpp"
#include "vqgan/vqgan.hpp"

namespace lightswitch {

std::span<const DecoderFamily> builtin_decoder_families() {
  static const std::array table{kl::family(),     vqgan::family(),      svd::family(),   vit::family(),
                                taming::family(), projection::family(), routed::family()};
  return table;
}

}  // namespace lightswitch
