#pragma once

#include <lightswitch/decoder_registry.hpp>

namespace lightswitch::vit {

DecoderFamily family();

}  // namespace lightswitch::vit
