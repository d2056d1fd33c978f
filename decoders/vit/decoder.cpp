#include <ATen/ATen.h>

#include <algorithm>

#include "vit/network.hpp"

namespace lightswitch::vit {
namespace {

int64_t rows_of(const nn::WeightLoader& loader, const std::string& name, int64_t fallback) {
  const auto shape = loader.shape_of(name + ".weight");
  return shape.empty() ? fallback : shape[0];
}

}  // namespace

VitDecoder::VitDecoder(const NetworkRequest& request, const Layout& layout) : device_(request.device) {
  nn::WeightLoader loader(request, layout.prefix,
                          layout.prefix.empty() ? std::vector<std::string>{} : std::vector<std::string>{"encoder."});
  dtype_ = loader.dtype();
  spec_.channels = layout.latent_channels;
  spec_.factor = 1;
  // A decoder alone was trained as a stand-in on a denoiser's latents; one beside its encoder eats what that encoder
  // gives.
  spec_.network_input = layout.prefix.empty() ? LatentKind::diffusion : LatentKind::raw;
  spec_.global_operations = layout.attends();

  int64_t width = rows_of(loader, "project_in.main.conv", layout.stages.front().width);
  project_in_ = duplicating_conv(loader, "project_in.main.conv", layout.latent_channels, width);
  for (const Stage& stage : layout.stages) {
    UpStage up;
    if (stage.ops.front() == Op::resample) {
      up.upsample.emplace(loader, stage.op_name(0) + "main.conv.conv", width, stage.width, true);
      spec_.factor *= 2;
    }
    up.blocks = Blocks(loader, stage);
    stages_.push_back(std::move(up));
    width = stage.width;
  }
  norm_out_ = nn::RmsNorm2d(loader, "project_out.op_list.0", width, norm_eps, nn::Activation::relu);
  if (const std::string upsampler = "project_out.op_list.2.conv.conv"; loader.has(upsampler + ".weight")) {
    project_out_ = Upsample(loader, upsampler, width, 3, false);
    spec_.factor *= 2;
  } else {
    project_out_ = nn::Conv2d(loader, "project_out.op_list.2.conv", {.in = width, .out = 3});
  }
  loader.finish();
  spec_.halo = halo(layout);
  nn::apply_common_config(spec_, request.config);
  info_ = {.family = "vit",
           .configuration = layout.describe(),
           .parameters = loader.parameters(),
           .dtype = nn::resolve_dtype(request.dtype, request.device)};
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

at::Tensor VitDecoder::run_layers(nn::Run& run, const at::Tensor& latents) const {
  at::Tensor x = project_in_(run, nn::enter(run, latents, dtype_, device_));
  for (const UpStage& stage : stages_) {
    if (stage.upsample) x = (*stage.upsample)(run, x);
    x = stage.blocks(run, std::move(x));
  }
  x = norm_out_(run, x);
  return nn::leave(run, std::visit([&](const auto& out) { return out(run, x); }, project_out_));
}

at::Tensor VitDecoder::forward(const at::Tensor& latents, std::stop_token stop) const {
  nn::Run run = nn::Run::compute(std::move(stop));
  return run_layers(run, latents);
}

int64_t VitDecoder::macs(int64_t h, int64_t w) const {
  nn::Run run = nn::Run::count();
  run_layers(run, at::empty({1, spec_.channels, h, w}, at::kMeta));
  return run.macs();
}

}  // namespace lightswitch::vit
