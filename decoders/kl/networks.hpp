#pragma once

#include <lightswitch/decoder_registry.hpp>

#include <memory>

namespace lightswitch::kl {

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request);
std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request);

/// Defaults of AutoencoderKL, changed by what the configuration says.
LatentSpec make_spec(int64_t channels, int64_t factor, const Config& config);

}  // namespace lightswitch::kl
