#include "routed/branches.hpp"

#include <ATen/ATen.h>

#include <string>

namespace lightswitch::routed {
namespace {

using nn::Activation;

nn::ConvShape shape(int64_t in, int64_t out, int64_t kernel) {
  return {.in = in, .out = out, .kernel = kernel, .pad_begin = 0, .pad_end = 0};
}

}  // namespace

Trunk::Trunk(nn::WeightLoader& loader) {
  const std::string first = "trunk.first.weight";
  first_ = nn::Conv2d(loader, "trunk.first", {.in = loader.axis_of(first, 1, 1), .out = loader.axis_of(first, 0, 1)},
                      Activation::relu);
  const nn::ConvShape same{.in = width(), .out = width()};
  for (size_t i = 0; i == 0 || loader.has("trunk.blocks." + std::to_string(i) + ".conv1.weight"); ++i) {
    const std::string name = "trunk.blocks." + std::to_string(i);
    blocks_.push_back({nn::Conv2d(loader, name + ".conv1", same, Activation::relu),
                       nn::Conv2d(loader, name + ".conv2", same, Activation::relu)});
  }
}

at::Tensor Trunk::operator()(nn::Run& run, const at::Tensor& latents) const {
  at::Tensor x = first_(run, latents);
  for (const Block& block : blocks_) x = block.conv2(run, block.conv1(run, x), x);
  return x;
}

Light::Light(nn::WeightLoader& loader, int64_t width, int64_t factor)
    : conv_(loader, "light.conv", shape(width, width, 3), Activation::relu),
      out_(loader, "light.out", shape(width, 3 * factor * factor, 1)),
      factor_(factor) {}

at::Tensor Light::operator()(nn::Run& run, const at::Tensor& x) const {
  return nn::pixel_shuffle(run, out_(run, conv_(run, x)), factor_);
}

Heavy::Heavy(nn::WeightLoader& loader, int64_t width)
    : enter_(loader, "heavy.enter", shape(width, 2 * width, 1), Activation::relu) {
  int64_t inputs = 2 * width;
  for (size_t i = 0; i == 0 || loader.has("heavy.stages." + std::to_string(i) + ".conv.weight"); ++i) {
    const std::string number = std::to_string(i), name = "heavy.stages." + number;
    const int64_t channels = loader.axis_of(name + ".conv.weight", 0, 1);
    stages_.push_back({nn::Conv2d(loader, "heavy.ups." + number, shape(inputs, 4 * channels, 1), Activation::relu),
                       nn::Conv2d(loader, name + ".conv", shape(channels, channels, 3), Activation::relu),
                       nn::Conv2d(loader, name + ".widen", shape(channels, 2 * channels, 1), Activation::relu),
                       nn::Conv2d(loader, name + ".narrow", shape(2 * channels, channels, 1), Activation::relu)});
    inputs = channels;
  }
  out_ = nn::Conv2d(loader, "heavy.out", shape(inputs, 3, 3));
}

at::Tensor Heavy::operator()(nn::Run& run, const at::Tensor& features) const {
  at::Tensor x = enter_(run, features);
  for (const Stage& stage : stages_) {
    x = nn::pixel_shuffle(run, stage.up(run, x), 2);
    const at::Tensor inner = x.slice(2, 1, -1).slice(3, 1, -1).contiguous(at::MemoryFormat::ChannelsLast);
    x = stage.narrow(run, stage.widen(run, stage.conv(run, x)), inner);
  }
  return out_(run, x);
}

TileGate::TileGate(nn::WeightLoader& loader, int64_t width) {
  const int64_t hidden = loader.axis_of("gate.conv.weight", 0, 1);
  conv_ = nn::Conv2d(loader, "gate.conv", shape(width, hidden, 1), Activation::relu);
  out_ = nn::Conv2d(loader, "gate.out", shape(hidden, 1, 1));
}

at::Tensor TileGate::operator()(nn::Run& run, const at::Tensor& features, int64_t tile) const {
  const at::Tensor hidden = conv_(run, features);
  const at::Tensor means = at::avg_pool2d(hidden, {tile, tile}, {tile, tile}, {0, 0}, /*ceil_mode=*/true,
                                          /*count_include_pad=*/false);
  return out_(run, means).select(1, 0).to(at::kFloat);
}

}  // namespace lightswitch::routed
