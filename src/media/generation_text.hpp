#pragma once

#include <lightswitch/text_to_image.hpp>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace lightswitch {

/// What made a picture, in the words and the order of stable-diffusion-webui: the text that a PNG carries under
/// `parameters`.
std::string generation_text(const TextToImageOptions& options, int64_t seed, const std::string& model,
                            const std::string& decoder);

/// The same as fields of a JSON object.
void add_generation(nlohmann::ordered_json& json, const TextToImageOptions& options, int64_t seed,
                    const std::string& model);

}  // namespace lightswitch
