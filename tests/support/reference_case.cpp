#include "support/reference_case.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/temporal_decoder.hpp>

#include <cstdlib>
#include <stdexcept>

#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch::testing {
namespace {

const std::filesystem::path kTests = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests";

std::string quoted(const std::string& text) {
  return "'" + text + "'";
}

/// Parity of numbers that are all zero, or astronomically large, would prove nothing.
void expect_order_one(const at::Tensor& output) {
  const double spread = output.std().item<double>();
  EXPECT_GT(spread, 0.1);
  EXPECT_LT(spread, 10);
}

/// Equal to kParity; the difference goes into the report that --gtest_output=xml writes.
void expect_equal(const char* half, const at::Tensor& found, const at::Tensor& expected) {
  EXPECT_TRUE(close(found, expected, kParity));
  if (found.sizes() == expected.sizes())
    ::testing::Test::RecordProperty(half, c10::str(largest_difference(found, expected)));
}

}  // namespace

ReferenceCase stored_case(const std::string& name) {
  return load_reference_case(kTests / "fixtures" / (name + ".safetensors"));
}

std::optional<ReferenceCase> python_case(const std::string& family, const std::string& config,
                                         const std::string& latent) {
  const char* python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
  if (python == nullptr || *python == '\0') return std::nullopt;
  const TemporaryFolder folder;
  const auto file = folder / "case.safetensors";
  const std::string command = "cd " + quoted((kTests / "support").string()) + " && " + quoted(python) +
                              " -m reference " + family + " --config " + quoted(config) + " --latent " + latent +
                              " --out " + quoted(file.string());
  if (std::system(command.c_str()) != 0) throw std::runtime_error("the Python reference failed: " + command);
  return load_reference_case(file);
}

void expect_parity(const DecoderFamily& family, const ReferenceCase& reference) {
  ASSERT_TRUE(family.recognises(*reference.request.weights));
  ASSERT_TRUE(reference.decoder_input.defined() || reference.encoder_input.defined());
  if (reference.decoder_input.defined()) {
    expect_order_one(reference.decoder_output);
    const auto decoder = family.make_decoder(reference.request);
    expect_equal("decoder", decoder->forward(reference.decoder_input), reference.decoder_output);
    if (reference.decoder_input.is_floating_point()) {
      EXPECT_EQ(decoder->spec().channels, reference.decoder_input.size(1));
    }
    EXPECT_EQ(decoder->spec().factor * reference.decoder_input.size(-2), reference.decoder_output.size(2));
  }
  if (reference.frames_input.defined()) {
    expect_order_one(reference.frames_output);
    const auto decoder = family.make_temporal_decoder(reference.request);
    const at::Tensor frames = decoder->begin()->push(reference.frames_input);
    expect_equal("frames", frames, reference.frames_output);
  }
  if (reference.encoder_input.defined()) {
    const auto encoder = family.make_encoder(reference.request);
    if (!reference.encoder_output.is_floating_point()) {
      const at::Tensor indices = encoder->to_indices(encoder->forward(reference.encoder_input));
      EXPECT_TRUE(at::equal(indices, reference.encoder_output));
      return;
    }
    expect_order_one(reference.encoder_output);
    expect_equal("encoder", encoder->forward(reference.encoder_input), reference.encoder_output);
    EXPECT_EQ(encoder->spec().channels, reference.encoder_output.size(1));
  }
}

}  // namespace lightswitch::testing
