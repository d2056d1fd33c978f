#pragma once

#include <lightswitch/decoder_registry.hpp>

#include <memory>
#include <string>

namespace lightswitch::nn::autoencoder {

/// Conventions of AutoencoderKL, whatever its decoder: factor, raw latents, Stable Diffusion's scale, and what the
/// configuration says otherwise. @param stages of one half. @throws OptionError, WeightsError.
LatentSpec kl_spec(int64_t channels, size_t stages, const NetworkRequest& request);

/// The encoder of AutoencoderKL and of AutoencoderKLTemporalDecoder.
/// @param family goes into NetworkInfo. @throws WeightsError, OptionError, UnsupportedError.
std::unique_ptr<Encoder> make_kl_encoder(const NetworkRequest& request, const std::string& family);

}  // namespace lightswitch::nn::autoencoder
