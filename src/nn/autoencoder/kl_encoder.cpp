#include "nn/autoencoder/kl_encoder.hpp"

#include <ATen/ATen.h>
#include <lightswitch/posterior.hpp>

#include <utility>

#include "nn/autoencoder/encoder_half.hpp"
#include "nn/autoencoder/file_names.hpp"
#include "nn/network.hpp"

namespace lightswitch::nn::autoencoder {
namespace {

constexpr double kStableDiffusionScale = 0.18215;
/// CompVis' limits (ldm/modules/distributions/distributions.py).
constexpr double kSmallestLogVariance = -30, kLargestLogVariance = 20;

/// Pictures to means and log-variances, one behind the other along the channels.
class Moments final : public EncoderNetwork {
 public:
  Moments(const NetworkRequest& request, const std::string& family, WeightLoader loader)
      : Network(request), half_(loader, EncoderHalf::Output::moments) {
    loader.finish();
    spec_ = kl_spec(half_.channels(), half_.stages(), request);
    info_ = loader.info(family, half_.description());
  }

 private:
  at::Tensor pass(Run& run, const at::Tensor& pictures) const override { return half_(run, pictures); }

  EncoderHalf half_;
};

class KlEncoder final : public Encoder, public PosteriorEncoder {
 public:
  KlEncoder(const NetworkRequest& request, const std::string& family, WeightLoader loader)
      : moments_(request, family, std::move(loader)) {}

  const LatentSpec& spec() const override { return moments_.spec(); }
  const NetworkInfo& info() const override { return moments_.info(); }
  int64_t macs(int64_t height, int64_t width) const override { return moments_.macs(height, width); }

  at::Tensor forward(const at::Tensor& pictures, std::stop_token stop) const override {
    return moments_.forward(pictures, std::move(stop)).narrow(1, 0, spec().channels).contiguous();
  }

  LatentPosterior posterior(const at::Tensor& pictures, std::stop_token stop) const override {
    const auto moments = moments_.forward(pictures, std::move(stop)).chunk(2, 1);
    return {moments[0].contiguous(), (moments[1].clamp(kSmallestLogVariance, kLargestLogVariance) * 0.5).exp()};
  }

 private:
  Moments moments_;
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
