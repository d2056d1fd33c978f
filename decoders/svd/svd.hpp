#pragma once

#include <lightswitch/decoder_registry.hpp>

namespace lightswitch::svd {

DecoderFamily family();

}  // namespace lightswitch::svd
