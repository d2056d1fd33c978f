#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routing.hpp>

#include <string>

#include "core/describe.hpp"

namespace lightswitch {
namespace {

at::Tensor indices(const RoutePlan& plan, Path path, c10::Device device) {
  return at::tensor(plan.samples(path), at::kLong).to(device);
}

void require_samples(const at::Tensor& samples, const char* name, int64_t count) {
  const bool fits = samples.defined() ? samples.dim() > 0 && samples.size(0) == count : count == 0;
  if (!fits)
    throw TensorError("another number of samples than planned",
                      {"", name, "[" + std::to_string(count) + ", …]", describe(samples)});
}

}  // namespace

Dispatched dispatch(const RoutePlan& plan, const at::Tensor& samples) {
  require_samples(samples, "samples", static_cast<int64_t>(plan.size()));
  const int64_t light = plan.count(Path::light), heavy = plan.count(Path::heavy);
  if (heavy == 0) return {light == 0 ? at::Tensor() : samples, {}};
  if (light == 0) return {{}, samples};
  return {samples.index_select(0, indices(plan, Path::light, samples.device())),
          samples.index_select(0, indices(plan, Path::heavy, samples.device()))};
}

at::Tensor combine(const RoutePlan& plan, const at::Tensor& light, const at::Tensor& heavy) {
  require_samples(light, "light", plan.count(Path::light));
  require_samples(heavy, "heavy", plan.count(Path::heavy));
  if (plan.count(Path::heavy) == 0) return light;
  if (plan.count(Path::light) == 0) return heavy;
  if (light.sizes().slice(1) != heavy.sizes().slice(1) || light.scalar_type() != heavy.scalar_type())
    throw TensorError("the paths made different shapes",
                      {"", "heavy", c10::str(light.sizes().slice(1), " ", light.scalar_type()),
                       c10::str(heavy.sizes().slice(1), " ", heavy.scalar_type())});
  std::vector<int64_t> shape = light.sizes().vec();
  shape[0] = static_cast<int64_t>(plan.size());
  at::Tensor all = at::empty(shape, light.options());
  all.index_copy_(0, indices(plan, Path::light, light.device()), light);
  all.index_copy_(0, indices(plan, Path::heavy, light.device()), heavy);
  return all;
}

}  // namespace lightswitch
