#include "harness/conv_peak.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <array>

#include "core/stopwatch.hpp"
#include "nn/layers.hpp"

namespace lightswitch::bench {

double convolution_peak(DType dtype) {
  const c10::InferenceMode guard;
  const at::ScalarType type = nn::scalar_type(dtype);
  const c10::Device cpu(c10::kCPU);
  // Gives the layers their element type; there is no file behind it.
  NetworkRequest request;
  request.weights = weights_from_memory({});
  request.dtype = dtype;
  nn::WeightLoader loader(request, "");
  // Channels and edge of layers that the decoder families have at 512 pixels.
  constexpr std::array<std::array<int64_t, 2>, 4> shapes = {{{64, 256}, {128, 128}, {256, 64}, {512, 64}}};
  double best = 0;
  for (const auto& [channels, edge] : shapes) {
    const nn::Conv2d layer(loader, "peak", at::randn({channels, channels, 3, 3}), at::randn({channels}),
                           {.in = channels, .out = channels});
    nn::Run run = nn::Run::compute();
    const auto x = nn::enter(run, at::randn({1, channels, edge, edge}), type, cpu);
    const double macs = 9.0 * static_cast<double>(channels * channels * edge * edge);
    const Stopwatch total;
    for (int round = 0; round < 3 || total.ms() < 150; ++round) {
      const Stopwatch watch;
      layer(run, x);
      best = std::max(best, macs / (watch.ms() * 1e-3));
    }
  }
  return best;
}

}  // namespace lightswitch::bench
