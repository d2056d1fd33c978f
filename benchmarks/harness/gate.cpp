#include "harness/gate.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <cmath>

#include "support/reference_file.hpp"

namespace lightswitch::bench {

double psnr(const at::Tensor& found, const at::Tensor& expected) {
  const double mse = (found.to(at::kDouble) - expected.to(at::kDouble)).square().mean().item<double>();
  return 10 * std::log10(4 / mse);
}

std::string gate(const DecoderFamily& family, const std::string& fixture, DType dtype) {
  try {
    auto reference = testing::load_reference_case(std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/fixtures/" + fixture +
                                                  ".safetensors");
    reference.request.dtype = dtype;
    const auto output = family.make_decoder(reference.request)->forward(reference.decoder_input);
    if (dtype == DType::fp32) {
      const double difference = (output - reference.decoder_output).abs().max().item<double>();
      return difference <= 1e-4 ? "" : "differs from the reference by " + std::to_string(difference);
    }
    const double quality = psnr(output, reference.decoder_output);
    return quality >= 40 ? "" : "only " + std::to_string(quality) + " dB against the reference";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace lightswitch::bench
