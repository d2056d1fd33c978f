#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace lightswitch::nn {

/// Parses JSON of which two readers cannot see two different things: no key stands twice in one object.
/// @param deepest most levels of objects and lists. @throws FormatError naming `origin` and the key.
nlohmann::json parse_strict_json(std::string_view text, int deepest, const std::string& origin);

}  // namespace lightswitch::nn
