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

/// The edge p of patches of 3 * p * p numbers, which the convolution `layer` makes or takes.
int64_t patch_of(const nn::WeightLoader& loader, const std::string& layer, int64_t numbers) {
  for (int64_t patch = 1; patch <= max_patch; ++patch)
    if (numbers == 3 * patch * patch) return patch;
  throw WeightsError("the convolution has no pictures on its side", {.file = loader.origin(),
                                                                     .field = layer + ".weight",
                                                                     .expected = "3, 12, 27, 48, ... channels",
                                                                     .found = std::to_string(numbers)});
}

/// How many times the width of a stage `numbers` is, which a 1x1 convolution beside it makes or takes.
int64_t times_of(const nn::WeightLoader& loader, const std::string& layer, int64_t numbers, int64_t width) {
  if (numbers % width == 0 && numbers / width <= max_growth) return numbers / width;
  throw WeightsError("frames cannot be told from the shape of a convolution",
                     {.file = loader.origin(),
                      .field = layer + ".conv.weight",
                      .expected = "a small multiple of " + std::to_string(width) + " channels",
                      .found = std::to_string(numbers)});
}

/// The groups in which a convolution of `width` channels is stored.
int64_t groups_of(const nn::WeightLoader& loader, const std::string& layer, int64_t width) {
  const int64_t columns = loader.axis_of(layer + ".weight", 1, width);
  return columns <= width && width % columns == 0 ? width / columns : 1;
}

}  // namespace

MemoryBlock::MemoryBlock(nn::WeightLoader& loader, const std::string& name, int64_t width) {
  const bool wide = loader.has(name + ".conv.6.weight") || loader.has(name + ".conv.6.bias");
  const auto add = [&](const std::string& layer, int64_t kernel) {
    const int64_t groups = wide && kernel > 1 ? groups_of(loader, name + layer, width) : 1;
    others_.emplace_back(loader, name + layer,
                         nn::ConvShape{.in = width, .out = width, .kernel = kernel, .groups = groups},
                         Activation::relu);
  };
  add(".conv.2", 3);
  add(".conv.4", wide ? 1 : 3);
  if (wide) add(".conv.6", 3);
  const nn::ConvShape shape{.in = width, .out = width, .kernel = wide ? 1 : 3};
  const at::Tensor weight = loader.take(name + ".conv.0.weight", {width, 2 * width, shape.kernel, shape.kernel});
  const std::string merged = loader.full_name(name + ".conv.0");
  here_ = nn::Conv2d(loader, merged, weight.narrow(1, 0, width), loader.take(name + ".conv.0.bias", {width}), shape);
  before_ = nn::Conv2d(loader, merged, weight.narrow(1, width, width), {}, shape, Activation::relu);
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
  for (const nn::Conv2d& other : others_) y = other(run, y, &other == &others_.back() ? frames : at::Tensor());
  return y;
}

MemoryNetwork::MemoryNetwork(nn::WeightLoader& loader, const Layout& layout) {
  patch_ = patch_of(loader, layout.prefix + layout.conv_out, layout.out_channels);
  int64_t width = layout.width;
  conv_in_ = nn::Conv2d(loader, layout.conv_in, {.in = layout.in_channels, .out = width}, Activation::relu);
  for (const Stage& stage : layout.stages) {
    UpStage up;
    if (!stage.grow.empty()) {
      up.growth = times_of(loader, stage.grow, rows_of(loader, stage.grow + ".conv", width), width);
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

MemoryEncoder::MemoryEncoder(const NetworkRequest& request, const Layout& layout) : Network(request) {
  nn::WeightLoader loader(request, layout.prefix, {"decoder."});
  patch_ = patch_of(loader, layout.prefix + layout.conv_in, layout.in_channels);
  int64_t width = layout.width;
  conv_in_ = nn::Conv2d(loader, layout.conv_in, {.in = layout.in_channels, .out = width}, Activation::relu);
  for (const Stage& stage : layout.stages) {
    DownStage down;
    if (!stage.resample.empty()) {
      down.frames = times_of(loader, stage.grow, loader.axis_of(stage.grow + ".conv.weight", 1, width), width);
      down.shrink = nn::Conv2d(loader, stage.grow + ".conv",
                               {.in = down.frames * width, .out = width, .kernel = 1, .bias = false});
      frames_ *= down.frames;
      const int64_t next = rows_of(loader, stage.resample, width);
      down.downsample = nn::Conv2d(loader, stage.resample, {.in = width, .out = next, .stride = 2, .bias = false});
      width = next;
    }
    for (const BlockLayer& block : stage.blocks) down.blocks.emplace_back(loader, block.name, width);
    stages_.push_back(std::move(down));
  }
  conv_out_ = nn::Conv2d(loader, layout.conv_out, {.in = width, .out = layout.out_channels});
  loader.finish();
  spec_ = make_spec(layout, layout.out_channels, request.config);
  spec_.factor = layout.factor() * patch_;
  info_ = loader.info(
      kName, layout.describe() + ", each sees the frame before, " + std::to_string(frames_) + " frames a latent");
}

at::Tensor MemoryEncoder::encode(nn::Run& run, const at::Tensor& clip) const {
  at::Tensor x = conv_in_(run, patch_ > 1 ? nn::pixel_unshuffle(run, clip, patch_) : clip);
  for (size_t i = 0; i < stages_.size(); ++i) {
    const DownStage& stage = stages_[i];
    if (i > 0) {
      if (stage.frames > 1) {
        x = x.contiguous().reshape({x.size(0) / stage.frames, stage.frames * x.size(1), x.size(2), x.size(3)});
        if (!run.counting()) x = x.contiguous(at::MemoryFormat::ChannelsLast);
      }
      x = stage.downsample(run, stage.shrink(run, x));
    }
    for (const MemoryBlock& block : stage.blocks) {
      at::Tensor nothing_before;
      x = block(run, x, nothing_before);
    }
  }
  return conv_out_(run, x);
}

at::Tensor MemoryEncoder::pass(nn::Run& run, const at::Tensor& pictures) const {
  std::vector<at::Tensor> latents;
  for (int64_t i = 0; i < pictures.size(0); ++i) {
    const at::Tensor picture = pictures.narrow(0, i, 1);
    latents.push_back(encode(run, picture.expand({frames_, -1, -1, -1}).contiguous(at::MemoryFormat::ChannelsLast)));
  }
  return latents.size() == 1 ? latents.front() : at::cat(latents);
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
