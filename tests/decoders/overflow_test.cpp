#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/error.hpp>

#include "support/errors.hpp"
#include "support/reference_case.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::stored_case;

std::shared_ptr<const Decoder> taming(const NetworkRequest& request) {
  static const DecoderRegistry registry(builtin_decoder_families());
  return registry.make_decoder(registry.family("taming"), request);
}

/// A layer in the middle overflows in any dtype. oneDNN's ReLU makes zeros of what comes of that: without a look the
/// picture is finite, and wrong.
const std::string kSteep = "decoder.layers.8.conv.2";

NetworkRequest steep_in_the_middle(DType dtype) {
  NetworkRequest request = stored_case("taming").request;
  request.dtype = dtype;
  testing::Tensors tensors = testing::tensors_of(*request.weights);
  for (const char* part : {".weight", ".bias"}) {
    at::Tensor& steep = tensors.at(kSteep + part);
    steep = at::full(steep.sizes(), 3e38);
  }
  return testing::with_tensors(std::move(request), std::move(tensors));
}

class Overflow : public ::testing::TestWithParam<DType> {};

TEST_P(Overflow, InTheMiddleOfANetworkIsNoPictureButAnErrorThatNamesTheLayer) {
  const auto latents = stored_case("taming").decoder_input;
  const auto decoder = taming(steep_in_the_middle(GetParam()));
  EXPECT_EQ(expect_error<NumericError>([&] { decoder->forward(latents); }).detail().field, kSteep);
  EXPECT_EQ(decoder->first_non_finite_layer(latents), kSteep);
  const auto error = expect_error<NumericError>([&] { decode(*decoder, latents); });
  EXPECT_EQ(error.detail().field, "picture");
  EXPECT_TRUE(contains(error.what(), std::string("overflow in ") + to_string(GetParam())));
  EXPECT_TRUE(contains(error.detail().found, "first after " + kSteep));
}

TEST_P(Overflow, InTheMiddleOfANetworkIsTriedInAWiderDtype) {
  const testing::ReferenceCase stored = stored_case("taming");
  const auto steep = taming(steep_in_the_middle(GetParam()));
  int asked = 0;
  const OpenWider wider = [&](const NumericError&) {
    ++asked;
    return taming(stored.request);
  };
  const auto picture = decode(*steep, stored.decoder_input, {.wider = wider});
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(close(picture, decode(*taming(stored.request), stored.decoder_input), 0));
  // Tiles are decoded by other calls.
  expect_error<NumericError>([&] { decode(*steep, stored.decoder_input, {.tiles = {.size = 8}}); });
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Overflow, ::testing::Values(DType::fp32, DType::bf16),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

}  // namespace
}  // namespace lightswitch
