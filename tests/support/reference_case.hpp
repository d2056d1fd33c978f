#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/decoder_registry.hpp>

#include <filesystem>
#include <optional>
#include <string>

#include "support/reference_file.hpp"

namespace lightswitch::testing {

/// Largest difference from the Python reference that a network may have in fp32, on outputs of order 1.
inline constexpr double kParity = 1e-4;

/// tests/fixtures/NAME.safetensors.
ReferenceCase stored_case(const std::string& name);

/// Makes a case with the Python that LIGHTSWITCH_REFERENCE_PYTHON names; nullopt when the variable is not set.
/// @param config the family's arguments as JSON.
/// @param latent batch, height and width of the latents: "1x16x16".
std::optional<ReferenceCase> python_case(const std::string& family, const std::string& config,
                                         const std::string& latent);

/// Both halves of a case, as far as it has them, must agree with the family's networks to kParity; indices exactly.
void expect_parity(const DecoderFamily& family, const ReferenceCase& reference);

}  // namespace lightswitch::testing

/// Fails or skips the running test unless a Python with torch and diffusers is at hand.
#define LIGHTSWITCH_EXPECT_PYTHON_PARITY(family, config, latent)                                          \
  do {                                                                                                    \
    const auto made_case = ::lightswitch::testing::python_case((family).name, config, latent);            \
    if (!made_case) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with diffusers"; \
    ::lightswitch::testing::expect_parity(family, *made_case);                                            \
  } while (false)
