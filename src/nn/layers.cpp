#include "nn/layers.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "core/describe.hpp"
#include "nn/ownership.hpp"

namespace lightswitch::nn {

void Run::require_finite(const std::string& layer, const at::Tensor& y) {
  if (at::isfinite(y).all().item<bool>()) return;
  throw NumericError("not finite", {"", layer, "finite numbers", "NaN or infinity"});
}

void Run::watch(const std::string& layer, const at::Tensor& x) {
  require_finite(layer, x);
  const auto [low, high] = at::aminmax(x.to(at::kFloat));
  watched_->widen({{{layer, {std::min(low.item<double>(), 0.0), std::max(high.item<double>(), 0.0)}}}, {}});
}

at::Tensor Run::planned(at::Tensor y) {
  std::erase_if(planned_, [](const auto& entry) { return entry.first.expired(); });
  planned_.emplace_back(y.storage().getWeakStorageImpl(), static_cast<int64_t>(y.storage().nbytes()));
  int64_t bytes = 0;
  for (const auto& entry : planned_) bytes += entry.second;
  peak_bytes_ = std::max(peak_bytes_, bytes);
  return y;
}

void require_input(const at::Tensor& x, const char* name, int64_t channels, int64_t multiple) {
  const bool fits = x.defined() && x.dim() == 4 && x.is_floating_point() && x.numel() > 0 && x.size(1) == channels &&
                    x.size(2) % multiple == 0 && x.size(3) % multiple == 0;
  if (fits) return;
  std::string expected = "[N, " + std::to_string(channels) + ", H, W] floating point";
  if (multiple > 1) expected += " with H and W multiples of " + std::to_string(multiple);
  throw TensorError("unusable input", {"", name, expected, describe(x)});
}

at::Tensor enter(Run& run, const at::Tensor& x, at::ScalarType dtype, c10::Device device) {
  if (run.counting()) return run.planned(at::empty(x.sizes(), x.options().dtype(dtype)));
  return x.to(device, dtype).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor leave(Run& run, const at::Tensor& x) {
  if (run.counting()) {
    const auto wide = [&] { return run.planned(at::empty(x.sizes(), x.options().dtype(at::kFloat))); };
    const at::Tensor converted = x.scalar_type() == at::kFloat ? x : wide();
    return wide();  // contiguous
  }
  return x.to(at::kCPU, at::kFloat).contiguous();
}

at::Tensor pixel_shuffle(Run& run, const at::Tensor& x, int64_t factor) {
  run.checkpoint();
  at::Tensor y = at::pixel_shuffle(x, factor).contiguous(at::MemoryFormat::ChannelsLast);
  if (run.counting()) return run.planned(std::move(y));
  run.magnitudes().note(y, run.magnitudes().bound(x));
  return y;
}

at::Tensor pixel_unshuffle(Run& run, const at::Tensor& x, int64_t factor) {
  run.checkpoint();
  at::Tensor y = at::pixel_unshuffle(x, factor).contiguous(at::MemoryFormat::ChannelsLast);
  if (run.counting()) return run.planned(std::move(y));
  run.magnitudes().note(y, run.magnitudes().bound(x));
  return y;
}

at::Tensor upsample_bilinear(Run& run, const at::Tensor& x) {
  run.checkpoint();
  return at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)}, false);
}

at::Tensor activate(Run& run, at::Tensor x, Activation act) {
  const bool in_place = act == Activation::none || is_sole_owner(x);
  if (run.counting()) return in_place ? x : run.planned(at::empty_like(x));
  switch (act) {
    case Activation::relu:
      return in_place ? x.relu_() : at::relu(x);
    case Activation::silu:
      return in_place ? at::silu_(x) : at::silu(x);
    case Activation::gelu:
      return in_place ? at::gelu_(x) : at::gelu(x);
    case Activation::none:
      break;
  }
  return x;
}

at::Tensor add(Run& run, at::Tensor a, const at::Tensor& b) {
  if (run.counting()) return is_sole_owner(a) ? a : run.planned(at::empty_like(a));
  const double bound = run.magnitudes().bound(a) + run.magnitudes().bound(b);
  at::Tensor sum = is_sole_owner(a) ? a.add_(b) : at::add(a, b);
  run.magnitudes().note(sum, bound);
  return sum;
}

}  // namespace lightswitch::nn
