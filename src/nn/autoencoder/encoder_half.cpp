#include "nn/autoencoder/encoder_half.hpp"

#include <ATen/ATen.h>

namespace lightswitch::nn::autoencoder {

EncoderHalf::EncoderHalf(WeightLoader& loader, Output output) : plan_(read_plan(loader)), middle_(loader, plan_) {
  const int64_t middle = Middle<ResidualBlock>::width(loader);
  widths_ = stage_widths(loader, "down_blocks", ResidualBlock::kFirstConvolution, middle);
  int64_t width = loader.axis_of("conv_in.weight", 0, widths_.empty() ? middle : widths_[0]);
  conv_in_ = Conv2d(loader, "conv_in", {.in = 3, .out = width});
  for (size_t i = 0; i < widths_.size(); ++i) {
    const std::string name = "down_blocks." + std::to_string(i);
    stages_.push_back({{loader, name, width, widths_[i], plan_}, {}});
    width = widths_[i];
    // The picture is padded on the right and at the bottom alone.
    if (i + 1 < widths_.size())
      stages_.back().downsampler.emplace_back(
          loader, name + ".downsamplers.0.conv",
          ConvShape{.in = width, .out = width, .stride = 2, .pad_begin = 0, .pad_end = 1});
  }
  norm_out_ = norm_silu(loader, "conv_norm_out", middle, plan_);
  load_output(loader, output);
}

void EncoderHalf::load_output(WeightLoader& loader, Output output) {
  const int64_t width = Middle<ResidualBlock>::width(loader), inner = loader.axis_of("conv_out.weight", 0, 8);
  at::Tensor weight = loader.take("conv_out.weight", {inner, width, 3, 3}),
             bias = loader.take("conv_out.bias", {inner});
  const std::string quant = "quant_conv";
  if (loader.has_absolute(quant + ".weight")) {
    // Nothing stands between the two convolutions, so they are one.
    const int64_t outer = loader.axis_of_absolute(quant + ".weight", 0, inner);
    const at::Tensor mix = loader.take_absolute(quant + ".weight", {outer, inner, 1, 1}).view({outer, inner});
    bias = at::addmv(loader.take_absolute(quant + ".bias", {outer}), mix, bias);
    weight = at::matmul(mix, weight.reshape({inner, -1})).view({outer, width, 3, 3});
  }
  channels_ = output == Output::moments ? bias.size(0) / 2 : bias.size(0);
  conv_out_ = Conv2d(loader, loader.full_name("conv_out"), weight, bias, {.in = width, .out = bias.size(0)});
}

at::Tensor EncoderHalf::operator()(Run& run, const at::Tensor& pictures) const {
  at::Tensor x = conv_in_(run, pictures);
  for (const Stage& stage : stages_) {
    x = stage.blocks(run, x);
    for (const Conv2d& downsample : stage.downsampler) x = downsample(run, x);
  }
  return conv_out_(run, norm_out_(run, middle_(run, x)));
}

std::string EncoderHalf::description() const {
  std::vector<int64_t> attending;
  for (size_t i = 0; i < stages_.size(); ++i)
    if (stages_[i].blocks.attends()) attending.push_back(widths_[i]);
  return describe(widths_, stages_.empty() ? 0 : stages_[0].blocks.size(), middle_.attends(), attending);
}

}  // namespace lightswitch::nn::autoencoder
