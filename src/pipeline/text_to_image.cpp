#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <lightswitch/error.hpp>
#include <lightswitch/noise.hpp>
#include <lightswitch/posterior.hpp>
#include <lightswitch/text_to_image.hpp>

#include <cmath>

#include "core/stopwatch.hpp"
#include "pipeline/conditioning.hpp"
#include "pipeline/requirements.hpp"

namespace lightswitch {
namespace {

/// One picture's predictions, guided where asked (classifier-free guidance, arXiv 2207.12598, eq. 6).
at::Tensor predict(const Denoiser& denoiser, const at::Tensor& sample, double timestep,
                   const Conditioning& conditioning, double cfg_scale) {
  if (!runs_both(denoiser, cfg_scale)) return denoiser.predict(sample, timestep, conditioning);
  const auto both = denoiser.predict(at::cat({sample, sample}), timestep, conditioning).chunk(2);
  return both[0] + (both[1] - both[0]) * cfg_scale;
}

/// One picture on its way through the steps.
struct Picture {
  std::unique_ptr<SchedulerRun> run;
  NoiseSource noise;
  at::Tensor sample, predicted_x0;
};

}  // namespace

void TextToImageOptions::validate() const {
  require(width > 0, "width", "a positive number of pixels", std::to_string(width));
  require(height > 0, "height", "a positive number of pixels", std::to_string(height));
  require(steps >= 1 && steps <= 1000, "steps", "1 to 1000", std::to_string(steps));
  require(std::isfinite(cfg_scale) && cfg_scale >= 0, "cfg_scale", "a number of at least 0", std::to_string(cfg_scale));
  require(seed >= 0, "seed", "0 or more", std::to_string(seed));
  require(clip_skip >= 0, "clip_skip", "0 or more", std::to_string(clip_skip));
  require(batch_count >= 1, "batch_count", "1 or more", std::to_string(batch_count));
  tiles.validate();
  if (!init_image.defined()) return;
  require(strength > 0 && strength <= 1, "strength", "more than 0 and at most 1", std::to_string(strength));
  const std::vector<int64_t> expected = {3, height, width};
  if (init_image.sizes() != at::IntArrayRef(expected) || !init_image.is_floating_point())
    throw TensorError("unusable start picture",
                      {"", "init_image", c10::str(at::IntArrayRef(expected), " floating point"),
                       c10::str(init_image.sizes(), " ", init_image.scalar_type())});
}

TextToImage::TextToImage(TextToImageParts parts) : parts_(std::move(parts)) {
  require_part(parts_.tokenizer != nullptr, "tokenizer");
  require_part(parts_.text_encoder != nullptr, "text_encoder");
  require_part(parts_.denoiser != nullptr, "denoiser");
  require_part((parts_.tokenizer_2 == nullptr) == (parts_.text_encoder_2 == nullptr),
               parts_.tokenizer_2 == nullptr ? "tokenizer_2" : "text_encoder_2");
  require_part(!parts_.schedulers.empty(), "schedulers");
  require_part(parts_.decoder != nullptr, "decoder");
  require_space(parts_.decoder->spec(), parts_.latent_space, "decoder");
  if (parts_.encoder) require_space(parts_.encoder->spec(), parts_.latent_space, "encoder");
}

TextToImageResult TextToImage::denoise(const TextToImageOptions& options, const TextToImageCallbacks& callbacks,
                                       std::stop_token stop) const {
  const c10::InferenceMode guard;
  options.validate();
  const LatentSpec& spec = parts_.decoder->spec();
  const int64_t multiple = spec.factor * parts_.denoiser->size_multiple();
  require_size(options.width, "width", multiple);
  require_size(options.height, "height", multiple);
  const Scheduler& scheduler = scheduler_of(parts_.schedulers, options.sampling_method);
  const bool from_image = options.init_image.defined();
  if (from_image && !parts_.encoder)
    throw OptionError("image to image needs an encoder", {"", "encoder", "a loaded part", "none"});

  TextToImageResult result;
  Stopwatch text_watch;
  const Conditioning conditioning = condition(parts_, options);
  result.timings.add("text", text_watch.ms());

  LatentPosterior start;
  if (from_image) {
    Stopwatch watch;
    start = encode_posterior(*parts_.encoder, options.init_image.unsqueeze(0), stop);
    result.timings.add("encode", watch.ms());
  }

  Stopwatch denoise_watch;
  const std::vector<int64_t> shape = {spec.channels, options.height / spec.factor, options.width / spec.factor};
  std::vector<Picture> pictures;
  for (int64_t i = 0; i < options.batch_count; ++i) {
    Picture picture{scheduler.begin(options.steps, from_image ? options.strength : 1.0),
                    NoiseSource(static_cast<uint64_t>(options.seed + i), 1),
                    {},
                    {}};
    if (picture.run->size() == 0)
      throw OptionError("no step is left to run",
                        {"", "strength", "at least " + std::to_string(1.0 / static_cast<double>(options.steps)),
                         std::to_string(options.strength)});
    // The stream's order is diffusers': what the posterior takes comes before the first noise.
    auto clean = start.mean;
    if (start.deviation.defined()) clean = clean + start.deviation * picture.noise.draw(shape);
    const auto noise = picture.noise.draw(shape);
    picture.sample = from_image ? picture.run->add_noise(clean, noise, 0) : noise * picture.run->initial_noise_scale();
    pictures.push_back(std::move(picture));
  }

  // Pictures take each step one after the other: a batch is then bit for bit the pictures made one at a time, and on a
  // CPU the network is already busy with one.
  const int64_t steps = pictures.front().run->size();
  for (int64_t step = 0; step < steps; ++step) {
    for (Picture& picture : pictures) {
      if (stop.stop_requested()) throw Cancelled();
      SchedulerRun& run = *picture.run;
      const auto input = run.scale_model_input(picture.sample, step);
      const auto output = predict(*parts_.denoiser, input, run.timestep(step), conditioning, options.cfg_scale);
      const auto noise = run.needs_noise(step) ? picture.noise.draw(shape) : at::Tensor();
      const auto next = run.step(output, step, picture.sample, noise);
      picture.sample = next.sample;
      picture.predicted_x0 = next.predicted_x0;
    }
    if (callbacks.step) {
      std::vector<at::Tensor> predicted;
      for (const Picture& picture : pictures) predicted.push_back(picture.predicted_x0);
      callbacks.step({step + 1, steps, at::cat(predicted)});
    }
  }
  std::vector<at::Tensor> samples;
  for (const Picture& picture : pictures) samples.push_back(picture.sample);
  result.latents = at::cat(samples).to(at::kFloat).contiguous();
  result.timings.add("denoise", denoise_watch.ms());
  result.timings.peak_bytes = peak_resident_bytes();
  return result;
}

void TextToImage::decode(TextToImageResult& result, const TextToImageOptions& options,
                         const TextToImageCallbacks& callbacks, std::stop_token stop) const {
  Stopwatch watch;
  result.images = lightswitch::decode(*parts_.decoder, result.latents,
                                      {.kind = LatentKind::diffusion,
                                       .tiles = options.tiles,
                                       .wider = callbacks.wider,
                                       .smaller = callbacks.smaller,
                                       .progress = callbacks.tile,
                                       .routed = callbacks.routed,
                                       .stop = stop});
  result.timings.add("decode", watch.ms());
  result.timings.peak_bytes = peak_resident_bytes();
}

TextToImageResult TextToImage::generate(const TextToImageOptions& options, const TextToImageCallbacks& callbacks,
                                        std::stop_token stop) const {
  auto result = denoise(options, callbacks, stop);
  decode(result, options, callbacks, stop);
  return result;
}

}  // namespace lightswitch
