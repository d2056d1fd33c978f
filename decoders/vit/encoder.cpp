#include <ATen/ATen.h>

#include "vit/network.hpp"

namespace lightswitch::vit {
namespace {

int64_t unshuffled_rows(const nn::WeightLoader& loader, const std::string& name, int64_t fallback) {
  for (const char* part : {".weight", ".bias"}) {
    if (const auto shape = loader.shape_of(name + part); !shape.empty()) return 4 * shape[0];
  }
  return fallback;
}

}  // namespace

VitEncoder::VitEncoder(const NetworkRequest& request, const Layout& layout) : Network(request) {
  nn::WeightLoader loader(request, layout.prefix, {"decoder."});
  spec_.channels = layout.latent_channels;
  spec_.factor = 1;
  spec_.network_input = LatentKind::raw;
  spec_.global_operations = layout.attends();

  int64_t width = layout.stages.front().width;
  if (layout.resamples_at_full_size) {
    project_in_ = Downsample(loader, "project_in.conv.conv", 3, width, false);
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
  info_.family = "vit";
  info_.configuration = layout.describe();
  info_.parameters = loader.parameters();
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
