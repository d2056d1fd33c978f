#include "projection/projection.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include "nn/network.hpp"

namespace lightswitch::projection {
namespace {

constexpr const char* weight_name = "latent_rgb.weight";
constexpr int64_t largest_factor = 128;

/// Latent channels of the stored map; 0 when the file holds none.
int64_t latent_channels(const WeightSource& weights) {
  const TensorInfo* weight = weights.find(weight_name);
  return weight && weight->shape.size() == 4 && weight->shape[0] == 3 ? weight->shape[1] : 0;
}

int64_t checked_factor(const Config& config) {
  const int64_t factor = nn::config_int(config, "factor", 8);
  if (factor < 1 || factor > largest_factor)
    throw OptionError("out of range", {"", "factor", "1 … " + std::to_string(largest_factor), std::to_string(factor)});
  return factor;
}

class Projection final : public nn::DecoderNetwork {
 public:
  Projection(const NetworkRequest& request, int64_t channels) : Network(request) {
    spec_.channels = channels;
    spec_.factor = checked_factor(request.config);
    spec_.network_input = LatentKind::diffusion;
    spec_.output_range = OutputRange::unit;
    nn::apply_common_config(spec_, request.config);
    nn::WeightLoader loader(request, "");
    map_ = nn::Conv2d(loader, "latent_rgb", {.in = channels, .out = 3, .kernel = 1});
    loader.finish();
    info_ = loader.info("projection", std::to_string(channels) + " channels to RGB");
  }

 private:
  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override {
    const at::Tensor rgb = map_(run, latents);
    return at::upsample_nearest2d(rgb, {rgb.size(2) * spec_.factor, rgb.size(3) * spec_.factor});
  }

  nn::Conv2d map_;
};

bool recognises(const WeightSource& weights) {
  return latent_channels(weights) > 0;
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  const int64_t channels = latent_channels(*request.weights);
  if (channels == 0)
    throw WeightsError("the file holds no projection to RGB",
                       {request.weights->origin(), weight_name, "[3, C, 1, 1]", "no such tensor"});
  return std::make_unique<Projection>(request, channels);
}

}  // namespace

DecoderFamily family() {
  return {.name = "projection",
          .summary = "one matrix from latent channels to RGB, a square of pixels per latent: for previews",
          .recognises = recognises,
          .make_decoder = make_decoder,
          .make_encoder = nullptr};
}

}  // namespace lightswitch::projection
