#include "nn/autoencoder/file_names.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace lightswitch::nn::autoencoder {
namespace {

/// Every such autoencoder has this block, and no other family gives it these names.
constexpr const char* kMarker = "mid_block.resnets.0.conv1.weight";
constexpr const char* kTemporalMarker = "mid_block.resnets.0.spatial_res_block.conv1.weight";
constexpr const char* kCompvisMarker = "mid.block_1.conv1.weight";
constexpr const char* kCompvisTemporalMarker = "mid.block_1.time_stack.in_layers.2.weight";
constexpr std::array kScopes = {"", "first_stage_model.", "vae."};
constexpr const char* kUpBlocks = ".up_blocks.";

/// diffusers' words and CompVis'. What is not here has the same name in both; up_blocks are counted differently too.
constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kWords = {{
    {".mid_block.resnets.0.", ".mid.block_1."},
    {".mid_block.resnets.1.", ".mid.block_2."},
    {".mid_block.attentions.0.", ".mid.attn_1."},
    {".down_blocks.", ".down."},
    {".resnets.", ".block."},
    {".attentions.", ".attn."},
    {".upsamplers.0.", ".upsample."},
    {".downsamplers.0.", ".downsample."},
    {".conv_shortcut.", ".nin_shortcut."},
    {".conv_norm_out.", ".norm_out."},
    {".group_norm.", ".norm."},
    {".to_q.", ".q."},
    {".to_k.", ".k."},
    {".to_v.", ".v."},
    {".to_out.0.", ".proj_out."},
    {".temporal_res_block.norm1.", ".time_stack.in_layers.0."},
    {".temporal_res_block.conv1.", ".time_stack.in_layers.2."},
    {".temporal_res_block.norm2.", ".time_stack.out_layers.0."},
    {".temporal_res_block.conv2.", ".time_stack.out_layers.3."},
    {".spatial_res_block.", "."},
    {".time_mixer.", "."},
    {".time_conv_out.", ".conv_out.time_mix_conv."},
}};

/// The number that `text` begins with, or -1.
int64_t leading_number(std::string_view text) {
  int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string compvis_name(std::string name, int64_t up_stages) {
  if (const size_t at = name.find(kUpBlocks); at != std::string::npos) {
    const size_t digits = at + std::string_view(kUpBlocks).size(), end = std::min(name.find('.', digits), name.size());
    const int64_t stage = leading_number(std::string_view(name).substr(digits));
    if (stage >= 0 && stage < up_stages) name.replace(at, end - at, ".up." + std::to_string(up_stages - 1 - stage));
  }
  for (const auto& [word, other] : kWords)
    if (const size_t at = name.find(word); at != std::string::npos) name.replace(at, word.size(), other);
  return name;
}

/// One more than the largest N of "decoder.up.N.": a stage that lacks tensors is still counted.
int64_t count_up_stages(const WeightSource& weights, const std::string& scope) {
  constexpr int64_t kMostStages = 16;
  const std::string start = scope + kDecoder + "up.";
  int64_t stages = 0;
  for (const TensorInfo& info : weights.tensors())
    if (info.name.starts_with(start))
      stages = std::max(stages, leading_number(std::string_view(info.name).substr(start.size())) + 1);
  return std::min(stages, kMostStages);
}

FileNames compvis_names(const WeightSource& weights, const std::string& scope) {
  return {.scope = scope, .compvis = true, .up_stages = count_up_stages(weights, scope)};
}

bool has_square_convolution(const WeightSource& weights, const std::string& name) {
  const TensorInfo* info = weights.find(name);
  return info != nullptr && info->shape.size() == 4 && info->shape[0] == info->shape[1] && info->shape[0] > 0;
}

}  // namespace

WeightLoader FileNames::loader(const NetworkRequest& request, const std::string& half) const {
  const bool decodes = half == kDecoder;
  std::vector<std::string> siblings{decodes ? kEncoder : kDecoder, decodes ? "quant_conv." : "post_quant_conv.",
                                    "loss.", "model_ema."};
  TensorNames names{.scope = scope};
  if (compvis) names.stored = [stages = up_stages](const std::string& name) { return compvis_name(name, stages); };
  return WeightLoader(request, half, std::move(siblings), std::move(names));
}

bool FileNames::quantizes(const WeightSource& weights) const {
  return weights.find(scope + "quantize.embedding.weight") || weights.find(scope + "quantize.embed.weight");
}

std::optional<FileNames> find_half(const WeightSource& weights, const std::string& half) {
  for (const std::string scope : kScopes) {
    if (has_square_convolution(weights, scope + half + kMarker)) return FileNames{.scope = scope};
    if (has_square_convolution(weights, scope + half + kCompvisMarker)) return compvis_names(weights, scope);
  }
  return std::nullopt;
}

std::optional<FileNames> find_any(const WeightSource& weights) {
  if (auto names = find_half(weights, kDecoder)) return names;
  return find_half(weights, kEncoder);
}

std::optional<FileNames> find_temporal_decoder(const WeightSource& weights) {
  for (const std::string scope : kScopes) {
    const std::string start = scope + kDecoder;
    if (has_square_convolution(weights, start + kTemporalMarker)) return FileNames{.scope = scope};
    if (has_square_convolution(weights, start + kCompvisMarker) && weights.find(start + kCompvisTemporalMarker))
      return compvis_names(weights, scope);
  }
  return std::nullopt;
}

FileNames require_temporal_decoder(const WeightSource& weights) {
  if (auto names = find_temporal_decoder(weights)) return *names;
  throw WeightsError("no AutoencoderKLTemporalDecoder in this file",
                     {weights.origin(), "", kDecoder + kTemporalMarker + " or " + kDecoder + kCompvisTemporalMarker,
                      "no such tensor"});
}

FileNames require_half(const WeightSource& weights, const std::string& half, const std::string& network) {
  if (auto names = find_half(weights, half)) return *names;
  throw WeightsError("no " + network + " " + half.substr(0, half.size() - 1) + " in this file",
                     {weights.origin(), "", half + kMarker + " or " + half + kCompvisMarker, "no such tensor"});
}

}  // namespace lightswitch::nn::autoencoder
