#include "vit/blocks.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "nn/gated.hpp"
#include "nn/linear_attention.hpp"

namespace lightswitch::vit {
namespace {

using nn::Activation;

/// What every published network uses; multi-scale files show it in the shape of their grouped convolution.
constexpr int64_t default_head_size = 32;

int64_t dimension(const nn::WeightLoader& loader, const std::string& name, size_t axis, int64_t fallback) {
  const auto shape = loader.shape_of(name);
  return axis < shape.size() ? shape[axis] : fallback;
}

/// A 1x1 convolution's weight, which diffusers stores as a linear map's.
at::Tensor take_linear(nn::WeightLoader& loader, const std::string& name, int64_t out, int64_t in) {
  return loader.take(name + ".weight", {out, in}).unsqueeze(2).unsqueeze(3);
}

struct Folded {
  at::Tensor weight, bias;
};

/// conv followed by batch norm with running statistics, as one convolution.
Folded fold_batch_norm(nn::WeightLoader& loader, const std::string& norm, int64_t channels, const at::Tensor& weight) {
  const at::Tensor gain = loader.take(norm + ".weight", {channels});
  const at::Tensor shift = loader.take(norm + ".bias", {channels});
  const at::Tensor mean = loader.take(norm + ".running_mean", {channels});
  const at::Tensor variance = loader.take(norm + ".running_var", {channels});
  loader.ignore(norm + ".num_batches_tracked");
  const at::Tensor scale = gain / at::sqrt(variance + norm_eps);
  return {weight * scale.view({-1, 1, 1, 1}), shift - mean * scale};
}

}  // namespace

bool uses_batch_statistics(const Config& config, bool has_batch_norm) {
  const std::string word = nn::config_text(config, "bn", "running");
  if (word != "running" && word != "batch")
    throw OptionError("unknown value", {.file = {}, .field = "bn", .expected = "running or batch", .found = word});
  if (word == "batch" && !has_batch_norm)
    throw OptionError("this network has no batch norm",
                      {.file = {}, .field = "bn", .expected = "running", .found = word});
  return word == "batch";
}

NormedConv2d::NormedConv2d(nn::WeightLoader& loader, const std::string& conv, const std::string& norm,
                           const nn::ConvShape& shape, bool linear) {
  at::Tensor weight = linear ? take_linear(loader, conv, shape.out, shape.in)
                             : loader.take(conv + ".weight", {shape.out, shape.in, shape.kernel, shape.kernel});
  at::Tensor bias;
  if (!loader.has(norm + ".running_mean") && !loader.has(norm + ".running_var")) {
    norm_ = nn::RmsNorm2d(loader, norm, shape.out, norm_eps);
  } else if (uses_batch_statistics(loader.config(), true)) {
    norm_ = nn::GroupNorm(loader, norm, shape.out, shape.out, norm_eps, Activation::none,
                          nn::GroupNorm::Over::all_pictures);
    for (const char* unused : {".running_mean", ".running_var", ".num_batches_tracked"}) loader.ignore(norm + unused);
  } else {
    const Folded folded = fold_batch_norm(loader, norm, shape.out, weight);
    weight = folded.weight;
    bias = folded.bias;
  }
  conv_ = nn::Conv2d(loader, loader.full_name(conv), weight, bias, shape);
}

at::Tensor NormedConv2d::operator()(nn::Run& run, const at::Tensor& x, at::Tensor residual) const {
  if (const auto* rms = std::get_if<nn::RmsNorm2d>(&norm_)) return nn::add(run, (*rms)(run, conv_(run, x)), residual);
  if (const auto* batch = std::get_if<nn::GroupNorm>(&norm_))
    return nn::add(run, (*batch)(run, conv_(run, x)), residual);
  return conv_(run, x, std::move(residual));
}

ResBlock::ResBlock(nn::WeightLoader& loader, const std::string& name, const Stage& stage)
    : expand_(loader, name + stage.names->residual_expand, {.in = stage.width, .out = stage.width}, stage.act),
      contract_(loader, name + stage.names->residual_contract, name + stage.names->residual_norm,
                {.in = stage.width, .out = stage.width}) {
  expand_.feeds(contract_.conv());
}

at::Tensor ResBlock::operator()(nn::Run& run, at::Tensor x) const {
  const at::Tensor wide = expand_(run, x);
  return contract_(run, wide, std::move(x));
}

LinearAttention::LinearAttention(nn::WeightLoader& loader, const std::string& name, const Stage& stage) {
  const Names& names = *stage.names;
  const auto scale_name = [&](int64_t i) { return name + names.scale + std::to_string(i); };
  head_size_ = dimension(loader, scale_name(0) + names.scale_mix + ".weight", 1,
                         nn::config_int(loader.config(), "attention_head_dim", default_head_size));
  const std::string qkv = name + (names.fused_qkv ? names.fused_qkv : names.thirds[0]);
  const int64_t thirds = names.fused_qkv ? 3 : 1;
  const int64_t total = std::max<int64_t>(dimension(loader, qkv + ".weight", 0, thirds * stage.width) / thirds, 1);
  if (head_size_ < 1 || total % head_size_ != 0) {
    throw WeightsError("heads do not divide the width",
                       {.file = loader.origin(),
                        .field = qkv + ".weight",
                        .expected = "a multiple of " + std::to_string(thirds * head_size_) + " rows",
                        .found = std::to_string(thirds * total)});
  }
  const nn::ConvShape shape{.in = stage.width, .out = 3 * total, .kernel = 1, .bias = false};
  if (names.fused_qkv) {
    qkv_ = nn::Conv2d(loader, qkv, shape);
  } else {
    // The three maps are thirds of the fused one's rows, and not queries, keys and values: those come head by head.
    std::vector<at::Tensor> rows;
    for (const char* third : names.thirds) rows.push_back(take_linear(loader, name + third, total, stage.width));
    qkv_ = nn::Conv2d(loader, loader.full_name(qkv), at::cat(rows), {}, shape);
  }
  for (int64_t i = 0;; ++i) {
    const std::string neighbourhood = scale_name(i) + names.scale_neighbourhood, mix = scale_name(i) + names.scale_mix;
    if (!loader.has(neighbourhood + ".weight") && !loader.has(mix + ".weight")) break;
    const int64_t kernel = dimension(loader, neighbourhood + ".weight", 2, 5);
    const int64_t channels = 3 * total;
    scales_.push_back(
        {.neighbourhood =
             nn::Conv2d(loader, neighbourhood,
                        {.in = channels, .out = channels, .kernel = kernel, .groups = channels, .bias = false}),
         .mix = nn::Conv2d(
             loader, mix,
             {.in = channels, .out = channels, .kernel = 1, .groups = channels / head_size_, .bias = false})});
  }
  const int64_t heads_width = total * (1 + static_cast<int64_t>(scales_.size()));
  project_ = NormedConv2d(loader, name + names.project, name + names.project_norm,
                          {.in = heads_width, .out = stage.width, .kernel = 1, .bias = false}, names.diffusers);
}

at::Tensor LinearAttention::operator()(nn::Run& run, const at::Tensor& x) const {
  std::vector<at::Tensor> qkv{qkv_(run, x)};
  for (const Scale& scale : scales_) qkv.push_back(scale.mix(run, scale.neighbourhood(run, qkv.front())));
  return project_(run, nn::relu_linear_attention(run, std::move(qkv), head_size_), x);
}

GatedConv::GatedConv(nn::WeightLoader& loader, const std::string& name, const Stage& stage) : act_(stage.gate_act) {
  const Names& names = *stage.names;
  const std::string contract = name + names.contract;
  const int64_t width = stage.width,
                inner = std::max<int64_t>(dimension(loader, contract + ".weight", 1, 4 * width), 1);
  expand_ = nn::Conv2d(loader, name + names.expand, {.in = width, .out = 2 * inner, .kernel = 1}, act_);
  depthwise_ = nn::Conv2d(loader, name + names.depthwise, {.in = 2 * inner, .out = 2 * inner, .groups = 2 * inner});
  contract_ = NormedConv2d(loader, contract, name + names.contract_norm,
                           {.in = inner, .out = width, .kernel = 1, .bias = false});
}

at::Tensor GatedConv::operator()(nn::Run& run, const at::Tensor& x) const {
  return contract_(run, nn::gated(run, depthwise_(run, expand_(run, x)), act_), x);
}

AttentionBlock::AttentionBlock(nn::WeightLoader& loader, const std::string& name, const Stage& stage)
    : context_(loader, name, stage), local_(loader, name, stage) {}

Blocks::Blocks(nn::WeightLoader& loader, const Stage& stage) {
  for (size_t i = 0; i < stage.ops.size(); ++i) {
    const std::string name = stage.op_name(i);
    if (stage.ops[i] == Op::residual) blocks_.emplace_back(ResBlock(loader, name, stage));
    if (stage.ops[i] == Op::attention) blocks_.emplace_back(AttentionBlock(loader, name, stage));
  }
}

at::Tensor Blocks::operator()(nn::Run& run, at::Tensor x) const {
  for (const Block& block : blocks_) {
    x = std::visit([&](const auto& b) { return b(run, std::move(x)); }, block);
  }
  return x;
}

}  // namespace lightswitch::vit
