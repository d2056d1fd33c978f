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
  return shape.size() == 4 ? shape[axis] : fallback;
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

NormedConv2d::NormedConv2d(nn::WeightLoader& loader, const std::string& name, const nn::ConvShape& shape) {
  const std::string norm = name + ".norm";
  at::Tensor weight = loader.take(name + ".conv.weight", {shape.out, shape.in, shape.kernel, shape.kernel});
  at::Tensor bias;
  if (loader.has(norm + ".running_mean") || loader.has(norm + ".running_var")) {
    const Folded folded = fold_batch_norm(loader, norm, shape.out, weight);
    weight = folded.weight;
    bias = folded.bias;
  } else {
    norm_.emplace(loader, norm, shape.out, norm_eps);
  }
  conv_ = nn::Conv2d(weight, bias, shape, Activation::none, loader.dtype(), loader.device());
}

at::Tensor NormedConv2d::operator()(nn::Run& run, const at::Tensor& x, const at::Tensor& residual) const {
  if (!norm_) return conv_(run, x, residual);
  return nn::add(run, (*norm_)(run, conv_(run, x)), residual);
}

ResBlock::ResBlock(nn::WeightLoader& loader, const std::string& name, int64_t width, Activation act)
    : expand_(loader, name + "main.conv1.conv", {.in = width, .out = width}, act),
      contract_(loader, name + "main.conv2", {.in = width, .out = width}) {}

at::Tensor ResBlock::operator()(nn::Run& run, const at::Tensor& x) const {
  return contract_(run, expand_(run, x), x);
}

LinearAttention::LinearAttention(nn::WeightLoader& loader, const std::string& name, int64_t width)
    : head_size_(dimension(loader, name + "aggreg.0.1.weight", 1, default_head_size)) {
  const int64_t total = std::max<int64_t>(dimension(loader, name + "qkv.conv.weight", 0, 3 * width) / 3, 1);
  if (head_size_ < 1 || total % head_size_ != 0) {
    throw WeightsError("heads do not divide the width",
                       {.file = loader.origin(),
                        .field = name + "qkv.conv.weight",
                        .expected = "a multiple of 3 x " + std::to_string(head_size_) + " rows",
                        .found = std::to_string(3 * total)});
  }
  qkv_ = nn::Conv2d(loader, name + "qkv.conv", {.in = width, .out = 3 * total, .kernel = 1, .bias = false});
  for (int64_t i = 0;; ++i) {
    const std::string scale = name + "aggreg." + std::to_string(i);
    if (!loader.has(scale + ".0.weight") && !loader.has(scale + ".1.weight")) break;
    const int64_t kernel = dimension(loader, scale + ".0.weight", 2, 5);
    const int64_t channels = 3 * total;
    scales_.push_back(
        {.neighbourhood =
             nn::Conv2d(loader, scale + ".0",
                        {.in = channels, .out = channels, .kernel = kernel, .groups = channels, .bias = false}),
         .mix = nn::Conv2d(
             loader, scale + ".1",
             {.in = channels, .out = channels, .kernel = 1, .groups = channels / head_size_, .bias = false})});
  }
  const int64_t heads_width = total * (1 + static_cast<int64_t>(scales_.size()));
  project_ = NormedConv2d(loader, name + "proj", {.in = heads_width, .out = width, .kernel = 1, .bias = false});
}

at::Tensor LinearAttention::operator()(nn::Run& run, const at::Tensor& x) const {
  std::vector<at::Tensor> qkv{qkv_(run, x)};
  for (const Scale& scale : scales_) qkv.push_back(scale.mix(run, scale.neighbourhood(run, qkv.front())));
  return project_(run, nn::relu_linear_attention(run, std::move(qkv), head_size_), x);
}

GatedConv::GatedConv(nn::WeightLoader& loader, const std::string& name, int64_t width, Activation act) : act_(act) {
  const int64_t inner = std::max<int64_t>(dimension(loader, name + "point_conv.conv.weight", 1, 4 * width), 1);
  expand_ = nn::Conv2d(loader, name + "inverted_conv.conv", {.in = width, .out = 2 * inner, .kernel = 1}, act);
  depthwise_ = nn::Conv2d(loader, name + "depth_conv.conv", {.in = 2 * inner, .out = 2 * inner, .groups = 2 * inner});
  contract_ = NormedConv2d(loader, name + "point_conv", {.in = inner, .out = width, .kernel = 1, .bias = false});
}

at::Tensor GatedConv::operator()(nn::Run& run, const at::Tensor& x) const {
  return contract_(run, nn::gated(run, depthwise_(run, expand_(run, x)), act_), x);
}

AttentionBlock::AttentionBlock(nn::WeightLoader& loader, const std::string& name, int64_t width, Activation act)
    : context_(loader, name + "context_module.main.", width), local_(loader, name + "local_module.main.", width, act) {}

Blocks::Blocks(nn::WeightLoader& loader, const Stage& stage) {
  for (size_t i = 0; i < stage.ops.size(); ++i) {
    const std::string name = stage.op_name(i);
    if (stage.ops[i] == Op::residual) blocks_.emplace_back(ResBlock(loader, name, stage.width, stage.act));
    if (stage.ops[i] == Op::attention) blocks_.emplace_back(AttentionBlock(loader, name, stage.width, stage.act));
  }
}

at::Tensor Blocks::operator()(nn::Run& run, at::Tensor x) const {
  for (const Block& block : blocks_) {
    x = std::visit([&](const auto& b) { return b(run, x); }, block);
  }
  return x;
}

}  // namespace lightswitch::vit
