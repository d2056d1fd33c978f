#include "harness/gate.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <cmath>
#include <vector>

#include "support/reference_file.hpp"

namespace lightswitch::bench {

double psnr(const at::Tensor& found, const at::Tensor& expected) {
  const double mse = (found.to(at::kDouble) - expected.to(at::kDouble)).square().mean().item<double>();
  return 10 * std::log10(4 / mse);
}

namespace {

testing::ReferenceCase stored(const std::string& fixture, DType dtype) {
  auto reference =
      testing::load_reference_case(std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/fixtures/" + fixture + ".safetensors");
  reference.request.dtype = dtype;
  return reference;
}

std::string verdict(const at::Tensor& found, const at::Tensor& expected, DType dtype) {
  if (dtype == DType::fp32) {
    const double difference = (found - expected).abs().max().item<double>();
    return difference <= 1e-4 ? "" : "differs from the reference by " + std::to_string(difference);
  }
  const double quality = psnr(found, expected);
  return quality >= 40 ? "" : "only " + std::to_string(quality) + " dB against the reference";
}

}  // namespace

std::string gate(const DecoderFamily& family, const std::string& fixture, DType dtype) {
  try {
    const auto reference = stored(fixture, dtype);
    const auto output = family.make_decoder(reference.request)->forward(reference.decoder_input);
    return verdict(output, reference.decoder_output, dtype);
  } catch (const Error& error) {
    return error.what();
  }
}

std::string gate_clips(const DecoderFamily& family, const std::string& fixture, const Config& config, DType dtype) {
  try {
    auto reference = stored(fixture, dtype);
    for (const auto& [key, value] : config) reference.request.config[key] = value;
    const auto decoder = family.make_temporal_decoder(reference.request);
    if (reference.frames_input.defined())
      return verdict(decoder->begin()->push(reference.frames_input), reference.frames_output, dtype);
    // A batch of pictures is a clip; the case says in which chunks the reference decoded it. 0 stands for all.
    const at::Tensor clip = reference.decoder_input.transpose(0, 1);
    const int64_t stored_chunk = std::stoll(reference.request.config.at("chunk"));
    std::vector<at::Tensor> frames;
    for (const at::Tensor& part : clip.split(stored_chunk == 0 ? clip.size(1) : stored_chunk, 1))
      frames.push_back(decoder->begin()->push(part));
    return verdict(at::cat(frames), reference.decoder_output, dtype);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace lightswitch::bench
