#include <ATen/ATen.h>
#include <lightswitch/calibration.hpp>
#include <lightswitch/decoder.hpp>
#include <lightswitch/error.hpp>

#include "decoder/latents.hpp"

namespace lightswitch {

Calibration calibrate(const Decoder& decoder, const at::Tensor& latents, LatentKind kind, std::stop_token stop) {
  if (!decoder.calibrating())
    throw UnsupportedError("this decoder cannot be computed in int8",
                           {"", "dtype", "a decoder of a built-in family", decoder.info().family});
  require_latents(latents, kind, decoder.spec());
  const at::Tensor input = to_network_input(latents, kind, decoder.spec());
  Calibration seen;
  for (int64_t i = 0; i < input.size(0); ++i) seen.widen(decoder.calibrating()->watch(input.narrow(0, i, 1), stop));
  return seen;
}

}  // namespace lightswitch
