#include "vit/vit.hpp"

#include <lightswitch/error.hpp>

#include "vit/network.hpp"

namespace lightswitch::vit {
namespace {

[[noreturn]] void refuse(const WeightSource& weights, const char* network, const char* expected) {
  throw WeightsError(
      std::string("the file holds no EfficientViT ") + network,
      {.file = weights.origin(),
       .field = {},
       .expected = expected,
       .found = weights.tensors().empty() ? "no tensor" : "'" + weights.tensors().front().name + "' and others"});
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  const auto layout = decoder_layout(*request.weights, request.config);
  if (!layout) refuse(*request.weights, "decoder", "'[decoder.]stages.N.op_list.…' or 'decoder.up_blocks.N.M.…'");
  return std::make_unique<VitDecoder>(request, *layout);
}

std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request) {
  const auto layout = encoder_layout(*request.weights, request.config);
  if (!layout) refuse(*request.weights, "encoder", "'encoder.stages.N.op_list.…' or 'encoder.down_blocks.N.M.…'");
  return std::make_unique<VitEncoder>(request, *layout);
}

}  // namespace

DecoderFamily family() {
  return {.name = "vit",
          .summary =
              "EfficientViT / DC-AE in mit-han-lab's names or diffusers': residual and linear-attention blocks, "
              "decoder and encoder",
          .recognises = holds_network,
          .make_decoder = make_decoder,
          .make_encoder = make_encoder,
          .options = {"bn"}};
}

}  // namespace lightswitch::vit
