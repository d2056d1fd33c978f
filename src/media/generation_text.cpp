#include "media/generation_text.hpp"

#include <lightswitch/version.h>

#include <map>
#include <sstream>

namespace lightswitch {
namespace {

/// The names that stable-diffusion-webui shows for samplers.
std::string sampler_name(const std::string& method) {
  static const std::map<std::string, std::string> names{{"ddim", "DDIM"},        {"pndm", "PLMS"},
                                                        {"euler", "Euler"},      {"euler_a", "Euler a"},
                                                        {"dpm++2m", "DPM++ 2M"}, {"dpm++2m_karras", "DPM++ 2M Karras"},
                                                        {"unipc", "UniPC"},      {"lcm", "LCM"}};
  const auto entry = names.find(method);
  return entry == names.end() ? method : entry->second;
}

/// The line is a list parted by commas and colons: a value that holds one is written as a JSON string.
std::string quoted(const std::string& value) {
  return value.find_first_of(",:\n") == std::string::npos
             ? value
             : nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string generation_text(const TextToImageOptions& options, int64_t seed, const std::string& model,
                            const std::string& decoder) {
  std::ostringstream text;
  text << options.prompt << "\n";
  if (!options.negative_prompt.empty()) text << "Negative prompt: " << options.negative_prompt << "\n";
  text << "Steps: " << options.steps << ", Sampler: " << sampler_name(options.sampling_method)
       << ", CFG scale: " << options.cfg_scale << ", Seed: " << seed << ", Size: " << options.width << "x"
       << options.height << ", Model: " << quoted(model) << ", VAE: " << quoted(decoder);
  if (options.clip_skip > 0) text << ", Clip skip: " << options.clip_skip + 1;  // webui counts from 1
  if (options.init_image.defined()) text << ", Denoising strength: " << options.strength;
  text << ", Version: lightswitch " LIGHTSWITCH_VERSION;
  return text.str();
}

void add_generation(nlohmann::ordered_json& json, const TextToImageOptions& options, int64_t seed,
                    const std::string& model) {
  json["seed"] = seed;
  json["model"] = model;
  json["prompt"] = options.prompt;
  json["negative_prompt"] = options.negative_prompt;
  json["width"] = options.width;
  json["height"] = options.height;
  json["steps"] = options.steps;
  json["cfg_scale"] = options.cfg_scale;
  json["sampling_method"] = options.sampling_method;
  if (options.clip_skip > 0) json["clip_skip"] = options.clip_skip;
  if (options.init_image.defined()) json["strength"] = options.strength;
}

}  // namespace lightswitch
