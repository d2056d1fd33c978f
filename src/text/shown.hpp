#pragma once

#include <string>
#include <string_view>

#include "text/unicode.hpp"

namespace lightswitch::text {

/// A file's words as an error message may show them: quoted, valid UTF-8, without control characters, cut when long.
inline std::string shown(std::string_view bytes) {
  constexpr size_t kLongest = 60;
  std::string text = "\"";
  for (const char32_t code : decode_utf8(bytes.substr(0, kLongest))) append_utf8(text, code < 0x20 ? U'?' : code);
  return text + (bytes.size() > kLongest ? "\" …" : "\"");
}

}  // namespace lightswitch::text
