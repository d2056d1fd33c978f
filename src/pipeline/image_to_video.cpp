#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/image_to_video.hpp>
#include <lightswitch/noise.hpp>

#include <cmath>

#include "core/describe.hpp"
#include "core/stopwatch.hpp"
#include "pipeline/requirements.hpp"

namespace lightswitch {
namespace {

/// The half without a picture comes first, so that both go through the network together.
at::Tensor behind_zeros(const at::Tensor& tensor, bool guided) {
  return guided ? at::cat({at::zeros_like(tensor), tensor}) : tensor;
}

/// Guidance grows along the clip: far from the picture the denoiser needs more of it. @return [1, T, 1, 1, 1].
at::Tensor guidance_of(const ImageToVideoOptions& options) {
  return at::linspace(options.min_cfg, options.max_cfg, options.frames, at::kFloat).view({1, -1, 1, 1, 1});
}

}  // namespace

void ImageToVideoOptions::validate() const {
  require(frames >= 1, "frames", "1 or more", std::to_string(frames));
  require(fps >= 1 && fps <= 1000, "fps", "1 to 1000", std::to_string(fps));
  require(motion_bucket >= 0 && motion_bucket <= 255, "motion_bucket", "0 to 255", std::to_string(motion_bucket));
  require(std::isfinite(noise_aug) && noise_aug >= 0, "noise_aug", "a number of at least 0", std::to_string(noise_aug));
  require(std::isfinite(min_cfg) && min_cfg >= 0, "min_cfg", "a number of at least 0", std::to_string(min_cfg));
  require(std::isfinite(max_cfg) && max_cfg >= min_cfg, "max_cfg", "a number of at least min_cfg",
          std::to_string(max_cfg));
  require(steps >= 1 && steps <= 1000, "steps", "1 to 1000", std::to_string(steps));
  require(seed >= 0, "seed", "0 or more", std::to_string(seed));
  require(decode_chunk >= 0, "decode_chunk", "0 or more", std::to_string(decode_chunk));
  if (!image.defined() || image.dim() != 3 || image.size(0) != 3 || image.numel() == 0 || !image.is_floating_point())
    throw TensorError("unusable start picture", {"", "image", "[3, H, W] floating point", describe(image)});
}

ImageToVideo::ImageToVideo(ImageToVideoParts parts) : parts_(std::move(parts)) {
  require_part(parts_.denoiser != nullptr, "denoiser");
  require_part(!parts_.schedulers.empty(), "schedulers");
  require_part(parts_.encoder != nullptr, "encoder");
  require_part(parts_.decoder != nullptr, "decoder");
  require_space(parts_.decoder->spec(), parts_.latent_space, "decoder");
  require_space(parts_.encoder->spec(), parts_.latent_space, "encoder");
}

Conditioning ImageToVideo::condition(const ImageToVideoOptions& options, bool guided) const {
  const at::Tensor ids = at::tensor({static_cast<float>(options.fps - 1), static_cast<float>(options.motion_bucket),
                                     static_cast<float>(options.noise_aug)})
                             .view({1, 3});
  Conditioning conditioning{{"added_time_ids", guided ? at::cat({ids, ids}) : ids}};
  if (parts_.image_encoder) {
    const auto small = resize_for_image_encoder(options.image.to(at::kFloat), parts_.image_encoder->size());
    const auto shown = parts_.image_encoder->encode(small.unsqueeze(0));
    conditioning["encoder_hidden_states"] = behind_zeros(shown, guided);
  }
  return conditioning;
}

ImageToVideoResult ImageToVideo::denoise(const ImageToVideoOptions& options, const ImageToVideoCallbacks& callbacks,
                                         std::stop_token stop) const {
  const c10::InferenceMode guard;
  options.validate();
  const LatentSpec& spec = parts_.encoder->spec();
  const int64_t height = options.image.size(1), width = options.image.size(2);
  require_size(height, "height", spec.factor * parts_.denoiser->size_multiple());
  require_size(width, "width", spec.factor * parts_.denoiser->size_multiple());
  const Scheduler& scheduler = scheduler_of(parts_.schedulers, options.sampling_method);
  const bool guided = options.max_cfg > 1;

  ImageToVideoResult result;
  Stopwatch encode_watch;
  const Conditioning conditioning = condition(options, guided);
  NoiseSource noise(static_cast<uint64_t>(options.seed), 1);
  // The picture's noise is as large as that of a picture in [-1, 1]. The encoder's latents are not scaled: what the
  // denoiser reads behind its sample is no sample itself.
  const at::Tensor grain = noise.draw({3, height, width}) * (options.noise_aug / 2);
  const at::Tensor still =
      encode(*parts_.encoder, options.image.to(at::kFloat).unsqueeze(0) + grain, LatentKind::raw, stop).unsqueeze(1);
  const at::Tensor shown = behind_zeros(still.expand({1, options.frames, -1, -1, -1}), guided);
  result.timings.add("encode", encode_watch.ms());

  Stopwatch denoise_watch;
  const auto run = scheduler.begin(options.steps);
  const std::vector<int64_t> shape = {options.frames, spec.channels, height / spec.factor, width / spec.factor};
  at::Tensor sample = noise.draw(shape) * run->initial_noise_scale();
  const at::Tensor guidance = guidance_of(options);
  for (int64_t step = 0; step < run->size(); ++step) {
    if (stop.stop_requested()) throw Cancelled();
    const at::Tensor noisy = run->scale_model_input(guided ? at::cat({sample, sample}) : sample, step);
    at::Tensor output = parts_.denoiser->predict(at::cat({noisy, shown}, 2), run->timestep(step), conditioning);
    if (guided) {
      const auto both = output.chunk(2);
      output = both[0] + guidance * (both[1] - both[0]);
    }
    const auto next = run->step(output, step, sample, run->needs_noise(step) ? noise.draw(shape) : at::Tensor());
    sample = next.sample;
    if (callbacks.step) callbacks.step({step + 1, run->size(), next.predicted_x0[0].transpose(0, 1)});
  }
  result.latents = sample.to(at::kFloat).transpose(1, 2).contiguous();
  result.timings.add("denoise", denoise_watch.ms());
  result.timings.peak_bytes = peak_resident_bytes();
  return result;
}

void ImageToVideo::decode(ImageToVideoResult& result, const ImageToVideoOptions& options, const FrameSink& sink,
                          const ImageToVideoCallbacks& callbacks, std::stop_token stop) const {
  Stopwatch watch;
  decode_clip(*parts_.decoder, result.latents[0],
              {.kind = LatentKind::diffusion,
               .chunk = options.decode_chunk,
               .wider = callbacks.wider,
               .shorter = callbacks.shorter,
               .progress = callbacks.frames,
               .stop = stop},
              sink);
  result.timings.add("decode", watch.ms());
  result.timings.peak_bytes = peak_resident_bytes();
}

ImageToVideoResult ImageToVideo::generate(const ImageToVideoOptions& options, const FrameSink& sink,
                                          const ImageToVideoCallbacks& callbacks, std::stop_token stop) const {
  auto result = denoise(options, callbacks, stop);
  decode(result, options, sink, callbacks, stop);
  return result;
}

}  // namespace lightswitch
