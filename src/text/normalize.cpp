#include "text/normalize.hpp"

#include "text/unicode.hpp"

namespace lightswitch::text {

std::u32string normalize(std::u32string_view text) {
  std::u32string collapsed;
  bool space = false;
  for (const char32_t code : to_nfc(text)) {
    const bool space_before = space;
    space = character_class(code) == CharacterClass::space;
    if (!space)
      collapsed.push_back(code);
    else if (!space_before)
      collapsed.push_back(U' ');
  }
  return to_lowercase(collapsed);
}

}  // namespace lightswitch::text
