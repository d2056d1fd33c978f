#include "decoder/spec_options.hpp"

#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>

#include "core/nearest_word.hpp"

namespace lightswitch {

const std::map<std::string, std::string>& config_options() {
  static const std::map<std::string, std::string> keys = {{"range", "output_range"},
                                                          {"latent-kind", "latent_kind"},
                                                          {"scaling-factor", "scaling_factor"},
                                                          {"shift-factor", "shift_factor"},
                                                          {"space", "space"}};
  return keys;
}

std::vector<std::string> common_options() {
  std::vector<std::string> known = {"calibration", "dtype", "family"};
  for (const auto& [option, key] : config_options()) known.push_back(option);
  return known;
}

const std::vector<std::string>& family_options() {
  static const std::vector<std::string> options = {"bn",   "budget-ms", "chunking", "heavy-share",
                                                   "snap", "threshold", "tile"};
  return options;
}

DType dtype_option(const std::string& value) {
  const auto dtype = parse_dtype(value);
  if (!dtype) throw OptionError("unusable value", {"", "dtype", "auto, fp32, bf16, fp16 or int8", value});
  return *dtype;
}

DType dtype_without_overflow(DType asked, const Config& config) {
  const auto entry = config.find("force_upcast");
  if (entry == config.end()) return asked;
  if (entry->second != "true" && entry->second != "false")
    throw OptionError("unknown value", {"", "force_upcast", "true or false", entry->second});
  return asked == DType::fp16 && entry->second == "true" ? DType::automatic : asked;
}

std::string suggest(std::string_view word, const std::vector<std::string>& known) {
  const std::string nearest = nearest_word(word, known);
  return nearest.empty() ? join_words(known) : "perhaps " + nearest;
}

Config config_beside(const std::filesystem::path& weights) {
  const auto config = (std::filesystem::is_directory(weights) ? weights : weights.parent_path()) / "config.json";
  return std::filesystem::exists(config) ? read_config(config) : Config{};
}

}  // namespace lightswitch
