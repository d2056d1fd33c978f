#include "routing/latent_gate.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include "routing/checks.hpp"

namespace lightswitch {
namespace {

/// Single precision whatever the decoders compute in: the choice is then theirs in every dtype.
NetworkRequest in_fp32(std::shared_ptr<const WeightSource> weights) {
  return {.weights = std::move(weights), .config = {}, .dtype = DType::fp32};
}

}  // namespace

LatentGate::LatentGate(std::shared_ptr<const WeightSource> weights)
    : LatentGate(nn::WeightLoader(in_fp32(std::move(weights)), "gate.")) {}

LatentGate::LatentGate(nn::WeightLoader loader) {
  const int64_t hidden = loader.axis_of("conv1.weight", 0, 1);
  conv1_ =
      nn::Conv2d(loader, "conv1", {.in = loader.axis_of("conv1.weight", 1, 1), .out = hidden}, nn::Activation::relu);
  conv2_ = nn::Conv2d(loader, "conv2", {.in = hidden, .out = hidden}, nn::Activation::relu);
  out_ = nn::Conv2d(loader, "out", {.in = hidden, .out = 1, .kernel = 1});
  loader.finish();
  parameters_ = loader.parameters();
}

at::Tensor LatentGate::run(nn::Run& run, const at::Tensor& x) const {
  return out_(run, conv2_(run, conv1_(run, x))).mean({1, 2, 3});
}

at::Tensor LatentGate::scores(const at::Tensor& latents) const {
  nn::require_input(latents, "latents", channels());
  std::vector<at::Tensor> scores;  // one by one: kernels may round differently for different batch sizes
  for (const at::Tensor& latent : latents.split(1)) {
    nn::Run run = nn::Run::compute();
    scores.push_back(this->run(run, nn::enter(run, latent, at::kFloat, latents.device())));
  }
  return at::cat(scores);
}

PathCost LatentGate::cost(at::IntArrayRef shape) const {
  if (shape.size() != 3) throw TensorError("unusable shape", {"", "shape", "[C, h, w]", c10::str(shape)});
  nn::Run run = nn::Run::count();
  this->run(run, at::empty({1, shape[0], shape[1], shape[2]}, at::kMeta));
  return {run.macs(), parameters_};
}

}  // namespace lightswitch
