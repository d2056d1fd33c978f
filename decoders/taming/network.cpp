#include "taming/network.hpp"

#include <ATen/ATen.h>

#include "taming/spec.hpp"

namespace lightswitch::taming {
namespace {

using nn::Activation;

/// Of the pooling branch.
constexpr int64_t pool_widening = 4, pool_groups = 4;
constexpr double pool_eps = 1e-5;

nn::WeightLoader make_loader(const NetworkRequest& request, const Layout& layout, std::string sibling) {
  std::vector<std::string> siblings;
  if (!layout.prefix.empty()) siblings.push_back(std::move(sibling));
  return nn::WeightLoader(request, layout.prefix, std::move(siblings));
}

std::vector<Block> load_blocks(nn::WeightLoader& loader, const Stage& stage, int64_t width) {
  std::vector<Block> blocks;
  for (const BlockLayer& layer : stage.blocks) blocks.emplace_back(loader, layer, width);
  return blocks;
}

}  // namespace

Block::Block(nn::WeightLoader& loader, const BlockLayer& layer, int64_t width)
    : first_(loader, layer.name + ".conv.0", {.in = width, .out = width}, Activation::relu),
      second_(loader, layer.name + ".conv.2", {.in = width, .out = width}, Activation::relu),
      third_(loader, layer.name + ".conv.4", {.in = width, .out = width}, Activation::relu) {
  first_.feeds(second_);
  second_.feeds(third_);
  if (!layer.pools) return;
  const std::string pool = layer.name + ".pool.";
  const int64_t wide = pool_widening * width;
  pool_ = Pool{.widen = nn::Conv2d(loader, pool + "0", {.in = width, .out = wide, .kernel = 1, .bias = false}),
               .norm = nn::GroupNorm(loader, pool + "1", wide, pool_groups, pool_eps, Activation::relu),
               .narrow = nn::Conv2d(loader, pool + "3", {.in = wide, .out = width, .kernel = 1, .bias = false})};
}

at::Tensor Block::operator()(nn::Run& run, at::Tensor x) const {
  if (pool_) x = pool_->narrow(run, pool_->norm(run, pool_->widen(run, x)), x);
  const at::Tensor hidden = second_(run, first_(run, x));
  return third_(run, hidden, std::move(x));
}

TinyDecoder::TinyDecoder(const NetworkRequest& request, const Layout& layout) : Network(request) {
  spec_ = make_spec(layout, layout.in_channels, request.config);
  spec_.halo = halo(layout);
  nn::WeightLoader loader = make_loader(request, layout, "encoder.");
  conv_in_ = nn::Conv2d(loader, layout.conv_in, {.in = layout.in_channels, .out = layout.width}, Activation::relu);
  for (const Stage& stage : layout.stages) {
    UpStage up;
    if (!stage.resample.empty())
      up.upsample = nn::UpsampleConv2d(loader, stage.resample, layout.width, layout.width, false);
    up.blocks = load_blocks(loader, stage, layout.width);
    stages_.push_back(std::move(up));
  }
  conv_out_ = nn::Conv2d(loader, layout.conv_out, {.in = layout.width, .out = 3});
  loader.finish();
  info_ = loader.info(kName, layout.describe());
}

at::Tensor TinyDecoder::pass(nn::Run& run, const at::Tensor& input) const {
  at::Tensor x = conv_in_(run, bounded(input));
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (i > 0) x = stages_[i].upsample(run, x);
    for (const Block& block : stages_[i].blocks) x = block(run, std::move(x));
  }
  return conv_out_(run, x);
}

TinyEncoder::TinyEncoder(const NetworkRequest& request, const Layout& layout) : Network(request) {
  spec_ = make_spec(layout, layout.out_channels, request.config);
  nn::WeightLoader loader = make_loader(request, layout, "decoder.");
  conv_in_ = nn::Conv2d(loader, layout.conv_in, {.in = 3, .out = layout.width});
  for (const Stage& stage : layout.stages) {
    DownStage down;
    if (!stage.resample.empty()) {
      down.downsample =
          nn::Conv2d(loader, stage.resample, {.in = layout.width, .out = layout.width, .stride = 2, .bias = false});
    }
    down.blocks = load_blocks(loader, stage, layout.width);
    stages_.push_back(std::move(down));
  }
  conv_out_ = nn::Conv2d(loader, layout.conv_out, {.in = layout.width, .out = layout.out_channels});
  loader.finish();
  info_ = loader.info(kName, layout.describe());
}

at::Tensor TinyEncoder::pass(nn::Run& run, const at::Tensor& input) const {
  at::Tensor x = conv_in_(run, input);
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (i > 0) x = stages_[i].downsample(run, x);
    for (const Block& block : stages_[i].blocks) x = block(run, std::move(x));
  }
  return conv_out_(run, x);
}

}  // namespace lightswitch::taming
