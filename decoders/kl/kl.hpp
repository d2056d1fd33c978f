#pragma once

#include <lightswitch/decoder_registry.hpp>

namespace lightswitch::kl {

DecoderFamily family();

}  // namespace lightswitch::kl
