#include "nn/autoencoder/kl_encoder.hpp"

#include <ATen/ATen.h>

#include "nn/autoencoder/encoder_half.hpp"
#include "nn/autoencoder/file_names.hpp"
#include "nn/network.hpp"

namespace lightswitch::nn::autoencoder {
namespace {

constexpr double kStableDiffusionScale = 0.18215;

class KlEncoder final : public EncoderNetwork {
 public:
  KlEncoder(const NetworkRequest& request, const std::string& family, WeightLoader loader)
      : Network(request), half_(loader, EncoderHalf::Output::moments) {
    loader.finish();
    spec_ = kl_spec(half_.channels(), half_.stages(), request);
    info_ = {family, half_.description(), loader.parameters(), info_.dtype};
  }

 private:
  at::Tensor pass(Run& run, const at::Tensor& pictures) const override { return half_(run, pictures); }

  EncoderHalf half_;
};

}  // namespace

LatentSpec kl_spec(int64_t channels, size_t stages, const NetworkRequest& request) {
  LatentSpec spec;
  spec.channels = channels;
  spec.factor = size_factor(stages, request.weights->origin());
  spec.network_input = LatentKind::raw;
  spec.scaling_factor = kStableDiffusionScale;
  spec.output_range = OutputRange::signed_unit;
  spec.global_operations = true;
  apply_common_config(spec, request.config);
  return spec;
}

std::unique_ptr<Encoder> make_kl_encoder(const NetworkRequest& request, const std::string& family) {
  const FileNames names = require_half(*request.weights, kEncoder, "AutoencoderKL");
  return std::make_unique<KlEncoder>(request, family, names.loader(request, kEncoder));
}

}  // namespace lightswitch::nn::autoencoder
