#include <ATen/ATen.h>

#include "nn/layers.hpp"
#include "nn/norm_kernels.hpp"
#include "nn/ownership.hpp"

namespace lightswitch::nn {
namespace {

/// Norms keep their numbers in fp32, whatever the activations are.
at::Tensor taken(WeightLoader& loader, const std::string& name, int64_t channels) {
  const at::Tensor stored = loader.take(name, {channels});
  return stored.to(stored.options().device(loader.device()), false, true);
}

/// Runs a kernel over x, in place where nobody else sees x. Kernels know no GELU, which follows on its own.
template <typename Kernel>
at::Tensor apply_in_kernel(Run& run, at::Tensor x, Activation act, Kernel&& kernel) {
  if (!x.is_contiguous(at::MemoryFormat::ChannelsLast)) x = x.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor y = is_sole_owner(x) ? x : at::empty_like(x);
  const bool apart = act == Activation::gelu;
  kernel(x, apart ? Activation::none : act, y);
  return apart ? activate(run, std::move(y), act) : y;
}

}  // namespace

GroupNorm::GroupNorm(WeightLoader& loader, const std::string& name, int64_t channels, int64_t groups, double eps,
                     Activation act)
    : weight_(taken(loader, name + ".weight", channels)),
      bias_(taken(loader, name + ".bias", channels)),
      groups_(groups),
      eps_(eps),
      act_(act) {}

at::Tensor GroupNorm::operator()(Run& run, at::Tensor x) const {
  run.checkpoint();
  if (run.counting()) return x;
  if (!x.is_cpu())
    return activate(run,
                    std::get<0>(at::native_group_norm(x, weight_, bias_, x.size(0), x.size(1), x.size(2) * x.size(3),
                                                      groups_, eps_)),
                    act_);
  return apply_in_kernel(run, std::move(x), act_, [this](const at::Tensor& from, Activation act, at::Tensor& to) {
    group_norm_kernel(from, weight_, bias_, groups_, eps_, act, to);
  });
}

RmsNorm2d::RmsNorm2d(WeightLoader& loader, const std::string& name, int64_t channels, double eps, Activation act)
    : weight_(taken(loader, name + ".weight", channels)),
      bias_(taken(loader, name + ".bias", channels)),
      eps_(eps),
      act_(act) {}

at::Tensor RmsNorm2d::operator()(Run& run, at::Tensor x) const {
  run.checkpoint();
  if (run.counting()) return x;
  if (!x.is_cpu()) {
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor scale = at::rsqrt(at::mean(wide * wide, {1}, true) + eps_);
    const auto per_channel = [](const at::Tensor& values) { return values.view({1, -1, 1, 1}); };
    return activate(run, at::addcmul(per_channel(bias_), wide * scale, per_channel(weight_)).to(x.scalar_type()), act_);
  }
  return apply_in_kernel(run, std::move(x), act_, [this](const at::Tensor& from, Activation act, at::Tensor& to) {
    rms_norm_kernel(from, weight_, bias_, eps_, act, to);
  });
}

}  // namespace lightswitch::nn
