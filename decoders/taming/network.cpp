#include "taming/network.hpp"

#include <ATen/ATen.h>

namespace lightswitch::taming {
namespace {

using nn::Activation;

/// Latents are squeezed softly into (-3, 3).
constexpr double latent_bound = 3.0;

nn::WeightLoader make_loader(const NetworkRequest& request, const Layout& layout, std::string sibling) {
  std::vector<std::string> siblings;
  if (!layout.prefix.empty()) siblings.push_back(std::move(sibling));
  return nn::WeightLoader(request, layout.prefix, std::move(siblings));
}

LatentSpec make_spec(const Layout& layout, int64_t latent_channels, const Config& config) {
  LatentSpec spec;
  spec.channels = latent_channels;
  spec.factor = layout.factor();
  spec.network_input = LatentKind::diffusion;
  spec.output_range = OutputRange::unit;
  nn::apply_common_config(spec, config);
  return spec;
}

void describe(NetworkInfo& info, const Layout& layout, int64_t parameters) {
  info.family = "taming";
  info.configuration = layout.describe();
  info.parameters = parameters;
}

/// Latents on each side that an output pixel sees: followed from the output to the input, one convolution at a time.
int64_t halo(const Layout& layout) {
  int64_t reach = 1;  // conv_out
  for (auto stage = layout.stages.rbegin(); stage != layout.stages.rend(); ++stage) {
    reach += 3 * static_cast<int64_t>(stage->blocks.size());
    reach += 1;  // conv_in, or the convolution behind the upsampling
    if (!stage->resample.empty()) reach = (reach + 1) / 2;
  }
  return reach;
}

std::vector<Block> load_blocks(nn::WeightLoader& loader, const Stage& stage, int64_t width) {
  std::vector<Block> blocks;
  for (const std::string& name : stage.blocks) blocks.emplace_back(loader, name, width);
  return blocks;
}

}  // namespace

Block::Block(nn::WeightLoader& loader, const std::string& name, int64_t width)
    : first_(loader, name + ".conv.0", {.in = width, .out = width}, Activation::relu),
      second_(loader, name + ".conv.2", {.in = width, .out = width}, Activation::relu),
      third_(loader, name + ".conv.4", {.in = width, .out = width}, Activation::relu) {}

at::Tensor Block::operator()(nn::Run& run, const at::Tensor& x) const {
  return third_(run, second_(run, first_(run, x)), x);
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
  describe(info_, layout, loader.parameters());
}

at::Tensor TinyDecoder::pass(nn::Run& run, const at::Tensor& input) const {
  at::Tensor x = conv_in_(run, at::div(input, latent_bound).tanh_().mul_(latent_bound));
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (i > 0) x = stages_[i].upsample(run, x);
    for (const Block& block : stages_[i].blocks) x = block(run, x);
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
  describe(info_, layout, loader.parameters());
}

at::Tensor TinyEncoder::pass(nn::Run& run, const at::Tensor& input) const {
  at::Tensor x = conv_in_(run, input);
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (i > 0) x = stages_[i].downsample(run, x);
    for (const Block& block : stages_[i].blocks) x = block(run, x);
  }
  return conv_out_(run, x);
}

}  // namespace lightswitch::taming
