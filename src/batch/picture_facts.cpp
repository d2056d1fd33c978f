#include "batch/picture_facts.hpp"

#include <nlohmann/json.hpp>

#include "media/generation_text.hpp"

namespace lightswitch {

PictureText describe_picture(const PictureFacts& facts, const ItemResult& result, const BatchSettings& settings,
                             const std::string& decoder, const NetworkInfo& info) {
  nlohmann::ordered_json json{
      {"version", settings.version},
      {"command", "batch"},
      {"id", result.id},
      {"digest", result.digest},
      {"device", "cpu"},
      {"dtype", result.dtype},
      {"decoder", {{"name", decoder}, {"family", info.family}, {"parameters", info.parameters}}}};
  PictureText text;
  if (facts.options) {
    add_generation(json, *facts.options, facts.options->seed, settings.model);
    text.in_png["parameters"] = generation_text(*facts.options, facts.options->seed, settings.model, decoder);
  } else {
    if (facts.seed) json["seed"] = *facts.seed;
    if (!facts.prompt.empty()) json["prompt"] = facts.prompt;
    if (!facts.model.empty()) json["model"] = facts.model;
  }
  text.json = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.in_png["lightswitch"] = text.json;
  return text;
}

}  // namespace lightswitch
