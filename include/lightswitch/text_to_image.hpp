#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder.hpp>
#include <lightswitch/denoiser.hpp>
#include <lightswitch/scheduler.hpp>
#include <lightswitch/text_encoder.hpp>
#include <lightswitch/timings.hpp>
#include <lightswitch/tokenizer.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

namespace lightswitch {

/// One request. Every field has a default; validate() says what is out of range.
struct TextToImageOptions {
  std::string prompt;           ///< may be empty: an unconditional picture
  std::string negative_prompt;  ///< what guidance moves away from; used when cfg_scale > 1, and not by denoisers that
                                ///< take the guidance as a number
  int64_t width = 512;          ///< pixels, a multiple of the latent factor
  int64_t height = 512;         ///< pixels, a multiple of the latent factor
  int64_t steps = 20;           ///< denoising steps, >= 1
  double cfg_scale = 7.0;  ///< classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598); <= 1 switches it off
                           ///< and halves the work
  std::string sampling_method = "dpm++2m";  ///< one of the parts' schedulers
  int64_t seed = 42;                        ///< of picture 0; picture i uses seed + i. >= 0
  int64_t batch_count = 1;                  ///< pictures made together, >= 1
  at::Tensor init_image;   ///< undefined, or [3, height, width] in [0, 1]: image to image (needs an encoder)
  int64_t clip_skip = 0;   ///< last layers of the text encoders that the prompt leaves out, in diffusers' count: 0 for
                           ///< none beside those that the model leaves out itself
  double strength = 0.75;  ///< image to image only: 0 < strength <= 1, share of the schedule that runs
  TileOptions tiles;       ///< how the picture is cut up when it is decoded

  /// @throws OptionError naming the field, expected and found.
  void validate() const;
};

/// What a pipeline is made of. Parts may be shared between pipelines and threads: none of them changes.
struct TextToImageParts {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const TextEncoder> text_encoder;
  /// Both null, or the second pair of a model that reads a prompt twice (SDXL): hidden states are joined along their
  /// last axis.
  std::shared_ptr<const Tokenizer> tokenizer_2;
  std::shared_ptr<const TextEncoder> text_encoder_2;
  /// An empty negative prompt is all zeros instead of an encoded empty text (SDXL's force_zeros_for_empty_prompt).
  bool zero_empty_negative = false;
  std::shared_ptr<const Denoiser> denoiser;
  std::map<std::string, std::shared_ptr<const Scheduler>> schedulers;  ///< by sampling_method
  std::shared_ptr<const Decoder> decoder;
  std::shared_ptr<const Encoder> encoder;  ///< may be null: then image to image is refused
  /// The space the denoiser works in. A decoder or encoder that is known to belong to another one is refused; empty:
  /// not checked.
  std::string latent_space;
};

/// Called on the working thread after each denoising step, before the next one starts.
struct StepProgress {
  int64_t step = 0;  ///< 1 … steps
  int64_t steps = 0;
  at::Tensor predicted_x0;  ///< [N, C, h, w] diffusion-space latents, for previews
};

struct TextToImageCallbacks {
  std::function<void(const StepProgress&)> step;
  TileProgress tile;
  OpenWider wider;       ///< see decode.hpp
  TrySmaller smaller;    ///< see decode.hpp
  RouteObserver routed;  ///< see decode.hpp
};

struct TextToImageResult {
  at::Tensor images;   ///< [N, 3, H, W] float32 in [0, 1]
  at::Tensor latents;  ///< [N, C, h, w] diffusion-space
  Timings timings;     ///< stages text, denoise, decode (and encode for image to image)
};

/// Prompt to picture. One object may serve many requests, one at a time; cancelling or failing leaves it as it was.
class TextToImage {
 public:
  /// @throws OptionError naming the missing part, or the decoder or encoder of another latent space.
  explicit TextToImage(TextToImageParts parts);

  /// @throws OptionError, TensorError, NumericError, Cancelled.
  TextToImageResult generate(const TextToImageOptions& options, const TextToImageCallbacks& callbacks = {},
                             std::stop_token stop = {}) const;

  /// The first half of generate(): images stays undefined. For callers that store latents before decoding.
  TextToImageResult denoise(const TextToImageOptions& options, const TextToImageCallbacks& callbacks = {},
                            std::stop_token stop = {}) const;
  /// The second half: fills result.images and adds the decode stage.
  void decode(TextToImageResult& result, const TextToImageOptions& options, const TextToImageCallbacks& callbacks = {},
              std::stop_token stop = {}) const;

  const TextToImageParts& parts() const { return parts_; }

 private:
  TextToImageParts parts_;
};

}  // namespace lightswitch
