#pragma once

#include <lightswitch/decoder_registry.hpp>

namespace lightswitch::routed {

DecoderFamily family();

}  // namespace lightswitch::routed
