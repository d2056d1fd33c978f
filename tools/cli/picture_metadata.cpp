#include "cli/picture_metadata.hpp"

#include <nlohmann/json.hpp>

#include "media/generation_text.hpp"

namespace lightswitch::cli {

ImageText picture_metadata(const TextToImageOptions& options, int64_t index, const std::string& model,
                           const RunReport& report, const CommonOptions& common) {
  const int64_t seed = options.seed + index;
  nlohmann::ordered_json json = to_json(report, common);
  json.erase("outputs");
  add_generation(json, options, seed, model);
  return {{"parameters", generation_text(options, seed, model, report.network)}, {"lightswitch", dump_json(json)}};
}

}  // namespace lightswitch::cli
