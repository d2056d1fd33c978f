#pragma once

#include <lightswitch/decoder_registry.hpp>

namespace lightswitch::projection {

DecoderFamily family();

}  // namespace lightswitch::projection
