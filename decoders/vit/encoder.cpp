#include <ATen/ATen.h>

#include "vit/network.hpp"

namespace lightswitch::vit {
namespace {

int64_t unshuffled_rows(const nn::WeightLoader& loader, const std::string& name, int64_t fallback) {
  const auto shape = loader.shape_of(name + ".weight");
  return shape.empty() ? fallback : 4 * shape[0];
}

}  // namespace

VitEncoder::VitEncoder(const NetworkRequest& request, const Layout& layout) : device_(request.device) {
  nn::WeightLoader loader(request, layout.prefix, {"decoder."});
  dtype_ = loader.dtype();
  spec_.channels = layout.latent_channels;
  spec_.factor = 1;
  spec_.network_input = LatentKind::raw;
  spec_.global_operations = layout.attends();

  int64_t width = layout.stages.front().width;
  if (const std::string downsampler = "project_in.conv.conv"; loader.has(downsampler + ".weight")) {
    project_in_ = Downsample(loader, downsampler, 3, width, false);
    spec_.factor *= 2;
  } else {
    project_in_ = nn::Conv2d(loader, "project_in.conv", {.in = 3, .out = width});
  }
  for (const Stage& stage : layout.stages) {
    DownStage down{.blocks = Blocks(loader, stage), .downsample = std::nullopt};
    if (stage.ops.back() == Op::resample) {
      const std::string name = stage.op_name(stage.ops.size() - 1) + "main.conv.conv";
      width = unshuffled_rows(loader, name, stage.width);
      down.downsample.emplace(loader, name, stage.width, width, true);
      spec_.factor *= 2;
    }
    stages_.push_back(std::move(down));
  }
  project_out_ = averaging_conv(loader, "project_out.main.op_list.0.conv", width, layout.latent_channels);
  loader.finish();
  nn::apply_common_config(spec_, request.config);
  info_ = {.family = "vit",
           .configuration = layout.describe(),
           .parameters = loader.parameters(),
           .dtype = nn::resolve_dtype(request.dtype, request.device)};
}

at::Tensor VitEncoder::run_layers(nn::Run& run, const at::Tensor& pictures) const {
  at::Tensor x = nn::enter(run, pictures, dtype_, device_);
  x = std::visit([&](const auto& in) { return in(run, x); }, project_in_);
  for (const DownStage& stage : stages_) {
    x = stage.blocks(run, std::move(x));
    if (stage.downsample) x = (*stage.downsample)(run, x);
  }
  return nn::leave(run, project_out_(run, x));
}

at::Tensor VitEncoder::forward(const at::Tensor& pictures, std::stop_token stop) const {
  nn::Run run = nn::Run::compute(std::move(stop));
  return run_layers(run, pictures);
}

int64_t VitEncoder::macs(int64_t height, int64_t width) const {
  nn::Run run = nn::Run::count();
  run_layers(run, at::empty({1, 3, height, width}, at::kMeta));
  return run.macs();
}

}  // namespace lightswitch::vit
