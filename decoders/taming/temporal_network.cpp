#include "taming/temporal_network.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "taming/spec.hpp"

namespace lightswitch::taming {
namespace {

using nn::Activation;

constexpr int64_t usual_groups = 32, head_size = 96;
/// The middle comes behind the upsampling that leads to this stage.
constexpr size_t middle_stage = 1;

}  // namespace

TemporalNetwork::TemporalNetwork(nn::WeightLoader& loader, const Layout& layout) {
  const int64_t width = layout.width, groups = nn::config_int(loader.config(), "norm_num_groups", usual_groups);
  if (groups < 1 || width % groups != 0)
    throw OptionError("does not divide the width", {.file = loader.origin(),
                                                    .field = "norm_num_groups",
                                                    .expected = "a divisor of " + std::to_string(width),
                                                    .found = std::to_string(groups)});
  const auto layer = [&](const std::string& name) { return layout.prefix + name; };
  conv_in_ = nn::Conv2d(loader, layer(layout.conv_in), {.in = layout.in_channels, .out = width}, Activation::relu);
  for (const Stage& stage : layout.stages) {
    UpStage up;
    if (!stage.resample.empty())
      up.conv = nn::Conv2d(loader, layer(stage.resample), {.in = width, .out = width, .bias = false});
    for (const BlockLayer& block : stage.blocks)
      up.blocks.emplace_back(loader, BlockLayer{layer(block.name), block.pools}, width);
    stages_.push_back(std::move(up));
  }
  conv_out_ = nn::Conv2d(loader, layer(layout.conv_out), {.in = width, .out = 3});
  const nn::autoencoder::Plan plan{.groups = groups};
  middle_.emplace(
      Middle{.first = {loader, "mid_block.resnets.0", width, width, plan},
             .attention = {loader, "mid_block.attentions.0", width, plan, std::max<int64_t>(width / head_size, 1)},
             .second = {loader, "mid_block.resnets.1", width, width, plan}});
}

LatentSpec TemporalNetwork::spec(const Layout& layout, const Config& config) const {
  LatentSpec spec = make_spec(layout, layout.in_channels, config);
  spec.global_operations = true;
  return spec;
}

std::string TemporalNetwork::description(const Layout& layout) const {
  return layout.describe() + ", bilinear, temporal middle";
}

at::Tensor TemporalNetwork::up(nn::Run& run, const UpStage& stage, const at::Tensor& x) const {
  return stage.conv(run, nn::upsample_bilinear(run, x));
}

at::Tensor TemporalNetwork::before_middle(nn::Run& run, const at::Tensor& latent) const {
  at::Tensor x = conv_in_(run, bounded(latent));
  for (const Block& block : stages_.front().blocks) x = block(run, std::move(x));
  return up(run, stages_[middle_stage], x);
}

at::Tensor TemporalNetwork::after_middle(nn::Run& run, at::Tensor x) const {
  for (size_t i = middle_stage; i < stages_.size(); ++i) {
    if (i > middle_stage) x = up(run, stages_[i], x);
    for (const Block& block : stages_[i].blocks) x = block(run, std::move(x));
  }
  return conv_out_(run, x);
}

at::Tensor TemporalNetwork::operator()(nn::Run& run, const at::Tensor& latents, Memory& /*memory*/) const {
  // Frames meet in the middle alone; outside of it one at a time keeps memory low.
  const auto each = [](const at::Tensor& frames, auto&& network) {
    std::vector<at::Tensor> results;
    for (int64_t t = 0; t < frames.size(0); ++t) results.push_back(network(frames.narrow(0, t, 1)));
    return results.size() == 1 ? results.front() : at::cat(results);
  };
  at::Tensor x = each(latents, [&](const at::Tensor& latent) { return before_middle(run, latent); });
  x = middle_->second(run, middle_->attention(run, middle_->first(run, x)));
  return each(x, [&](const at::Tensor& frame) { return after_middle(run, frame); });
}

}  // namespace lightswitch::taming
