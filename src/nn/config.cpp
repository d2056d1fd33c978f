#include <lightswitch/error.hpp>

#include <charconv>
#include <cmath>

#include "nn/weight_loader.hpp"

namespace lightswitch::nn {
namespace {

template <typename Number>
Number config_number(const Config& config, const std::string& key, Number fallback, const char* expected) {
  const auto entry = config.find(key);
  if (entry == config.end()) return fallback;
  const std::string& text = entry->second;
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw OptionError("not a number", {"", key, expected, "\"" + text + "\""});
  return value;
}

}  // namespace

int64_t config_int(const Config& config, const std::string& key, int64_t fallback) {
  return config_number<int64_t>(config, key, fallback, "an integer");
}

double config_double(const Config& config, const std::string& key, double fallback) {
  const double value = config_number<double>(config, key, fallback, "a number");
  if (!std::isfinite(value)) throw OptionError("out of range", {"", key, "a finite number", config.at(key)});
  return value;
}

std::string config_text(const Config& config, const std::string& key, const std::string& fallback) {
  const auto entry = config.find(key);
  return entry == config.end() ? fallback : entry->second;
}

void apply_common_config(LatentSpec& spec, const Config& config) {
  const double scale = config_double(config, "scaling_factor", spec.scaling_factor);
  if (!(scale > 0))
    throw OptionError("out of range", {"", "scaling_factor", "a number above 0", std::to_string(scale)});
  spec.scaling_factor = scale;
  // diffusers writes null where a model has no shift.
  if (config_text(config, "shift_factor", "null") != "null")
    spec.shift_factor = config_double(config, "shift_factor", spec.shift_factor);
  spec.space = config_text(config, "space", spec.space);
  if (const auto entry = config.find("output_range"); entry != config.end()) {
    const auto range = parse_output_range(entry->second);
    if (!range) throw OptionError("unknown value", {"", "output_range", "signed or unit", entry->second});
    spec.output_range = *range;
  }
  if (const auto entry = config.find("latent_kind"); entry != config.end()) {
    const auto kind = parse_latent_kind(entry->second);
    if (!kind) throw OptionError("unknown value", {"", "latent_kind", "raw, diffusion or indices", entry->second});
    spec.network_input = *kind;
  }
}

}  // namespace lightswitch::nn
