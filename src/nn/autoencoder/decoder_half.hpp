#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "nn/autoencoder/stages.hpp"

namespace lightswitch::nn::autoencoder {

/// Latents to pictures: post_quant_conv where the file has it, conv_in, the middle, stages that double the size,
/// conv_out.
template <typename Block>
class DecoderHalf {
 public:
  /// @param loader made for kDecoder. @throws OptionError, UnsupportedError (see read_plan).
  explicit DecoderHalf(WeightLoader& loader) : plan_(read_plan(loader)), middle_(loader, plan_) {
    const int64_t inner = loader.axis_of("conv_in.weight", 1, 4), width = Middle<Block>::width(loader);
    load_post_quant(loader, inner);
    conv_in_ = Conv2d(loader, "conv_in", {.in = inner, .out = width});
    widths_ = stage_widths(loader, "up_blocks", Block::kFirstConvolution, width);
    for (size_t i = 0; i < widths_.size(); ++i) {
      const std::string name = "up_blocks." + std::to_string(i);
      stages_.push_back({{loader, name, i == 0 ? width : widths_[i - 1], widths_[i], plan_}, {}});
      if (i + 1 < widths_.size())
        stages_.back().upsampler.emplace_back(loader, name + ".upsamplers.0.conv", widths_[i], widths_[i]);
    }
    const int64_t last = widths_.empty() ? width : widths_.back();
    norm_out_ = norm_silu(loader, "conv_norm_out", last, plan_);
    conv_out_ = Conv2d(loader, "conv_out", {.in = last, .out = 3});
  }

  at::Tensor operator()(Run& run, const at::Tensor& latents) const {
    at::Tensor x = latents;
    for (const Conv2d& conv : post_quant_) x = conv(run, x);
    x = middle_(run, conv_in_(run, x));
    for (const Stage& stage : stages_) {
      x = stage.blocks(run, x);
      for (const UpsampleConv2d& upsample : stage.upsampler) x = upsample(run, x);
    }
    return conv_out_(run, norm_out_(run, x));
  }

  /// Shows every layer, in the order of execution: for passes that are not of one tensor from layer to layer.
  template <typename Visit>
  void walk(Visit&& visit) const {
    for (const Conv2d& conv : post_quant_) visit(conv);
    visit(conv_in_);
    middle_.walk(visit);
    for (const Stage& stage : stages_) {
      stage.blocks.walk(visit);
      for (const UpsampleConv2d& upsample : stage.upsampler) visit(upsample);
    }
    visit(norm_out_);
    visit(conv_out_);
  }

  /// Channels of the latents.
  int64_t channels() const { return channels_; }
  size_t stages() const { return stages_.size(); }

  std::string description() const {
    std::vector<int64_t> attending;
    for (size_t i = stages_.size(); i-- > 0;)
      if (stages_[i].blocks.attends()) attending.push_back(widths_[i]);
    return describe({widths_.rbegin(), widths_.rend()}, stages_.empty() ? 0 : stages_[0].blocks.size(),
                    middle_.attends(), attending);
  }

 private:
  struct Stage {
    BlockRun<Block> blocks;
    std::vector<UpsampleConv2d> upsampler;  // none in the last stage
  };

  void load_post_quant(WeightLoader& loader, int64_t inner) {
    const std::string name = "post_quant_conv";
    channels_ = inner;
    if (!loader.has_absolute(name + ".weight")) return;
    channels_ = loader.axis_of_absolute(name + ".weight", 1, inner);
    const at::Tensor weight = loader.take_absolute(name + ".weight", {inner, channels_, 1, 1});
    const at::Tensor bias = loader.take_absolute(name + ".bias", {inner});
    post_quant_.emplace_back(loader, name, weight, bias, ConvShape{.in = channels_, .out = inner, .kernel = 1});
  }

  Plan plan_;
  Middle<Block> middle_;
  int64_t channels_ = 0;
  std::vector<Conv2d> post_quant_;  // none or one
  Conv2d conv_in_, conv_out_;
  std::vector<int64_t> widths_;  // in the order of execution
  std::vector<Stage> stages_;
  GroupNorm norm_out_;
};

}  // namespace lightswitch::nn::autoencoder
