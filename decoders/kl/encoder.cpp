#include <ATen/ATen.h>

#include "kl/blocks.hpp"
#include "kl/names.hpp"
#include "kl/networks.hpp"
#include "nn/network.hpp"

namespace lightswitch::kl {
namespace {

/// Residual blocks of one resolution, and the step to the next one.
struct DownStage {
  std::vector<ResidualBlock> resnets;
  std::vector<nn::Conv2d> downsampler;  // none in the last stage
};

class KlEncoder final : public nn::EncoderNetwork {
 public:
  explicit KlEncoder(const NetworkRequest& request)
      : KlEncoder(request, nn::WeightLoader(request, kEncoder, {kDecoder, "post_quant_conv."})) {}

 private:
  KlEncoder(const NetworkRequest& request, nn::WeightLoader loader)
      : nn::EncoderNetwork(request), plan_(read_plan(loader)), mid_(loader, mid_width(loader), plan_) {
    const std::vector<int64_t> widths = stage_widths(loader, "down_blocks");
    int64_t width = conv_axis(loader, "conv_in.weight", 0, widths.empty() ? mid_width(loader) : widths[0]);
    conv_in_ = nn::Conv2d(loader, "conv_in", {.in = 3, .out = width});
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string name = "down_blocks." + std::to_string(i);
      DownStage stage{load_resnets(loader, name, width, widths[i], plan_), {}};
      width = widths[i];
      // diffusers pads the picture on the right and at the bottom alone.
      if (i + 1 < widths.size())
        stage.downsampler.emplace_back(
            loader, name + ".downsamplers.0.conv",
            nn::ConvShape{.in = width, .out = width, .stride = 2, .pad_begin = 0, .pad_end = 1});
      stages_.push_back(std::move(stage));
    }
    norm_out_ = norm_silu(loader, "conv_norm_out", mid_width(loader), plan_);
    // The posterior's moments: means, then log-variances. Only the means, its mode, are computed.
    const int64_t channels = conv_axis(loader, "conv_out.weight", 0, 8) / 2;
    load_moments(loader, channels);
    loader.finish();

    spec_ = make_spec(channels, stages_.size(), request);
    info_ = {"kl", describe(widths, stages_.empty() ? 0 : stages_[0].resnets.size(), mid_.attends()),
             loader.parameters(), nn::resolve_dtype(request.dtype, request.device)};
  }

  void load_moments(nn::WeightLoader& loader, int64_t channels) {
    const int64_t width = mid_width(loader), moments = 2 * channels;
    at::Tensor weight = loader.take("conv_out.weight", {moments, width, 3, 3}),
               bias = loader.take("conv_out.bias", {moments});
    const std::string quant = "quant_conv";
    if (loader.has_absolute(quant + ".weight")) {
      // Nothing stands between the two convolutions, so they are one.
      const at::Tensor mix = loader.take_absolute(quant + ".weight", {moments, moments, 1, 1}).view({moments, moments});
      bias = at::addmv(loader.take_absolute(quant + ".bias", {moments}), mix, bias);
      weight = at::matmul(mix, weight.reshape({moments, -1})).view({moments, width, 3, 3});
    }
    conv_out_ = nn::Conv2d(weight.narrow(0, 0, channels), bias.narrow(0, 0, channels), {.in = width, .out = channels},
                           nn::Activation::none, loader.dtype(), loader.device());
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& pictures) const override {
    at::Tensor x = conv_in_(run, pictures);
    for (const DownStage& stage : stages_) {
      for (const ResidualBlock& block : stage.resnets) x = block(run, x);
      for (const nn::Conv2d& downsample : stage.downsampler) x = downsample(run, x);
    }
    return conv_out_(run, norm_out_(run, mid_(run, x)));
  }

  Plan plan_;
  MidBlock mid_;
  nn::Conv2d conv_in_, conv_out_;
  std::vector<DownStage> stages_;
  nn::GroupNorm norm_out_;
};

}  // namespace

std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request) {
  require(*request.weights, kEncoder);
  return std::make_unique<KlEncoder>(request);
}

}  // namespace lightswitch::kl
