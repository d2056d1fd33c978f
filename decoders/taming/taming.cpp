#include "taming/taming.hpp"

#include <lightswitch/error.hpp>

#include <array>
#include <utility>

#include "nn/weight_loader.hpp"
#include "taming/clips.hpp"
#include "taming/memory_network.hpp"
#include "taming/network.hpp"
#include "taming/temporal_network.hpp"

namespace lightswitch::taming {
namespace {

/// A config.json beside the weights may ask for what this room does not compute.
void check_config(const Config& config, const char* upsampling) {
  const std::array<std::pair<const char*, const char*>, 3> computed{
      {{"act_fn", "relu"}, {"upsample_fn", upsampling}, {"upsampling_scaling_factor", "2"}}};
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

bool decodes_clips(const WeightSource& weights) {
  return temporal_decoder_layout(weights) || memory_decoder_layout(weights) || is_super_decoder(weights);
}

bool recognises(const WeightSource& weights) {
  return decoder_layout(weights) || decodes_clips(weights) || encoder_layout(weights) || memory_encoder_layout(weights);
}

void refuse_super_decoder(const WeightSource& weights) {
  if (!is_super_decoder(weights)) return;
  throw UnsupportedError("TAEHV's 'super' decoders are not computed; the plain checkpoint of the same model is",
                         {.file = weights.origin(),
                          .field = "decoder.1.conv.0.weight",
                          .expected = "blocks of 3x3 convolutions",
                          .found = "7x7 depthwise convolutions"});
}

/// Null when the file holds no network for clips. @tparam Made ClipPictures or Clips.
template <template <typename> class Made, typename Interface>
std::unique_ptr<Interface> make_of_clips(const NetworkRequest& request) {
  refuse_super_decoder(*request.weights);
  if (const auto layout = temporal_decoder_layout(*request.weights)) {
    check_config(request.config, "bilinear");
    return std::make_unique<Made<TemporalNetwork>>(request, *layout, nn::WeightLoader(request, ""));
  }
  if (const auto layout = memory_decoder_layout(*request.weights)) {
    check_config(request.config, "nearest");
    return std::make_unique<Made<MemoryNetwork>>(request, *layout,
                                                 nn::WeightLoader(request, layout->prefix, {"encoder."}));
  }
  return nullptr;
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  if (auto decoder = make_of_clips<ClipPictures, Decoder>(request)) return decoder;
  check_config(request.config, "nearest");
  if (const auto layout = decoder_layout(*request.weights)) return std::make_unique<TinyDecoder>(request, *layout);
  refuse(*request.weights, "decoder", "'[decoder.]layers.0.weight' or '[decoder.]1.weight', and numbered blocks");
}

std::unique_ptr<TemporalDecoder> make_temporal_decoder(const NetworkRequest& request) {
  if (auto decoder = make_of_clips<Clips, TemporalDecoder>(request)) return decoder;
  refuse(*request.weights, "decoder of clips", "'decoder.3.conv.0.weight' that sees two frames, or 'mid_block.…'");
}

std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request) {
  check_config(request.config, "nearest");
  if (const auto layout = memory_encoder_layout(*request.weights))
    return std::make_unique<MemoryEncoder>(request, *layout);
  const auto layout = encoder_layout(*request.weights);
  if (!layout) refuse(*request.weights, "encoder", "'encoder.layers.0.weight' or '0.weight', and numbered blocks");
  return std::make_unique<TinyEncoder>(request, *layout);
}

}  // namespace

DecoderFamily family() {
  return {.name = kName,
          .summary =
              "AutoencoderTiny: TAESD, TAE-192, TAEF2 and their kin, decoder and encoder; of videos TAESDV, TAEHV, "
              "temporal TAE-192",
          .recognises = recognises,
          .make_decoder = make_decoder,
          .make_encoder = make_encoder,
          .make_temporal_decoder = make_temporal_decoder,
          .decodes_clips = decodes_clips};
}

}  // namespace lightswitch::taming
