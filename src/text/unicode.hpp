#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// The part of Unicode that tokenizers need: decoding, character classes, lower case, canonical composition.
namespace lightswitch::text {

/// Malformed bytes become U+FFFD, one for each maximal prefix of a valid sequence, as WHATWG and Python decode.
std::u32string decode_utf8(std::string_view bytes);

/// @param code a scalar value, as decode_utf8() yields them.
void append_utf8(std::string& bytes, char32_t code);

/// General category L* or N*, the property White_Space, or none of these.
enum class CharacterClass : uint8_t { other, letter, number, space };
CharacterClass character_class(char32_t code);

/// Each character's own lower case without regard to its neighbours: a capital sigma never becomes the final one.
std::u32string to_lowercase(std::u32string_view text);

/// Normalisation form C.
std::u32string to_nfc(std::u32string_view text);

}  // namespace lightswitch::text
