#pragma once

#include <lightswitch/decoder_registry.hpp>

namespace lightswitch::vqgan {

DecoderFamily family();

}  // namespace lightswitch::vqgan
