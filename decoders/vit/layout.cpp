#include "vit/layout.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

namespace lightswitch::vit {
namespace {

/// Far above any real network; keeps a hostile file from naming stage 10^18.
constexpr int64_t max_stages = 16, max_ops = 256;

/// Cuts a number from the front of the text.
std::optional<int64_t> cut_number(std::string_view& text, int64_t limit) {
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number >= limit) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool cut_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_part_of(std::string_view name, std::string_view layer) {
  return cut_prefix(name, layer) && (name == ".weight" || name == ".bias");
}

std::optional<Op> op_of(std::string_view name, const Names& names) {
  if (is_part_of(name, names.resample) || is_part_of(name, names.strided)) return Op::resample;
  if (is_part_of(name, names.residual_expand) || is_part_of(name, names.residual_contract)) return Op::residual;
  if (name.starts_with(names.attention) || name.starts_with(names.gated_conv)) return Op::attention;
  return std::nullopt;
}

/// stage number -> operation number -> what it is.
using Numbered = std::map<int64_t, std::map<int64_t, Op>>;

Numbered numbered_ops(const WeightSource& weights, std::string_view prefix, const char* stages_name,
                      const Names& names) {
  Numbered stages;
  for (const TensorInfo& tensor : weights.tensors()) {
    std::string_view name = tensor.name;
    if (!cut_prefix(name, prefix) || !cut_prefix(name, stages_name)) continue;
    const auto stage = cut_number(name, max_stages);
    if (!stage || !cut_prefix(name, names.operations)) continue;
    const auto number = cut_number(name, max_ops);
    if (!number || !cut_prefix(name, ".")) continue;
    if (const auto op = op_of(name, names)) stages[*stage][*number] = *op;
  }
  return stages;
}

bool has_tensor_under(const WeightSource& weights, const std::string& prefix) {
  const auto& tensors = weights.tensors();
  return std::any_of(tensors.begin(), tensors.end(), [&](const TensorInfo& t) { return t.name.starts_with(prefix); });
}

/// Size of the first of these tensors that is there, along its axis. One width shows in many tensors; when one is
/// missing, the others still tell what its shape should be.
struct Evidence {
  std::string name;
  size_t axis;
};
std::optional<int64_t> size_by(const WeightSource& weights, const std::string& prefix,
                               const std::vector<Evidence>& evidence) {
  for (const auto& [name, axis] : evidence) {
    const TensorInfo* tensor = weights.find(prefix + name);
    if (tensor && axis < tensor->shape.size() && tensor->shape[axis] > 0) return tensor->shape[axis];
  }
  return std::nullopt;
}

int64_t width_of(const WeightSource& weights, const std::string& prefix, const Stage& stage) {
  const Names& names = *stage.names;
  const auto weight = [](const char* layer) { return std::string(layer) + ".weight"; };
  std::string block;
  for (size_t i = 0; i < stage.ops.size(); ++i) {
    if (stage.ops[i] == Op::resample) continue;
    block = prefix + stage.op_name(i);
    const auto width = size_by(weights, block,
                               {{weight(names.residual_expand), 0},
                                {weight(names.residual_contract), 0},
                                {weight(names.fused_qkv ? names.fused_qkv : names.thirds[0]), 1},
                                {weight(names.project), 0},
                                {weight(names.expand), 1},
                                {weight(names.contract), 0}});
    if (width) return *width;
  }
  throw WeightsError("the width of this stage cannot be told",
                     {.file = weights.origin(),
                      .field = prefix + stage.name,
                      .expected = "at least one block with a convolution",
                      .found = block.empty() ? "no block" : "no convolution of " + block});
}

bool holds_batch_norm(const WeightSource& weights, const std::string& stage) {
  const auto& tensors = weights.tensors();
  return std::any_of(tensors.begin(), tensors.end(), [&](const TensorInfo& tensor) {
    return tensor.name.starts_with(stage) && tensor.name.find(".running_") != std::string::npos;
  });
}

/// The first of these keys that the config has: `act.2` for stage 2, under the network's own prefix first, since one
/// config may describe encoder and decoder; then diffusers' lists, which describe the decoder alone.
std::string stage_option(const Config& config, const std::string& network, const std::string& key,
                         const std::string& diffusers_key, int64_t stage, const std::string& fallback) {
  const std::string number = std::to_string(stage), own_key = key + "." + number;
  std::vector<std::string> names{network + own_key, own_key};
  if (network == "decoder.") {
    names.push_back(diffusers_key + "." + number);
    names.push_back(diffusers_key);
  }
  for (const std::string& name : names) {
    if (const auto entry = config.find(name); entry != config.end()) return entry->second;
  }
  return fallback;
}

nn::Activation activation_of(const std::string& text, const std::string& key) {
  if (text == "relu") return nn::Activation::relu;
  if (text == "silu") return nn::Activation::silu;
  throw UnsupportedError("activation not supported by the vit family",
                         {.file = {}, .field = key, .expected = "relu or silu", .found = text});
}

/// efficientvit's word for a norm.
std::string norm_word(const std::string& text) {
  if (text == "batch_norm") return "bn2d";
  return text == "rms_norm" ? "trms2d" : text;
}

Stage read_stage(const WeightSource& weights, const Config& config, const std::string& prefix,
                 const std::string& network, Stage stage, int64_t number, const std::map<int64_t, Op>& ops) {
  for (int64_t i = 0; i <= ops.rbegin()->first; ++i) {
    const auto op = ops.find(i);
    stage.ops.push_back(op != ops.end() ? op->second : ops.rbegin()->second);
  }
  stage.width = width_of(weights, prefix, stage);
  stage.batch_norm = holds_batch_norm(weights, prefix + stage.name);
  const std::string norm = stage.batch_norm ? "bn2d" : "trms2d", field = std::to_string(number);
  const std::string configured = norm_word(stage_option(config, network, "norm", "decoder_norm_types", number, norm));
  if (configured != norm) {
    throw OptionError("the config contradicts the tensors",
                      {.file = weights.origin(), .field = "norm." + field, .expected = norm, .found = configured});
  }
  const std::string usual = stage.batch_norm ? "relu" : "silu";
  stage.act = activation_of(stage_option(config, network, "act", "decoder_act_fns", number, usual), "act." + field);
  stage.gate_act = stage.names->diffusers ? nn::Activation::silu : stage.act;
  return stage;
}

struct Spelling {
  const Names* names;
  std::string prefix;
};

/// The network of this kind that the file holds, its stages from the highest resolution down; nullopt when none.
/// @param network "encoder." or "decoder."
std::optional<Layout> read_layout(const WeightSource& weights, const Config& config, const std::string& network,
                                  const std::vector<Spelling>& spellings) {
  for (const auto& [names, prefix] : spellings) {
    const char* stages = network == "decoder." ? names->decoder_stages : names->encoder_stages;
    const Numbered numbered = numbered_ops(weights, prefix, stages, *names);
    if (numbered.empty()) continue;
    Layout layout{.names = names, .prefix = prefix, .stages = {}};
    for (const auto& [number, ops] : numbered) {
      const Stage stage{.names = names,
                        .name = std::string(stages) + std::to_string(number) + names->operations,
                        .ops = {},
                        .width = 0};
      layout.stages.push_back(read_stage(weights, config, prefix, network, stage, number, ops));
    }
    return layout;
  }
  return std::nullopt;
}

const std::vector<Spelling>& decoder_spellings() {
  static const std::vector<Spelling> spellings{
      {&upstream_names, "decoder."}, {&diffusers_names, "decoder."}, {&upstream_names, ""}};
  return spellings;
}

const std::vector<Spelling>& encoder_spellings() {
  static const std::vector<Spelling> spellings{{&upstream_names, "encoder."}, {&diffusers_names, "encoder."}};
  return spellings;
}

bool config_flag(const Config& config, const std::string& key) {
  const std::string text = nn::config_text(config, key, "true");
  if (text == "true") return true;
  if (text == "false") return false;
  throw OptionError("unknown value", {.file = {}, .field = key, .expected = "true or false", .found = text});
}

}  // namespace

bool Layout::has_batch_norm() const {
  return std::any_of(stages.begin(), stages.end(), [](const Stage& stage) { return stage.batch_norm; });
}

bool Layout::attends() const {
  return std::any_of(stages.begin(), stages.end(), [](const Stage& stage) {
    return std::find(stage.ops.begin(), stage.ops.end(), Op::attention) != stage.ops.end();
  });
}

std::string Layout::describe() const {
  std::string widths, depths, attention;
  const auto append = [](std::string& list, int64_t number) {
    if (!list.empty()) list += ',';
    list += std::to_string(number);
  };
  for (const Stage& stage : stages) {
    const int64_t attending = std::count(stage.ops.begin(), stage.ops.end(), Op::attention);
    append(widths, stage.width);
    append(depths, std::count(stage.ops.begin(), stage.ops.end(), Op::residual) + attending);
    append(attention, attending);
  }
  return "widths " + widths + ", depths " + depths + (attends() ? ", attention blocks " + attention : ", no attention");
}

std::optional<Layout> decoder_layout(const WeightSource& weights, const Config& config) {
  auto layout = read_layout(weights, config, "decoder.", decoder_spellings());
  if (!layout) return std::nullopt;
  const Names& names = *layout->names;
  const std::string conv_in = names.decoder_in, conv_out = names.decoder_out;
  std::reverse(layout->stages.begin(), layout->stages.end());
  layout->latent_channels = size_by(weights, layout->prefix, {{conv_in + ".weight", 1}}).value_or(1);
  layout->resamples_at_full_size = has_tensor_under(weights, layout->prefix + conv_out + ".conv.");
  layout->latent_shortcut = config_flag(config, "decoder_in_shortcut");
  const std::string act = "decoder_conv_act_fn";
  layout->out_act = activation_of(nn::config_text(config, act, "relu"), act);
  return layout;
}

std::optional<Layout> encoder_layout(const WeightSource& weights, const Config& config) {
  auto layout = read_layout(weights, config, "encoder.", encoder_spellings());
  if (!layout) return std::nullopt;
  const Names& names = *layout->names;
  const std::string conv_in = names.encoder_in, conv_out = names.encoder_out;
  layout->latent_channels =
      size_by(weights, layout->prefix, {{conv_out + ".weight", 0}, {conv_out + ".bias", 0}}).value_or(1);
  layout->resamples_at_full_size = has_tensor_under(weights, layout->prefix + conv_in + ".conv.");
  layout->latent_shortcut = config_flag(config, "encoder_out_shortcut");
  return layout;
}

bool holds_network(const WeightSource& weights) {
  const auto has_stages = [&](const Spelling& spelling, const char* stages) {
    return !numbered_ops(weights, spelling.prefix, stages, *spelling.names).empty();
  };
  return std::ranges::any_of(decoder_spellings(),
                             [&](const auto& s) { return has_stages(s, s.names->decoder_stages); }) ||
         std::ranges::any_of(encoder_spellings(),
                             [&](const auto& s) { return has_stages(s, s.names->encoder_stages); });
}

}  // namespace lightswitch::vit
