#pragma once

#include <string>
#include <string_view>

namespace lightswitch::text {

/// What CLIP does to text before it looks for words: normalisation form C, white space collapsed to single spaces,
/// lower case.
std::u32string normalize(std::u32string_view text);

}  // namespace lightswitch::text
