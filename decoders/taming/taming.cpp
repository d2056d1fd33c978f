#include "taming/taming.hpp"

#include <lightswitch/error.hpp>

#include <array>
#include <utility>

#include "nn/weight_loader.hpp"
#include "taming/network.hpp"

namespace lightswitch::taming {
namespace {

/// A config.json beside the weights may ask for what this room does not compute.
void check_config(const Config& config) {
  const std::array<std::pair<const char*, const char*>, 3> computed{
      {{"act_fn", "relu"}, {"upsample_fn", "nearest"}, {"upsampling_scaling_factor", "2"}}};
  for (const auto& [key, value] : computed) {
    const std::string found = nn::config_text(config, key, value);
    if (found != value)
      throw UnsupportedError("not supported by the taming family",
                             {.file = {}, .field = key, .expected = value, .found = found});
  }
}

[[noreturn]] void refuse(const WeightSource& weights, const char* network, const char* expected) {
  throw WeightsError(
      std::string("the file holds no AutoencoderTiny ") + network,
      {.file = weights.origin(),
       .field = {},
       .expected = expected,
       .found = weights.tensors().empty() ? "no tensor" : "'" + weights.tensors().front().name + "' and others"});
}

bool recognises(const WeightSource& weights) {
  return decoder_layout(weights).has_value() || encoder_layout(weights).has_value();
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  check_config(request.config);
  const auto layout = decoder_layout(*request.weights);
  if (!layout) refuse(*request.weights, "decoder", "'decoder.layers.0.weight' or '1.weight', and numbered blocks");
  return std::make_unique<TinyDecoder>(request, *layout);
}

std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request) {
  check_config(request.config);
  const auto layout = encoder_layout(*request.weights);
  if (!layout) refuse(*request.weights, "encoder", "'encoder.layers.0.weight' or '0.weight', and numbered blocks");
  return std::make_unique<TinyEncoder>(request, *layout);
}

}  // namespace

DecoderFamily family() {
  return {.name = "taming",
          .summary = "AutoencoderTiny: TAESD, TAE-192 and their kin, decoder and encoder; convolutions and ReLU alone",
          .recognises = recognises,
          .make_decoder = make_decoder,
          .make_encoder = make_encoder};
}

}  // namespace lightswitch::taming
