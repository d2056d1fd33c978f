#pragma once

#include <string_view>
#include <vector>

namespace lightswitch::text {

/// CLIP's words of normalised text: a contraction's ending ('s 't 're 've 'm 'll 'd), a run of letters, a single digit,
/// or a run of anything else but white space, which separates words and is dropped.
std::vector<std::u32string_view> split_words(std::u32string_view text);

}  // namespace lightswitch::text
