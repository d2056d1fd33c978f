#pragma once

#include <string_view>

namespace lightswitch::nn {

/// What a file that is no weight file looks like from its first bytes ("an HTML page"), or null when nothing is
/// recognised.
const char* describe_signature(std::string_view bytes);

}  // namespace lightswitch::nn
