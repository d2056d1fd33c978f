#pragma once

#include <lightswitch/decoder_registry.hpp>

namespace lightswitch::taming {

DecoderFamily family();

}  // namespace lightswitch::taming
