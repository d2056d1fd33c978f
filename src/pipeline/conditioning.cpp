#include "pipeline/conditioning.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <string>

namespace lightswitch {
namespace {

constexpr const char* kStates = "encoder_hidden_states";

/// One encoder's outputs for one text, the layers chosen.
Conditioning read(const Tokenizer& tokenizer, const TextEncoder& encoder, const std::string& text, int64_t clip_skip) {
  Conditioning found = encoder.encode(at::tensor(tokenizer.encode(text), at::kLong).unsqueeze(0));
  const auto layers = found.find("hidden_states");
  const int64_t choices = layers == found.end() || layers->second.dim() != 4 ? 1 : layers->second.size(0);
  if (clip_skip >= choices)
    throw OptionError("the text encoder has no such layer to end at",
                      {"", "clip_skip", "0 to " + std::to_string(choices - 1), std::to_string(clip_skip)});
  if (layers != found.end()) {
    if (layers->second.dim() != 4)
      throw TensorError("unusable text encoder",
                        {"", "hidden_states", "[S, B, L, D]", c10::str(layers->second.sizes())});
    found[kStates] = layers->second[clip_skip];
    found.erase("hidden_states");
  }
  return found;
}

Conditioning read_all(const TextToImageParts& parts, const std::string& text, int64_t clip_skip) {
  Conditioning found = read(*parts.tokenizer, *parts.text_encoder, text, clip_skip);
  if (!parts.text_encoder_2) return found;
  Conditioning second = read(*parts.tokenizer_2, *parts.text_encoder_2, text, clip_skip);
  const at::Tensor &a = found[kStates], &b = second[kStates];
  if (!a.defined() || !b.defined() || a.dim() != 3 || b.dim() != 3 || a.size(1) != b.size(1))
    throw TensorError("the two text encoders do not fit together",
                      {"", kStates, "[B, L, D] twice, with one L", c10::str(a.sizes(), " and ", b.sizes())});
  second[kStates] = at::cat({a, b}, 2);
  second.merge(found);
  return second;
}

}  // namespace

bool runs_both(const Denoiser& denoiser, double cfg_scale) {
  return cfg_scale > 1 && !denoiser.takes_guidance();
}

Conditioning condition(const TextToImageParts& parts, const TextToImageOptions& options) {
  Conditioning result = read_all(parts, options.prompt, options.clip_skip);
  // The size that the picture seems to have been scaled from, where it was cropped, and the size that is asked for
  // (SDXL, arXiv 2307.01952, section 2.2).
  const auto height = static_cast<float>(options.height), width = static_cast<float>(options.width);
  result["time_ids"] = at::tensor({height, width, 0.0F, 0.0F, height, width}).unsqueeze(0);
  result["guidance_scale"] = at::full({1}, options.cfg_scale, at::kFloat);
  if (!runs_both(*parts.denoiser, options.cfg_scale)) return result;

  // The negative prompt is read to the usual layer, as diffusers does.
  const bool zero = parts.zero_empty_negative && options.negative_prompt.empty();
  Conditioning negative = zero ? Conditioning{} : read_all(parts, options.negative_prompt, 0);
  for (auto& [name, tensor] : result) {
    const auto other = negative.find(name);
    const bool text = name != "time_ids" && name != "guidance_scale";
    tensor = at::cat({other != negative.end() ? other->second
                      : zero && text          ? at::zeros_like(tensor)
                                              : tensor,
                      tensor});
  }
  return result;
}

}  // namespace lightswitch
