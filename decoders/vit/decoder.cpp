#include <ATen/ATen.h>

#include <algorithm>

#include "vit/network.hpp"

namespace lightswitch::vit {
namespace {

int64_t rows_of(const nn::WeightLoader& loader, const std::string& name, int64_t fallback) {
  for (const char* part : {".weight", ".bias"}) {
    if (const auto shape = loader.shape_of(name + part); !shape.empty()) return shape[0];
  }
  return fallback;
}

}  // namespace

VitDecoder::VitDecoder(const NetworkRequest& request, const Layout& layout) : Network(request) {
  nn::WeightLoader loader(request, layout.prefix,
                          layout.prefix.empty() ? std::vector<std::string>{} : std::vector<std::string>{"encoder."});
  spec_.channels = layout.latent_channels;
  spec_.factor = 1;
  // A decoder alone is a stand-in trained on a denoiser's latents; one with an encoder eats what the encoder gives.
  spec_.network_input = layout.prefix.empty() ? LatentKind::diffusion : LatentKind::raw;
  spec_.global_operations = uses_batch_statistics(request.config, layout.has_batch_norm()) || layout.attends();

  const Names& names = *layout.names;
  int64_t width = rows_of(loader, names.decoder_in, layout.stages.front().width);
  project_in_ = layout.latent_shortcut
                    ? duplicating_conv(loader, names.decoder_in, layout.latent_channels, width)
                    : nn::Conv2d(loader, names.decoder_in, {.in = layout.latent_channels, .out = width});
  for (const Stage& stage : layout.stages) {
    UpStage up;
    if (stage.ops.front() == Op::resample) {
      up.upsample.emplace(loader, stage.op_name(0) + names.resample, width, stage.width, true);
      spec_.factor *= 2;
    }
    up.blocks = Blocks(loader, stage);
    stages_.push_back(std::move(up));
    width = stage.width;
  }
  norm_out_ = nn::RmsNorm2d(loader, names.decoder_norm_out, width, norm_eps, layout.out_act);
  const std::string conv_out = names.decoder_out;
  if (layout.resamples_at_full_size) {
    project_out_ = Upsample(loader, conv_out + ".conv", width, 3, false);
    spec_.factor *= 2;
  } else {
    project_out_ = nn::Conv2d(loader, conv_out, {.in = width, .out = 3});
  }
  loader.finish();
  spec_.halo = halo(layout);
  nn::apply_common_config(spec_, request.config);
  info_ = loader.info("vit", layout.describe());
}

int64_t VitDecoder::halo(const Layout& layout) const {
  const auto* upsample_out = std::get_if<Upsample>(&project_out_);
  int64_t reach = upsample_out ? upsample_out->reach(0) : 1;
  for (size_t i = stages_.size(); i-- > 0;) {
    const auto& ops = layout.stages[i].ops;
    reach += 2 * std::count(ops.begin(), ops.end(), Op::residual);
    if (stages_[i].upsample) reach = stages_[i].upsample->reach(reach);
  }
  return reach + 1;  // project_in
}

at::Tensor VitDecoder::pass(nn::Run& run, const at::Tensor& input) const {
  at::Tensor x = project_in_(run, input);
  for (const UpStage& stage : stages_) {
    if (stage.upsample) x = (*stage.upsample)(run, x);
    x = stage.blocks(run, std::move(x));
  }
  x = norm_out_(run, std::move(x));
  return std::visit([&](const auto& out) { return out(run, x); }, project_out_);
}

}  // namespace lightswitch::vit
