#pragma once

#include <lightswitch/weights.hpp>

#include <optional>
#include <string>

#include "nn/weight_loader.hpp"

/// The convolutional autoencoder that AutoencoderKL and the VQ models share: how files name it, its blocks, its halves.
namespace lightswitch::nn::autoencoder {

inline const std::string kDecoder = "decoder.";
inline const std::string kEncoder = "encoder.";

/// Where a file holds such an autoencoder, and whose names it uses. Networks ask for diffusers' names.
struct FileNames {
  std::string scope;     ///< "", "first_stage_model." or "vae."
  bool compvis = false;  ///< names of taming-transformers and latent-diffusion ("decoder.up.0.block.0…")
  int64_t up_stages =
      0;  ///< stages of the decoder, which CompVis counts from the full size, diffusers from the latents

  /// A loader for one half, kDecoder or kEncoder, that skips the other one and what training left behind.
  WeightLoader loader(const NetworkRequest& request, const std::string& half) const;
  /// Whether a codebook belongs to it.
  bool quantizes(const WeightSource& weights) const;
};

/// The half that `half` names; nullopt when the file does not hold it.
std::optional<FileNames> find_half(const WeightSource& weights, const std::string& half);

/// Either half.
std::optional<FileNames> find_any(const WeightSource& weights);

/// The decoder of an AutoencoderKLTemporalDecoder.
std::optional<FileNames> find_temporal_decoder(const WeightSource& weights);

/// find_temporal_decoder. @throws WeightsError when it is not there.
FileNames require_temporal_decoder(const WeightSource& weights);

/// find_half. @throws WeightsError when it is not there; `network` goes into the message ("AutoencoderKL").
FileNames require_half(const WeightSource& weights, const std::string& half, const std::string& network);

}  // namespace lightswitch::nn::autoencoder
