#include "vqgan/vqgan.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include "nn/autoencoder/decoder_half.hpp"
#include "nn/autoencoder/encoder_half.hpp"
#include "nn/autoencoder/file_names.hpp"
#include "nn/network.hpp"
#include "vqgan/codebook.hpp"

namespace lightswitch::vqgan {
namespace {

using namespace nn::autoencoder;

constexpr const char* kNetwork = "VQ autoencoder";
/// Of diffusers' VQModel; CompVis' networks know no scale.
constexpr double kDiffusersScale = 0.18215;

LatentSpec make_spec(int64_t channels, size_t stages, const FileNames& names, const Codebook& codebook,
                     const NetworkRequest& request) {
  LatentSpec spec;
  spec.channels = channels;
  spec.factor = size_factor(stages, request.weights->origin());
  spec.network_input = LatentKind::raw;
  spec.codebook = codebook.size();
  spec.scaling_factor = names.compvis ? 1.0 : kDiffusersScale;
  spec.output_range = OutputRange::signed_unit;
  spec.global_operations = true;
  nn::apply_common_config(spec, request.config);
  if (spec.network_input == LatentKind::indices)
    throw OptionError("indices are taken without being asked for; this says what continuous latents are",
                      {request.weights->origin(), "latent_kind", "raw or diffusion", "indices"});
  return spec;
}

std::string describe(const std::string& half, const Codebook& codebook) {
  return half + ", codebook of " + std::to_string(codebook.size()) + (codebook.is_gumbel() ? " (Gumbel)" : "");
}

/// Whether continuous latents are snapped to the codebook. @throws OptionError.
bool read_snap(const Config& config) {
  const std::string text = nn::config_text(config, "snap", "on");
  if (text != "on" && text != "off") throw OptionError("unknown value", {"", "snap", "on or off", text});
  return text == "on";
}

class VqDecoder final : public nn::DecoderNetwork {
 public:
  explicit VqDecoder(const NetworkRequest& request)
      : VqDecoder(request, require_half(*request.weights, kDecoder, kNetwork)) {}

 private:
  VqDecoder(const NetworkRequest& request, const FileNames& names)
      : VqDecoder(request, names, names.loader(request, kDecoder)) {}
  VqDecoder(const NetworkRequest& request, const FileNames& names, nn::WeightLoader loader)
      : Network(request), snaps_(read_snap(request.config)), half_(loader), codebook_(loader, half_.channels()) {
    loader.finish();
    spec_ = make_spec(half_.channels(), half_.stages(), names, codebook_, request);
    info_ = loader.info("vqgan", describe(half_.description(), codebook_));
  }

  at::Tensor prepare(nn::Run& run, const at::Tensor& latents) const override {
    if (latents.defined() && !latents.is_floating_point()) return codebook_.look_up(latents);
    nn::require_input(latents, "latents", half_.channels());
    return snaps_ ? codebook_.look_up(codebook_.indices_of(run, latents)) : latents;
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override { return half_(run, latents); }

  bool snaps_;
  DecoderHalf<ResidualBlock> half_;
  Codebook codebook_;
};

class VqEncoder final : public nn::EncoderNetwork {
 public:
  explicit VqEncoder(const NetworkRequest& request)
      : VqEncoder(request, require_half(*request.weights, kEncoder, kNetwork)) {}

  at::Tensor to_indices(const at::Tensor& latents, std::stop_token stop) const override {
    nn::require_input(latents, "latents", half_.channels());
    nn::Run run = nn::Run::compute(std::move(stop));
    return codebook_.indices_of(run, latents);
  }

 private:
  VqEncoder(const NetworkRequest& request, const FileNames& names)
      : VqEncoder(request, names, names.loader(request, kEncoder)) {}
  VqEncoder(const NetworkRequest& request, const FileNames& names, nn::WeightLoader loader)
      : Network(request), half_(loader, EncoderHalf::Output::latents), codebook_(loader, half_.channels()) {
    loader.finish();
    spec_ = make_spec(half_.channels(), half_.stages(), names, codebook_, request);
    info_ = loader.info("vqgan", describe(half_.description(), codebook_));
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& pictures) const override { return half_(run, pictures); }

  EncoderHalf half_;
  Codebook codebook_;
};

bool recognises(const WeightSource& weights) {
  const auto names = find_any(weights);
  return names && names->quantizes(weights);
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  return std::make_unique<VqDecoder>(request);
}

std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request) {
  return std::make_unique<VqEncoder>(request);
}

}  // namespace

DecoderFamily family() {
  return {.name = "vqgan",
          .summary =
              "VQGAN of taming-transformers and latent-diffusion, diffusers' VQModel (decoder and encoder; latents "
              "or codebook indices)",
          .recognises = recognises,
          .make_decoder = make_decoder,
          .make_encoder = make_encoder,
          .options = {"snap"}};
}

}  // namespace lightswitch::vqgan
