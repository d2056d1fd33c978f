#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>

#include "io/json_reader.hpp"

namespace lightswitch {
namespace {

void flatten(const nlohmann::json& value, const std::string& path, Config& config) {
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) flatten(item, path.empty() ? key : path + "." + key, config);
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) flatten(value[i], path + "." + std::to_string(i), config);
  } else if (value.is_string()) {
    config[path] = value.get<std::string>();
  } else if (!value.is_null()) {
    config[path] = value.dump();
  }
}

}  // namespace

Config read_config(const std::filesystem::path& file) {
  const auto json = read_json(file);
  if (!json.is_object()) throw FormatError("wrong type", {file.string(), "", "an object", json.type_name()});
  Config config;
  flatten(json, "", config);
  return config;
}

}  // namespace lightswitch
