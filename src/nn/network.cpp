#include "nn/network.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <type_traits>

namespace lightswitch::nn {

template <typename Interface>
Network<Interface>::Network(const NetworkRequest& request) : device_(request.device) {
  info_.dtype = resolve_dtype(request.dtype, request.device);
}

template <typename Interface>
at::Tensor Network<Interface>::compute(Run run, const at::Tensor& given, const Pass& way) const {
  const c10::NoGradGuard no_grad;
  const at::Tensor input = prepare(run, given);
  if constexpr (std::is_same_v<Interface, Decoder>) {
    require_input(input, "latents", spec_.channels);
  } else {
    require_input(input, "pictures", 3, spec_.factor);
  }
  return leave(run, way(run, enter(run, input, scalar_type(info_.dtype), device_)));
}

template <typename Interface>
at::Tensor Network<Interface>::compute(Run run, const at::Tensor& input) const {
  return compute(std::move(run), input, [this](Run& same, const at::Tensor& x) { return pass(same, x); });
}

template <typename Interface>
at::Tensor Network<Interface>::forward_by(const Pass& way, const at::Tensor& input, std::stop_token stop) const {
  return compute(Run::compute(std::move(stop)), input, way);
}

template <typename Interface>
at::Tensor Network<Interface>::forward(const at::Tensor& input, std::stop_token stop) const {
  return compute(Run::compute(std::move(stop)), input);
}

template <typename Interface>
std::string Network<Interface>::first_non_finite_layer(const at::Tensor& input, std::stop_token stop) const {
  try {
    compute(Run::trace(std::move(stop)), input);
  } catch (const NumericError& error) {
    return error.detail().field;
  }
  return {};
}

template <typename Interface>
NormStatistics Network<Interface>::measure(const at::Tensor& input, std::stop_token stop) const {
  NormStatistics statistics;
  compute(Run::measure(statistics, std::move(stop)), input);
  return statistics;
}

template <typename Interface>
at::Tensor Network<Interface>::forward_with(const NormStatistics& statistics, const at::Tensor& input,
                                            std::stop_token stop) const {
  return compute(Run::with(statistics, std::move(stop)), input);
}

template <typename Interface>
Calibration Network<Interface>::watch(const at::Tensor& input, std::stop_token stop) const {
  if (info_.dtype == DType::int8)
    throw UnsupportedError("ranges are measured before anything is rounded", {"", "dtype", "fp32 or bf16", "int8"});
  Calibration seen;
  compute(Run::watch(seen, std::move(stop)), input);
  return seen;
}

template <typename Interface>
Run Network<Interface>::count(int64_t height, int64_t width) const {
  const int64_t channels = std::is_same_v<Interface, Decoder> ? spec_.channels : 3;
  Run run = Run::count();
  const at::Tensor input = at::empty({1, channels, height, width}, at::kMeta);
  leave(run, pass(run, enter(run, input, scalar_type(info_.dtype), device_)));
  return run;
}

template <typename Interface>
int64_t Network<Interface>::macs(int64_t height, int64_t width) const {
  return count(height, width).macs();
}

template <typename Interface>
std::optional<int64_t> Network<Interface>::activation_bytes(int64_t height, int64_t width) const {
  return count(height, width).peak_bytes();
}

template class Network<Decoder>;
template class Network<Encoder>;

}  // namespace lightswitch::nn
