#include <ATen/ATen.h>

#include "vit/network.hpp"

namespace lightswitch::vit {
namespace {

/// Channels that enter what follows stage `index`.
int64_t width_after(const nn::WeightLoader& loader, const Layout& layout, size_t index) {
  if (index + 1 < layout.stages.size()) return layout.stages[index + 1].width;
  const auto shape = loader.shape_of(layout.names->encoder_out + std::string(".weight"));
  return shape.size() == 4 ? shape[1] : layout.stages[index].width;
}

/// efficientvit calls a strided convolution by another name than one that is unshuffled.
std::string resampler_name(const nn::WeightLoader& loader, const std::string& op, const Names& names) {
  const std::string strided = op + names.strided;
  return loader.has(strided + ".weight") || loader.has(strided + ".bias") ? strided : op + names.resample;
}

}  // namespace

VitEncoder::VitEncoder(const NetworkRequest& request, const Layout& layout) : Network(request) {
  nn::WeightLoader loader(request, layout.prefix, {"decoder."});
  spec_.channels = layout.latent_channels;
  spec_.factor = 1;
  spec_.network_input = LatentKind::raw;
  spec_.global_operations = uses_batch_statistics(request.config, layout.has_batch_norm()) || layout.attends();

  const Names& names = *layout.names;
  int64_t width = layout.stages.front().width;
  const std::string conv_in = names.encoder_in;
  if (layout.resamples_at_full_size) {
    project_in_ = Downsample(loader, conv_in + ".conv", 3, width, false);
    spec_.factor *= 2;
  } else {
    project_in_ = nn::Conv2d(loader, conv_in, {.in = 3, .out = width});
  }
  for (size_t i = 0; i < layout.stages.size(); ++i) {
    const Stage& stage = layout.stages[i];
    DownStage down{.blocks = Blocks(loader, stage), .downsample = std::nullopt};
    if (stage.ops.back() == Op::resample) {
      const std::string name = resampler_name(loader, stage.op_name(stage.ops.size() - 1), names);
      width = width_after(loader, layout, i);
      down.downsample.emplace(loader, name, stage.width, width, true);
      spec_.factor *= 2;
    }
    stages_.push_back(std::move(down));
  }
  project_out_ = layout.latent_shortcut
                     ? averaging_conv(loader, names.encoder_out, width, layout.latent_channels)
                     : nn::Conv2d(loader, names.encoder_out, {.in = width, .out = layout.latent_channels});
  loader.finish();
  nn::apply_common_config(spec_, request.config);
  info_ = loader.info("vit", layout.describe());
}

at::Tensor VitEncoder::pass(nn::Run& run, const at::Tensor& input) const {
  at::Tensor x = std::visit([&](const auto& in) { return in(run, input); }, project_in_);
  for (const DownStage& stage : stages_) {
    x = stage.blocks(run, std::move(x));
    if (stage.downsample) x = (*stage.downsample)(run, x);
  }
  return project_out_(run, x);
}

}  // namespace lightswitch::vit
