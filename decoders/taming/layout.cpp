#include "taming/layout.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

namespace lightswitch::taming {
namespace {

/// Far above any real network; keeps a hostile file from naming layer 10^18.
constexpr int64_t max_layers = 256;
constexpr size_t max_stages = 8;

struct Numbering {
  std::string prefix;
  int64_t conv_in;             ///< number of the first convolution
  int64_t layers_after_input;  ///< weightless layers between it and the first block
  int64_t layers_in_resample;  ///< weightless layers before a stage's bias-less convolution
};

const Numbering diffusers_decoder{"decoder.layers.", 0, 1, 1};
const Numbering original_decoder{"", 1, 1, 1};
const Numbering diffusers_encoder{"encoder.layers.", 0, 0, 0};
const Numbering original_encoder{"", 0, 0, 0};
const Numbering video_decoder{"decoder.", 1, 1, 1};
const Numbering video_encoder{"encoder.", 0, 0, 0};
const Numbering clip_encoder{"encoder.", 0, 1, 0};
const Numbering temporal_decoder{"layers.", 0, 1, 1};

enum class Layer { convolution, block, pooling_block, grow };

/// Every numbered layer under the prefix that owns tensors.
std::map<int64_t, Layer> numbered_layers(const WeightSource& weights, std::string_view prefix) {
  std::map<int64_t, Layer> layers;
  for (const TensorInfo& tensor : weights.tensors()) {
    std::string_view name = tensor.name;
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    int64_t number = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || number < 0 || number >= max_layers) continue;
    const std::string_view rest = name.substr(static_cast<size_t>(end - name.data()));
    if (rest == ".conv.weight") {
      layers[number] = Layer::grow;
      continue;
    }
    if (rest.starts_with(".pool.")) layers[number] = Layer::pooling_block;
    if (rest.starts_with(".conv.") && layers[number] != Layer::pooling_block) layers[number] = Layer::block;
    if (rest == ".weight" || rest == ".bias") layers.try_emplace(number, Layer::convolution);
  }
  return layers;
}

bool is_block(Layer layer) {
  return layer == Layer::block || layer == Layer::pooling_block;
}

std::optional<std::vector<int64_t>> conv_weight_shape(const WeightSource& weights, const std::string& name) {
  const TensorInfo* tensor = weights.find(name);
  if (!tensor || tensor->shape.size() != 4) return std::nullopt;
  return tensor->shape;
}

std::optional<Layout> read_layout(const WeightSource& weights, const Numbering& numbering) {
  const auto layers = numbered_layers(weights, numbering.prefix);
  const auto conv_in = conv_weight_shape(weights, numbering.prefix + std::to_string(numbering.conv_in) + ".weight");
  const bool any_block = std::any_of(layers.begin(), layers.end(), [](const auto& l) { return is_block(l.second); });
  if (!conv_in || !any_block) return std::nullopt;

  Layout layout{
      .prefix = numbering.prefix, .conv_in = std::to_string(numbering.conv_in), .conv_out = {}, .stages = {Stage{}}};
  int64_t next = numbering.conv_in + 1 + numbering.layers_after_input;
  const int64_t last = layers.rbegin()->first;
  const bool video = std::ranges::any_of(layers, [](const auto& l) { return l.second == Layer::grow; });
  Layer before = Layer::block;
  std::string grow;
  for (const auto& [number, layer] : layers) {
    if (number <= numbering.conv_in) continue;
    const bool resamples = layer == Layer::convolution && number != last;
    int64_t weightless = 0;
    if ((resamples && before != Layer::grow) || layer == Layer::grow) weightless = numbering.layers_in_resample;
    if (resamples && video && before != Layer::grow) {
      grow = std::to_string(number - 1);  // is missing
      ++weightless;
    }
    // The last stage of TAEHV has a ReLU in place of blocks.
    if (number == last && before == Layer::convolution && video) weightless = 1;
    for (; next < number - weightless; ++next) {
      layout.stages.back().blocks.push_back({std::to_string(next)});  // a hole: reported as missing when it is loaded
    }
    if (is_block(layer)) layout.stages.back().blocks.push_back({std::to_string(number), layer == Layer::pooling_block});
    if (layer == Layer::grow) grow = std::to_string(number);
    if (resamples)
      layout.stages.push_back({.resample = std::to_string(number), .grow = std::exchange(grow, {}), .blocks = {}});
    if (resamples && layout.stages.size() > max_stages) return std::nullopt;
    next = number + 1;
    before = layer;
  }
  // A file that ends with a block has lost its last convolution.
  layout.conv_out = std::to_string(layers.at(last) == Layer::convolution ? last : last + 1);
  layout.in_channels = (*conv_in)[1];
  layout.width = (*conv_in)[0];
  const auto conv_out = conv_weight_shape(weights, numbering.prefix + layout.conv_out + ".weight");
  layout.out_channels = conv_out ? (*conv_out)[0] : 3;
  return layout;
}

/// Blocks whose first convolution takes twice their width.
bool has_memory(const WeightSource& weights, const Layout& layout) {
  for (const Stage& stage : layout.stages) {
    for (const BlockLayer& block : stage.blocks) {
      const auto shape = conv_weight_shape(weights, layout.prefix + block.name + ".conv.0.weight");
      if (shape && (*shape)[1] == 2 * (*shape)[0]) return true;
    }
  }
  return false;
}

bool grows(const Layout& layout) {
  return std::ranges::any_of(layout.stages, [](const Stage& stage) { return !stage.grow.empty(); });
}

int64_t pooling_blocks(const Layout& layout) {
  int64_t count = 0;
  for (const Stage& stage : layout.stages) count += std::ranges::count(stage.blocks, true, &BlockLayer::pools);
  return count;
}

}  // namespace

bool Layout::pools() const {
  return pooling_blocks(*this) > 0;
}

std::string Layout::describe() const {
  std::string text = "width " + std::to_string(width) + ", blocks";
  for (const Stage& stage : stages) {
    text += &stage == &stages.front() ? ' ' : ',';
    text += std::to_string(stage.blocks.size());
  }
  if (pools()) text += ", " + std::to_string(pooling_blocks(*this)) + " with pooling";
  return text;
}

std::optional<Layout> decoder_layout(const WeightSource& weights) {
  if (auto layout = read_layout(weights, diffusers_decoder)) return layout;
  // The original encoder has a layer 0, the original decoder (whose layer 0 is the clamp) has not.
  return weights.find("0.weight") ? std::nullopt : read_layout(weights, original_decoder);
}

std::optional<Layout> encoder_layout(const WeightSource& weights) {
  if (auto layout = read_layout(weights, diffusers_encoder)) return layout;
  if (auto layout = read_layout(weights, original_encoder)) return layout;
  // TAESDV encodes frame by frame; TAEHV does not.
  auto layout = read_layout(weights, video_encoder);
  return layout && !has_memory(weights, *layout) && !grows(*layout) ? layout : std::nullopt;
}

std::optional<Layout> memory_encoder_layout(const WeightSource& weights) {
  auto layout = read_layout(weights, clip_encoder);
  return layout && has_memory(weights, *layout) && grows(*layout) ? layout : std::nullopt;
}

bool is_super_decoder(const WeightSource& weights) {
  const auto first = conv_weight_shape(weights, "decoder.0.weight");
  const auto depthwise = conv_weight_shape(weights, "decoder.1.conv.0.weight");
  return first && depthwise && (*depthwise)[1] == 1 && (*depthwise)[2] == 7;
}

std::optional<Layout> memory_decoder_layout(const WeightSource& weights) {
  auto layout = read_layout(weights, video_decoder);
  return layout && has_memory(weights, *layout) ? layout : std::nullopt;
}

std::optional<Layout> temporal_decoder_layout(const WeightSource& weights) {
  const auto& tensors = weights.tensors();
  const bool has_middle =
      std::ranges::any_of(tensors, [](const TensorInfo& tensor) { return tensor.name.starts_with("mid_block."); });
  auto layout = has_middle ? read_layout(weights, temporal_decoder) : std::nullopt;
  return layout && layout->stages.size() > 1 ? layout : std::nullopt;  // the middle comes behind the first upsampling
}

}  // namespace lightswitch::taming
