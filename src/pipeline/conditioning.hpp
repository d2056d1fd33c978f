#pragma once

#include <lightswitch/text_to_image.hpp>

namespace lightswitch {

/// True when a step runs the network with and without the prompt.
bool runs_both(const Denoiser& denoiser, double cfg_scale);

/// What the denoiser of these parts may read for one picture. When it runs both, the half of the negative prompt comes
/// first, so that they go through the network together.
/// @throws OptionError (clip_skip), TensorError (text encoders whose outputs do not fit).
Conditioning condition(const TextToImageParts& parts, const TextToImageOptions& options);

}  // namespace lightswitch
