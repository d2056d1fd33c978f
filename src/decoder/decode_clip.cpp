#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/error.hpp>
#include <lightswitch/memory.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <algorithm>

#include "decoder/latents.hpp"
#include "decoder/out_of_memory.hpp"

namespace lightswitch {
namespace {

constexpr const char* kFrames = "frames";

NumericError overflow(const TemporalDecoder& decoder, const std::string& found) {
  return NumericError(std::string("the decoder's numbers overflow in ") + to_string(decoder.info().dtype),
                      {"", kFrames, "finite numbers", found});
}

/// @param latents [C, T, h, w] of what the decoder eats. @return [T', 3, H, W] in the decoder's own range, as many as
/// are ready.
at::Tensor push(FrameStream& stream, const TemporalDecoder& decoder, const at::Tensor& latents, std::stop_token stop) {
  at::Tensor ready;
  try {
    ready = stream.push(latents, std::move(stop));
  } catch (const NumericError& error) {  // found on the way
    const std::string& layer = error.detail().field;
    throw overflow(decoder, error.detail().found + (layer.empty() ? "" : ", first after " + layer));
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    throw MemoryError("memory ran out while a clip was decoded",
                      {"", "chunk", "fewer latents at once", std::to_string(latents.size(1))});
  }
  const int64_t factor = decoder.spec().factor;
  const std::vector<int64_t> expected = {ready.defined() && ready.dim() == 4 ? ready.size(0) : 0, 3,
                                         latents.size(2) * factor, latents.size(3) * factor};
  if (!ready.defined() || ready.sizes() != at::IntArrayRef(expected))
    throw TensorError("the decoder returned another shape",
                      {"", kFrames, c10::str(at::IntArrayRef(expected)), describe(ready)});
  if (!is_finite(ready)) throw overflow(decoder, count_of_bad(ready));
  return ready;
}

/// One clip on its way to a sink.
class Clip {
 public:
  Clip(const at::Tensor& latents, const ClipOptions& options, const FrameSink& sink)
      : latents_(latents), options_(options), sink_(sink) {}

  /// From the first frame; those that the sink has are not given again.
  void decode(const TemporalDecoder& decoder) {
    const int64_t count = latents_.size(1);
    int64_t chunk = options_.chunk == 0 ? count : std::min(options_.chunk, count);
    for (;; chunk = (chunk + 1) / 2) {
      try {
        return decode(decoder, chunk);
      } catch (const MemoryError& error) {
        if (chunk == 1 || !options_.shorter || !options_.shorter(error, (chunk + 1) / 2)) throw;
      }
      release_large_blocks();  // what the failed attempt had
    }
  }

 private:
  void decode(const TemporalDecoder& decoder, int64_t chunk) {
    const int64_t count = latents_.size(1), all = decoder.frames(count);
    const auto stream = decoder.begin_clip(latents_);
    int64_t made = 0;
    for (int64_t begin = 0; begin < count; begin += chunk) {
      if (options_.stop.stop_requested()) throw Cancelled();
      const at::Tensor frames =
          push(*stream, decoder, latents_.slice(1, begin, std::min(begin + chunk, count)), options_.stop);
      made += frames.size(0);
      if (made > all || (begin + chunk >= count && made != all))
        throw TensorError("the decoder returned another number of frames",
                          {"", kFrames, std::to_string(all), std::to_string(made)});
      if (made <= given_) continue;
      sink_(to_unit(frames.slice(0, -(made - given_)), decoder.spec().output_range));
      given_ = made;
      if (options_.progress) options_.progress(given_, all);
    }
  }

  at::Tensor latents_;
  const ClipOptions& options_;
  const FrameSink& sink_;
  int64_t given_ = 0;  ///< frames that the sink has
};

}  // namespace

void ClipOptions::validate() const {
  if (chunk < 0) throw OptionError("out of range", {"", "chunk", "0 or more latents", std::to_string(chunk)});
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
  Clip clip(to_network_input(latents, options.kind, spec), options, sink);
  try {
    clip.decode(decoder);
  } catch (const NumericError& error) {
    const bool by_decoder = error.detail().field == kFrames;
    const auto wider = by_decoder && options.wider ? options.wider(error) : nullptr;
    if (!wider) throw;
    clip.decode(*wider);
  }
}

}  // namespace lightswitch
