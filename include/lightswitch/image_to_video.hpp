#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/denoiser.hpp>
#include <lightswitch/image_encoder.hpp>
#include <lightswitch/scheduler.hpp>
#include <lightswitch/temporal_decoder.hpp>
#include <lightswitch/timings.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

namespace lightswitch {

/// One request: a picture starts to move. Defaults are Stable Video Diffusion's.
struct ImageToVideoOptions {
  at::Tensor image;                       ///< [3, H, W] float32 in [0, 1], of the size that the frames shall have
  int64_t frames = 14;                    ///< latents of the clip, >= 1
  int64_t fps = 7;                        ///< frames per second that the motion is made for, >= 1
  int64_t motion_bucket = 127;            ///< how much moves: 0 … 255
  double noise_aug = 0.02;                ///< noise added to the picture, >= 0: more lets the clip leave it further
  double min_cfg = 1, max_cfg = 3;        ///< guidance scale of the first and the last frame, >= 0; in between linear
  int64_t steps = 25;                     ///< denoising steps, >= 1
  std::string sampling_method = "euler";  ///< a key of ImageToVideoParts::schedulers
  int64_t seed = 42;                      ///< >= 0
  int64_t decode_chunk = 0;               ///< latents that are decoded at once; 0: all

  /// @throws OptionError, TensorError (image).
  void validate() const;
};

/// What a pipeline is made of. Parts may be shared between pipelines and threads: none of them changes.
struct ImageToVideoParts {
  std::shared_ptr<const ImageEncoder> image_encoder;  ///< null: the denoiser reads no "encoder_hidden_states"
  /// Reads [B, T, 2C, h, w]: noisy latents and, behind them, the picture's; "encoder_hidden_states" [B, 1, D] and
  /// "added_time_ids" [B, 3] (fps - 1, motion bucket, noise). Gives [B, T, C, h, w].
  std::shared_ptr<const Denoiser> denoiser;
  std::map<std::string, std::shared_ptr<const Scheduler>> schedulers;  ///< by sampling_method
  std::shared_ptr<const Encoder> encoder;
  std::shared_ptr<const TemporalDecoder> decoder;
  std::string latent_space;  ///< see TextToImageParts
};

/// Called on the working thread after each denoising step.
struct ClipStepProgress {
  int64_t step = 0;  ///< 1 … steps
  int64_t steps = 0;
  at::Tensor predicted_x0;  ///< [C, T, h, w] diffusion-space latents
};

struct ImageToVideoCallbacks {
  std::function<void(const ClipStepProgress&)> step;
  TileProgress frames;   ///< frames decoded, of all
  OpenWiderClips wider;  ///< see temporal_decoder.hpp, as the next one
  TryShorterChunks shorter;
};

struct ImageToVideoResult {
  at::Tensor latents;  ///< [1, C, T, h, w] diffusion-space
  Timings timings;     ///< stages encode, denoise, decode
};

/// Picture to clip: Stable Video Diffusion (arXiv 2311.15127) and models of its interface. One object may serve many
/// requests, one at a time; cancelling or failing leaves it as it was.
class ImageToVideo {
 public:
  /// @throws OptionError naming the missing part, or the decoder or encoder of another latent space.
  explicit ImageToVideo(ImageToVideoParts parts);

  /// denoise(), then decode(). @throws OptionError, TensorError, NumericError, MemoryError, Cancelled.
  ImageToVideoResult generate(const ImageToVideoOptions& options, const FrameSink& sink,
                              const ImageToVideoCallbacks& callbacks = {}, std::stop_token stop = {}) const;

  /// For callers that store latents before decoding.
  ImageToVideoResult denoise(const ImageToVideoOptions& options, const ImageToVideoCallbacks& callbacks = {},
                             std::stop_token stop = {}) const;
  /// Frames go to the sink as they become ready: memory holds one chunk of them.
  void decode(ImageToVideoResult& result, const ImageToVideoOptions& options, const FrameSink& sink,
              const ImageToVideoCallbacks& callbacks = {}, std::stop_token stop = {}) const;

  const ImageToVideoParts& parts() const { return parts_; }

 private:
  Conditioning condition(const ImageToVideoOptions& options, bool guided) const;

  ImageToVideoParts parts_;
};

}  // namespace lightswitch
