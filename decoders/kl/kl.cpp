#include "kl/kl.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include "nn/autoencoder/decoder_half.hpp"
#include "nn/autoencoder/file_names.hpp"
#include "nn/autoencoder/kl_encoder.hpp"
#include "nn/network.hpp"

namespace lightswitch::kl {
namespace {

using namespace nn::autoencoder;

constexpr const char* kNetwork = "AutoencoderKL";

class KlDecoder final : public nn::DecoderNetwork {
 public:
  explicit KlDecoder(const NetworkRequest& request)
      : KlDecoder(request, require_half(*request.weights, kDecoder, kNetwork).loader(request, kDecoder)) {}

 private:
  KlDecoder(const NetworkRequest& request, nn::WeightLoader loader) : Network(request), half_(loader) {
    loader.finish();
    spec_ = kl_spec(half_.channels(), half_.stages(), request);
    info_ = loader.info("kl", half_.description());
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override { return half_(run, latents); }

  DecoderHalf<ResidualBlock> half_;
};

bool recognises(const WeightSource& weights) {
  const auto names = find_any(weights);
  return names && !names->quantizes(weights) && !find_temporal_decoder(weights);
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  return std::make_unique<KlDecoder>(request);
}

std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request) {
  return make_kl_encoder(request, "kl");
}

}  // namespace

DecoderFamily family() {
  return {.name = "kl",
          .summary =
              "AutoencoderKL, the full VAE of Stable Diffusion and its kin (decoder and encoder; diffusers' names "
              "and CompVis')",
          .recognises = recognises,
          .make_decoder = make_decoder,
          .make_encoder = make_encoder};
}

}  // namespace lightswitch::kl
