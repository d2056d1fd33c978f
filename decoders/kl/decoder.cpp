#include <ATen/ATen.h>

#include "kl/blocks.hpp"
#include "kl/names.hpp"
#include "kl/networks.hpp"
#include "nn/network.hpp"

namespace lightswitch::kl {
namespace {

/// Residual blocks of one resolution, and the step to the next one.
struct UpStage {
  std::vector<ResidualBlock> resnets;
  std::vector<nn::UpsampleConv2d> upsampler;  // none in the last stage
};

class KlDecoder final : public nn::DecoderNetwork {
 public:
  explicit KlDecoder(const NetworkRequest& request)
      : KlDecoder(request, nn::WeightLoader(request, kDecoder, {kEncoder, "quant_conv."})) {}

 private:
  KlDecoder(const NetworkRequest& request, nn::WeightLoader loader)
      : nn::DecoderNetwork(request), plan_(read_plan(loader)), mid_(loader, mid_width(loader), plan_) {
    const int64_t channels = conv_axis(loader, "conv_in.weight", 1, 4);
    const std::string post_quant = "post_quant_conv";
    if (loader.has_absolute(post_quant + ".weight")) {
      const at::Tensor weight = loader.take_absolute(post_quant + ".weight", {channels, channels, 1, 1});
      const at::Tensor bias = loader.take_absolute(post_quant + ".bias", {channels});
      post_quant_.emplace_back(weight, bias, nn::ConvShape{.in = channels, .out = channels, .kernel = 1},
                               nn::Activation::none, loader.dtype(), loader.device());
    }
    conv_in_ = nn::Conv2d(loader, "conv_in", {.in = channels, .out = mid_width(loader)});

    const std::vector<int64_t> widths = stage_widths(loader, "up_blocks");
    int64_t width = mid_width(loader);
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string name = "up_blocks." + std::to_string(i);
      UpStage stage{load_resnets(loader, name, width, widths[i], plan_), {}};
      width = widths[i];
      if (i + 1 < widths.size()) stage.upsampler.emplace_back(loader, name + ".upsamplers.0.conv", width, width);
      stages_.push_back(std::move(stage));
    }
    norm_out_ = norm_silu(loader, "conv_norm_out", width, plan_);
    conv_out_ = nn::Conv2d(loader, "conv_out", {.in = width, .out = 3});
    loader.finish();

    spec_ = make_spec(channels, stages_.size(), request);
    const std::vector<int64_t> from_full_size(widths.rbegin(), widths.rend());
    info_ = {"kl", describe(from_full_size, stages_.empty() ? 0 : stages_[0].resnets.size(), mid_.attends()),
             loader.parameters(), nn::resolve_dtype(request.dtype, request.device)};
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override {
    at::Tensor x = latents;
    for (const nn::Conv2d& conv : post_quant_) x = conv(run, x);
    x = mid_(run, conv_in_(run, x));
    for (const UpStage& stage : stages_) {
      for (const ResidualBlock& block : stage.resnets) x = block(run, x);
      for (const nn::UpsampleConv2d& upsample : stage.upsampler) x = upsample(run, x);
    }
    return conv_out_(run, norm_out_(run, x));
  }

  Plan plan_;
  MidBlock mid_;
  std::vector<nn::Conv2d> post_quant_;  // none or one
  nn::Conv2d conv_in_, conv_out_;
  std::vector<UpStage> stages_;
  nn::GroupNorm norm_out_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  require(*request.weights, kDecoder);
  return std::make_unique<KlDecoder>(request);
}

}  // namespace lightswitch::kl
