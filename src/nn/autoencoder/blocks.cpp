#include "nn/autoencoder/blocks.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

namespace lightswitch::nn::autoencoder {
namespace {

GroupNorm make_norm(WeightLoader& loader, const std::string& name, int64_t channels, const Plan& plan, Activation act) {
  if (channels % plan.groups != 0)
    throw OptionError(
        "does not divide the channels of " + name,
        {loader.origin(), "norm_num_groups", "a divisor of " + std::to_string(channels), std::to_string(plan.groups)});
  return GroupNorm(loader, name, channels, plan.groups, plan.eps, act);
}

/// A projection of the attention block: a linear layer, stored as a matrix or, in old files, as a 1x1 convolution.
struct Projection {
  std::string name;
  at::Tensor weight, bias;
};

Projection take_projection(WeightLoader& loader, const std::string& block, const std::string& name,
                           const std::string& old_name, int64_t channels) {
  const std::string full = block + (loader.has(block + name + ".weight") ? name : old_name);
  const std::string chosen =
      loader.has(full + ".weight") ? full : block + name;  // so that a missing tensor has its new name
  const bool as_conv = loader.shape_of(chosen + ".weight").size() == 4;
  const at::Tensor weight = as_conv ? loader.take(chosen + ".weight", {channels, channels, 1, 1})
                                    : loader.take(chosen + ".weight", {channels, channels});
  return {loader.full_name(chosen), weight.reshape({channels, channels, 1, 1}),
          loader.take(chosen + ".bias", {channels})};
}

Conv2d join_projections(WeightLoader& loader, const std::vector<Projection>& parts) {
  std::vector<at::Tensor> weights, biases;
  for (const Projection& part : parts) {
    weights.push_back(part.weight);
    biases.push_back(part.bias);
  }
  const at::Tensor weight = at::cat(weights), bias = at::cat(biases);
  return Conv2d(loader, parts.front().name, weight, bias, {.in = weight.size(1), .out = weight.size(0), .kernel = 1});
}

}  // namespace

Plan read_plan(const WeightLoader& loader) {
  const std::string act = config_text(loader.config(), "act_fn", "silu");
  if (act != "silu" && act != "swish")
    throw UnsupportedError("unknown activation", {loader.origin(), "act_fn", "silu", act});
  const std::string norm = config_text(loader.config(), "norm_type", "group");
  if (norm != "group")
    throw UnsupportedError("norms that see the latents are not computed",
                           {loader.origin(), "norm_type", "group", norm});
  Plan plan;
  plan.groups = config_int(loader.config(), "norm_num_groups", plan.groups);
  if (plan.groups < 1)
    throw OptionError("out of range", {loader.origin(), "norm_num_groups", "1 or more", std::to_string(plan.groups)});
  return plan;
}

GroupNorm norm_silu(WeightLoader& loader, const std::string& name, int64_t channels, const Plan& plan) {
  return make_norm(loader, name, channels, plan, Activation::silu);
}

ResidualBlock::ResidualBlock(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, const Plan& plan)
    : norm1_(norm_silu(loader, name + ".norm1", in, plan)),
      norm2_(norm_silu(loader, name + ".norm2", out, plan)),
      conv1_(loader, name + ".conv1", {.in = in, .out = out}),
      conv2_(loader, name + ".conv2", {.in = out, .out = out}),
      widens_(in != out) {
  norm1_.feeds(conv1_);
  norm2_.feeds(conv2_);
  if (widens_) shortcut_ = Conv2d(loader, name + ".conv_shortcut", {.in = in, .out = out, .kernel = 1});
}

at::Tensor ResidualBlock::operator()(Run& run, at::Tensor x) const {
  const at::Tensor hidden = norm2_(run, conv1_(run, norm1_(run, x)));
  if (widens_) x = shortcut_(run, x);
  return conv2_(run, hidden, std::move(x));
}

AttentionBlock::AttentionBlock(WeightLoader& loader, const std::string& name, int64_t channels, const Plan& plan,
                               int64_t heads)
    : norm_(make_norm(loader, name + ".group_norm", channels, plan, Activation::none)),
      qkv_(join_projections(loader, {take_projection(loader, name, ".to_q", ".query", channels),
                                     take_projection(loader, name, ".to_k", ".key", channels),
                                     take_projection(loader, name, ".to_v", ".value", channels)})),
      out_(join_projections(loader, {take_projection(loader, name, ".to_out.0", ".proj_attn", channels)})),
      heads_(heads) {}

at::Tensor AttentionBlock::operator()(Run& run, const at::Tensor& x) const {
  const auto parts = qkv_(run, norm_(run, x)).chunk(3, 1);
  return out_(run, attention(run, parts[0], parts[1], parts[2], heads_), x);
}

std::vector<int64_t> stage_widths(const WeightLoader& loader, const std::string& name,
                                  const std::string& first_convolution, int64_t fallback) {
  std::vector<int64_t> widths;
  for (;;) {
    const std::string weight = name + "." + std::to_string(widths.size()) + ".resnets.0." + first_convolution;
    if (!loader.has(weight)) return widths;
    widths.push_back(loader.axis_of(weight, 0, fallback));
  }
}

}  // namespace lightswitch::nn::autoencoder
