#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <algorithm>

#include "decoder/latents.hpp"

namespace lightswitch {

void ClipOptions::validate() const {
  if (chunk < 0) throw OptionError("out of range", {"", "chunk", "0 or more frames", std::to_string(chunk)});
}

void decode_clip(const TemporalDecoder& decoder, const at::Tensor& latents, const ClipOptions& options,
                 const FrameSink& sink) {
  const c10::InferenceMode guard;
  const LatentSpec& spec = decoder.spec();
  options.validate();
  if (!latents.defined() || latents.dim() != 4 || !latents.is_floating_point() || latents.numel() == 0 ||
      latents.size(0) != spec.channels)
    throw TensorError(
        "unusable latents",
        {"", "latents", "[" + std::to_string(spec.channels) + ", T, h, w] floating point", describe(latents)});
  if (options.kind == LatentKind::indices)
    throw TensorError("clips are continuous", {"", "kind", "raw or diffusion", "indices"});
  require_finite(latents, "latents");
  const at::Tensor input = to_network_input(latents, options.kind, spec);
  const int64_t frames = input.size(1), chunk = options.chunk == 0 ? frames : options.chunk;
  const auto stream = decoder.begin();
  int64_t done = 0;
  for (int64_t begin = 0; begin < frames; begin += chunk) {
    if (options.stop.stop_requested()) throw Cancelled();
    const at::Tensor ready = stream->push(input.slice(1, begin, std::min(begin + chunk, frames)), options.stop);
    const std::vector<int64_t> expected = {ready.defined() && ready.dim() == 4 ? ready.size(0) : 0, 3,
                                           input.size(2) * spec.factor, input.size(3) * spec.factor};
    if (!ready.defined() || ready.sizes() != at::IntArrayRef(expected))
      throw TensorError("the decoder returned another shape",
                        {"", "frames", c10::str(at::IntArrayRef(expected)), describe(ready)});
    require_finite(ready, "frames");
    if (ready.size(0) > 0) sink(to_unit(ready, spec.output_range));
    done += ready.size(0);
    if (options.progress) options.progress(done, frames);
  }
}

}  // namespace lightswitch
