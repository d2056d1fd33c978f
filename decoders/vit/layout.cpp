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

std::optional<Op> op_of(std::string_view name) {
  if (name.starts_with("main.conv.conv.")) return Op::resample;
  if (name.starts_with("main.conv1.") || name.starts_with("main.conv2.")) return Op::residual;
  if (name.starts_with("context_module.") || name.starts_with("local_module.")) return Op::attention;
  return std::nullopt;
}

/// stage number -> operation number -> what it is.
using Numbered = std::map<int64_t, std::map<int64_t, Op>>;

Numbered numbered_ops(const WeightSource& weights, std::string_view prefix) {
  Numbered stages;
  for (const TensorInfo& tensor : weights.tensors()) {
    std::string_view name = tensor.name;
    if (!cut_prefix(name, prefix) || !cut_prefix(name, "stages.")) continue;
    const auto stage = cut_number(name, max_stages);
    if (!stage || !cut_prefix(name, ".op_list.")) continue;
    const auto number = cut_number(name, max_ops);
    if (!number || !cut_prefix(name, ".")) continue;
    if (const auto op = op_of(name)) stages[*stage][*number] = *op;
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
  std::string block;
  for (size_t i = 0; i < stage.ops.size(); ++i) {
    if (stage.ops[i] == Op::resample) continue;
    block = prefix + stage.op_name(i);
    const auto width = size_by(weights, block,
                               {{"main.conv1.conv.weight", 0},
                                {"main.conv2.conv.weight", 0},
                                {"context_module.main.qkv.conv.weight", 1},
                                {"context_module.main.proj.conv.weight", 0},
                                {"local_module.main.inverted_conv.conv.weight", 1},
                                {"local_module.main.point_conv.conv.weight", 0}});
    if (width) return *width;
  }
  throw WeightsError("the width of this stage cannot be told",
                     {.file = weights.origin(),
                      .field = prefix + stage.name,
                      .expected = "at least one block with a convolution",
                      .found = block.empty() ? "no block" : "no convolution of " + block});
}

std::string norm_of(const WeightSource& weights, const std::string& stage) {
  const auto& tensors = weights.tensors();
  const bool batch = std::any_of(tensors.begin(), tensors.end(), [&](const TensorInfo& tensor) {
    return tensor.name.starts_with(stage) && tensor.name.find(".norm.running_") != std::string::npos;
  });
  return batch ? "bn2d" : "trms2d";
}

/// `act.2` for stage 2, under the network's own prefix first: one config may describe encoder and decoder.
std::string stage_option(const Config& config, const std::string& network, const std::string& key, int64_t stage,
                         const std::string& fallback) {
  const std::string name = key + "." + std::to_string(stage);
  return nn::config_text(config, network + name, nn::config_text(config, name, fallback));
}

nn::Activation activation_of(const std::string& text, int64_t stage) {
  if (text == "relu") return nn::Activation::relu;
  if (text == "silu") return nn::Activation::silu;
  throw UnsupportedError(
      "activation not supported by the vit family",
      {.file = {}, .field = "act." + std::to_string(stage), .expected = "relu or silu", .found = text});
}

Stage read_stage(const WeightSource& weights, const Config& config, const std::string& prefix,
                 const std::string& network, int64_t number, const std::map<int64_t, Op>& ops) {
  Stage stage{.name = "stages." + std::to_string(number) + ".op_list.", .ops = {}, .width = 0};
  for (int64_t i = 0; i <= ops.rbegin()->first; ++i) {
    const auto op = ops.find(i);
    stage.ops.push_back(op != ops.end() ? op->second : ops.rbegin()->second);
  }
  stage.width = width_of(weights, prefix, stage);
  const std::string norm = norm_of(weights, prefix + stage.name);
  const std::string configured = stage_option(config, network, "norm", number, norm);
  if (configured != norm) {
    throw OptionError(
        "the config contradicts the tensors",
        {.file = weights.origin(), .field = "norm." + std::to_string(number), .expected = norm, .found = configured});
  }
  stage.act = activation_of(stage_option(config, network, "act", number, norm == "bn2d" ? "relu" : "silu"), number);
  return stage;
}

/// The stages of one network from the highest resolution down; empty when there are none.
std::vector<Stage> read_stages(const WeightSource& weights, const Config& config, const std::string& prefix,
                               const std::string& network) {
  std::vector<Stage> stages;
  for (const auto& [number, ops] : numbered_ops(weights, prefix)) {
    stages.push_back(read_stage(weights, config, prefix, network, number, ops));
  }
  return stages;
}

bool has_stages(const WeightSource& weights, const std::string& prefix) {
  return !numbered_ops(weights, prefix).empty();
}

}  // namespace

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
  const std::string prefix = has_stages(weights, "decoder.") ? "decoder." : "";
  Layout layout{.prefix = prefix, .stages = read_stages(weights, config, prefix, "decoder.")};
  if (layout.stages.empty()) return std::nullopt;
  std::reverse(layout.stages.begin(), layout.stages.end());
  layout.latent_channels = size_by(weights, prefix, {{"project_in.main.conv.weight", 1}}).value_or(1);
  layout.resamples_at_full_size = has_tensor_under(weights, prefix + "project_out.op_list.2.conv.conv.");
  return layout;
}

std::optional<Layout> encoder_layout(const WeightSource& weights, const Config& config) {
  Layout layout{.prefix = "encoder.", .stages = read_stages(weights, config, "encoder.", "encoder.")};
  if (layout.stages.empty()) return std::nullopt;
  const std::string conv_out = "project_out.main.op_list.0.conv.";
  layout.latent_channels =
      size_by(weights, layout.prefix, {{conv_out + "weight", 0}, {conv_out + "bias", 0}}).value_or(1);
  layout.resamples_at_full_size = has_tensor_under(weights, "encoder.project_in.conv.conv.");
  return layout;
}

bool holds_network(const WeightSource& weights) {
  return has_stages(weights, "decoder.") || has_stages(weights, "encoder.") || has_stages(weights, "");
}

}  // namespace lightswitch::vit
