#include "nn/files/strict_json.hpp"

#include <lightswitch/error.hpp>

#include <set>
#include <vector>

namespace lightswitch::nn {

nlohmann::json parse_strict_json(std::string_view text, int deepest, const std::string& origin) {
  // nlohmann keeps the last of two equal keys; another reader may keep the first.
  std::vector<std::set<std::string>> keys(deepest + 1);
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    if (depth >= deepest) throw FormatError("nested too deeply", {origin, "", "", ""});
    if (event == nlohmann::json::parse_event_t::object_start) keys[depth + 1].clear();
    if (event == nlohmann::json::parse_event_t::key && !keys[depth].insert(parsed.get<std::string>()).second)
      throw FormatError("key stands twice", {origin, parsed.get<std::string>(), "", ""});
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), watch);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError("not valid JSON", {origin, "", "", error.what()});
  }
}

}  // namespace lightswitch::nn
