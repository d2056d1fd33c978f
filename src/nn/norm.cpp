#include <ATen/ATen.h>

#include "nn/layers.hpp"

namespace lightswitch::nn {
namespace {

/// Norms keep their numbers in fp32, whatever the activations are.
at::Tensor taken(WeightLoader& loader, const std::string& name, int64_t channels) {
  const at::Tensor stored = loader.take(name, {channels});
  return stored.to(stored.options().device(loader.device()), false, true);
}

}  // namespace

GroupNorm::GroupNorm(WeightLoader& loader, const std::string& name, int64_t channels, int64_t groups, double eps,
                     Activation act)
    : weight_(taken(loader, name + ".weight", channels)),
      bias_(taken(loader, name + ".bias", channels)),
      groups_(groups),
      eps_(eps),
      act_(act) {}

at::Tensor GroupNorm::operator()(Run& run, const at::Tensor& x) const {
  run.checkpoint();
  if (run.counting()) return x;
  const at::Tensor y =
      std::get<0>(at::native_group_norm(x, weight_, bias_, x.size(0), x.size(1), x.size(2) * x.size(3), groups_, eps_));
  return activate(run, y, act_);
}

RmsNorm2d::RmsNorm2d(WeightLoader& loader, const std::string& name, int64_t channels, double eps, Activation act)
    : weight_(taken(loader, name + ".weight", channels).view({1, channels, 1, 1})),
      bias_(taken(loader, name + ".bias", channels).view({1, channels, 1, 1})),
      eps_(eps),
      act_(act) {}

at::Tensor RmsNorm2d::operator()(Run& run, const at::Tensor& x) const {
  run.checkpoint();
  if (run.counting()) return x;
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(at::mean(wide * wide, {1}, true) + eps_);
  return activate(run, at::addcmul(bias_, wide * scale, weight_).to(x.scalar_type()), act_);
}

}  // namespace lightswitch::nn
