#include "taming/memory_network.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include "taming/spec.hpp"

namespace lightswitch::taming {
namespace {

using nn::Activation;

constexpr int64_t max_patch = 8, max_growth = 8;

int64_t rows_of(const nn::WeightLoader& loader, const std::string& layer, int64_t fallback) {
  return loader.axis_of(layer + ".weight", 0, fallback);
}

/// The edge p of patches of 3 * p * p numbers.
int64_t patch_of(const nn::WeightLoader& loader, const Layout& layout) {
  for (int64_t patch = 1; patch <= max_patch; ++patch)
    if (layout.out_channels == 3 * patch * patch) return patch;
  throw WeightsError("the last convolution makes no pictures", {.file = loader.origin(),
                                                                .field = layout.prefix + layout.conv_out + ".weight",
                                                                .expected = "3, 12, 27, 48, ... rows",
                                                                .found = std::to_string(layout.out_channels)});
}

/// Frames that the stage makes of each: rows of its convolution by the width it takes.
int64_t growth_of(const nn::WeightLoader& loader, const std::string& layer, int64_t width) {
  const int64_t rows = rows_of(loader, layer + ".conv", width);
  if (rows % width == 0 && rows / width <= max_growth) return rows / width;
  throw WeightsError("frames cannot be told from the rows of a convolution",
                     {.file = loader.origin(),
                      .field = layer + ".conv.weight",
                      .expected = "a small multiple of " + std::to_string(width) + " rows",
                      .found = std::to_string(rows)});
}

}  // namespace

MemoryBlock::MemoryBlock(nn::WeightLoader& loader, const std::string& name, int64_t width)
    : second_(loader, name + ".conv.2", {.in = width, .out = width}, Activation::relu),
      third_(loader, name + ".conv.4", {.in = width, .out = width}, Activation::relu) {
  const at::Tensor weight = loader.take(name + ".conv.0.weight", {width, 2 * width, 3, 3});
  const nn::ConvShape shape{.in = width, .out = width};
  const std::string merged = loader.full_name(name + ".conv.0");
  here_ = nn::Conv2d(merged, weight.narrow(1, 0, width), loader.take(name + ".conv.0.bias", {width}), shape,
                     Activation::none, loader.dtype(), loader.device());
  before_ =
      nn::Conv2d(merged, weight.narrow(1, width, width), {}, shape, Activation::relu, loader.dtype(), loader.device());
}

at::Tensor MemoryBlock::operator()(nn::Run& run, const at::Tensor& frames, at::Tensor& memory) const {
  const int64_t count = frames.size(0);
  at::Tensor y = here_(run, frames);
  if (count == 1 && !memory.defined() && !run.counting()) {
    y = nn::activate(run, std::move(y), Activation::relu);  // the frame before is all zeros
  } else {
    const at::Tensor first = memory.defined() ? memory : at::zeros_like(frames.narrow(0, 0, 1));
    y = before_(run, count == 1 ? first : at::cat({first, frames.narrow(0, 0, count - 1)}), y);
  }
  memory = frames.narrow(0, count - 1, 1);
  return third_(run, second_(run, y), frames);
}

MemoryNetwork::MemoryNetwork(nn::WeightLoader& loader, const Layout& layout) {
  patch_ = patch_of(loader, layout);
  int64_t width = layout.width;
  conv_in_ = nn::Conv2d(loader, layout.conv_in, {.in = layout.in_channels, .out = width}, Activation::relu);
  for (const Stage& stage : layout.stages) {
    UpStage up;
    if (!stage.grow.empty()) {
      up.growth = growth_of(loader, stage.grow, width);
      up.grow =
          nn::Conv2d(loader, stage.grow + ".conv", {.in = width, .out = up.growth * width, .kernel = 1, .bias = false});
      growth_ *= up.growth;
    }
    if (!stage.resample.empty()) {
      const int64_t next = rows_of(loader, stage.resample, width);
      up.upsample = nn::UpsampleConv2d(loader, stage.resample, width, next, false);
      width = next;
    }
    for (const BlockLayer& block : stage.blocks) up.blocks.emplace_back(loader, block.name, width);
    blocks_ += up.blocks.size();
    relu_out_ = up.blocks.empty();
    stages_.push_back(std::move(up));
  }
  conv_out_ = nn::Conv2d(loader, layout.conv_out, {.in = width, .out = 3 * patch_ * patch_});
}

LatentSpec MemoryNetwork::spec(const Layout& layout, const Config& config) const {
  LatentSpec spec = make_spec(layout, layout.in_channels, config);
  spec.factor = layout.factor() * patch_;
  spec.halo = halo(layout);
  return spec;
}

std::string MemoryNetwork::description(const Layout& layout) const {
  std::string text = layout.describe() + ", each sees the frame before";
  if (growth_ > 1) text += ", " + std::to_string(growth_) + " frames a latent";
  return text;
}

at::Tensor MemoryNetwork::next_frames(nn::Run& run, const at::Tensor& latent, Memory& remembered) const {
  remembered.blocks.resize(blocks_);
  at::Tensor x = conv_in_(run, bounded(latent));
  auto memory = remembered.blocks.begin();
  for (size_t i = 0; i < stages_.size(); ++i) {
    const UpStage& stage = stages_[i];
    if (stage.growth > 0) {
      // The network upsamples first; a 1x1 convolution of equal neighbours is the same before it, and cheaper.
      if (run.counting()) run.add_macs(3 * x.numel() * x.size(1) * stage.growth);
      const int64_t frames = x.size(0) * stage.growth, width = x.size(1), height = x.size(2), columns = x.size(3);
      x = stage.grow(run, x).reshape({frames, width, height, columns});
      if (!run.counting()) x = x.contiguous(at::MemoryFormat::ChannelsLast);
    }
    if (i > 0) x = stage.upsample(run, x);
    for (const MemoryBlock& block : stage.blocks) x = block(run, x, *memory++);
  }
  if (relu_out_) x = nn::activate(run, std::move(x), Activation::relu);
  x = conv_out_(run, x);
  return patch_ > 1 ? nn::pixel_shuffle(run, x, patch_) : x;
}

at::Tensor MemoryNetwork::operator()(nn::Run& run, const at::Tensor& latents, Memory& memory) const {
  std::vector<at::Tensor> pictures;
  for (int64_t t = 0; t < latents.size(0); ++t) {
    at::Tensor frames = next_frames(run, latents.narrow(0, t, 1), memory);
    if (!memory.begun) frames = frames.narrow(0, growth_ - 1, 1);
    memory.begun = true;
    pictures.push_back(frames);
  }
  return pictures.size() == 1 ? pictures.front() : at::cat(pictures);
}

}  // namespace lightswitch::taming
