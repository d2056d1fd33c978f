#include <ATen/ATen.h>

#include <cmath>
#include <limits>

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

/// Statistics [N, groups, 2] of each picture where no CPU kernel serves.
at::Tensor device_statistics(const at::Tensor& x, int64_t groups) {
  const auto [variance, mean] = at::var_mean(x.to(at::kFloat).reshape({x.size(0), groups, -1}), {2}, 0);
  return at::stack({mean, variance}, 2);
}

double largest(const at::Tensor& values) {
  return values.numel() > 0 ? values.abs().max().item<double>() : 0;
}

}  // namespace

at::Tensor pooled(const at::Tensor& statistics) {
  const at::Tensor means = statistics.select(2, 0), variances = statistics.select(2, 1);
  const at::Tensor mean = means.mean(0, true);
  return at::stack({mean, (variances + (means - mean).square()).mean(0, true)}, 2);
}

GroupNorm::GroupNorm(WeightLoader& loader, const std::string& name, int64_t channels, int64_t groups, double eps,
                     Activation act, Over over)
    : name_(loader.full_name(name)),
      weight_(taken(loader, name + ".weight", channels)),
      bias_(taken(loader, name + ".bias", channels)),
      groups_(groups),
      eps_(eps),
      act_(act),
      over_(over) {}

at::Tensor GroupNorm::operator()(Run& run, at::Tensor x) const {
  run.checkpoint();
  if (run.counting()) return is_sole_owner(x) ? x : run.planned(at::empty_like(x));
  if (x.is_cpu()) x = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor shared = run.norm_statistics([&] { return statistics(x); });
  return finish(run, shared, std::move(x));
}

at::Tensor GroupNorm::with(Run& run, const at::Tensor& statistics, at::Tensor x) const {
  run.checkpoint();
  return finish(run, statistics, std::move(x));
}

at::Tensor GroupNorm::finish(Run& run, const at::Tensor& statistics, at::Tensor x) const {
  at::Tensor y;
  if (output_)
    y = to_bytes(x, statistics);
  else if (x.is_cpu())
    y = apply_in_kernel(run, std::move(x), act_, [&](const at::Tensor& from, Activation act, at::Tensor& to) {
      group_norm_kernel(from, statistics, weight_, bias_, eps_, act, to);
    });
  else
    y = on_device(run, x, statistics);
  run.magnitudes().note(y, std::numeric_limits<double>::infinity());
  return run.made(name_, std::move(y));
}

at::Tensor GroupNorm::statistics(const at::Tensor& x) const {
  const at::Tensor each = x.is_cpu() ? group_statistics(x, groups_) : device_statistics(x, groups_);
  return over_ == Over::all_pictures ? pooled(each) : each;
}

at::Tensor GroupNorm::to_bytes(const at::Tensor& given, const at::Tensor& statistics) const {
  const at::Tensor x = given.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor bytes = at::empty_like(x, x.options().dtype(at::kByte));
  if (!group_norm_to_bytes_kernel(x, statistics, weight_, bias_, eps_, act_, *output_, bytes))
    Run::require_finite(name_, x);
  return bytes;
}

at::Tensor GroupNorm::on_device(Run& run, const at::Tensor& x, const at::Tensor& statistics) const {
  const auto per_channel = [&](const at::Tensor& groups) { return groups.repeat_interleave(x.size(1) / groups_, 1); };
  const at::Tensor scale = weight_ * per_channel(at::rsqrt(statistics.select(2, 1) + eps_));
  const at::Tensor shift = bias_ - per_channel(statistics.select(2, 0)) * scale;
  const auto spread = [](const at::Tensor& values) { return values.unsqueeze(2).unsqueeze(3); };
  return activate(run, at::addcmul(spread(shift), x.to(at::kFloat), spread(scale)).to(x.scalar_type()), act_);
}

RmsNorm2d::RmsNorm2d(WeightLoader& loader, const std::string& name, int64_t channels, double eps, Activation act)
    : name_(loader.full_name(name)),
      weight_(taken(loader, name + ".weight", channels)),
      bias_(taken(loader, name + ".bias", channels)),
      eps_(eps),
      act_(act),
      largest_(std::sqrt(static_cast<double>(channels)) * largest(weight_) + largest(bias_)) {}

at::Tensor RmsNorm2d::operator()(Run& run, at::Tensor x) const {
  run.checkpoint();
  if (run.counting()) return is_sole_owner(x) ? x : run.planned(at::empty_like(x));
  // Squares beyond this might not have a finite sum.
  constexpr double safe = 1e15;
  const double bound = run.magnitudes().bound(x) < safe ? largest_ : std::numeric_limits<double>::infinity();
  at::Tensor y = compute(run, std::move(x));
  run.magnitudes().note(y, bound);
  return run.made(name_, std::move(y));
}

at::Tensor RmsNorm2d::compute(Run& run, at::Tensor x) const {
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
