#pragma once

#include <lightswitch/decoder_registry.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lightswitch::kl {

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request);
std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request);

/// Defaults of AutoencoderKL, changed by what the configuration says. Each stage but the first doubles the picture.
LatentSpec make_spec(int64_t channels, size_t stages, const NetworkRequest& request);

}  // namespace lightswitch::kl
