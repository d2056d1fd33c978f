#include "projection/projection.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include "support/errors.hpp"
#include "support/network_contract.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using testing::contains;
using testing::expect_error;
using testing::Tensors;
using testing::with_tensors;

const at::Tensor kWeight = at::tensor({0.5F, -0.25F, 0.0F, 1.0F, 0.125F, 2.0F}).reshape({3, 2, 1, 1});
const at::Tensor kBias = at::tensor({0.5F, 0.25F, -1.0F});

NetworkRequest request(Tensors tensors, Config config = {}) {
  NetworkRequest request;
  request.dtype = DType::fp32;
  request.config = std::move(config);
  return with_tensors(std::move(request), std::move(tensors));
}

NetworkRequest sound(Config config = {}) {
  return request({{"latent_rgb.weight", kWeight}, {"latent_rgb.bias", kBias}}, std::move(config));
}

TEST(Projection, EverySquareIsTheMatrixTimesItsLatent) {
  const auto decoder = projection::family().make_decoder(sound({{"factor", "4"}}));
  const at::Tensor latents = at::arange(12).to(at::kFloat).reshape({1, 2, 2, 3});
  const at::Tensor picture = decoder->forward(latents);
  ASSERT_EQ(picture.sizes(), at::IntArrayRef({1, 3, 8, 12}));
  // latents (0, 6) and (5, 11), by hand
  const auto pixel = [&](int64_t c, int64_t y, int64_t x) { return picture.index({0, c, y, x}).item<float>(); };
  EXPECT_FLOAT_EQ(pixel(0, 0, 0), 0.5F * 0 - 0.25F * 6 + 0.5F);
  EXPECT_FLOAT_EQ(pixel(1, 3, 3), 1.0F * 6 + 0.25F);
  EXPECT_FLOAT_EQ(pixel(2, 7, 11), 0.125F * 5 + 2.0F * 11 - 1.0F);
  EXPECT_FLOAT_EQ(pixel(2, 4, 8), pixel(2, 7, 11));
}

TEST(Projection, SaysWhatItIs) {
  const auto decoder = projection::family().make_decoder(sound());
  EXPECT_EQ(decoder->spec().factor, 8);
  EXPECT_EQ(decoder->spec().channels, 2);
  EXPECT_EQ(decoder->spec().halo, 0);
  EXPECT_EQ(decoder->info().parameters, 9);
  EXPECT_EQ(decoder->macs(5, 7), 5 * 7 * 2 * 3);
  testing::expect_batch_equals_single(*decoder, at::randn({1, 2, 3, 4}));
}

TEST(Projection, OtherFilesAreRefused) {
  const auto family = projection::family();
  EXPECT_TRUE(family.recognises(*sound().weights));
  const auto other = request({{"latent_rgb.weight", at::zeros({4, 2, 1, 1})}, {"latent_rgb.bias", kBias}});
  EXPECT_FALSE(family.recognises(*other.weights));
  const auto refused = expect_error<WeightsError>([&] { family.make_decoder(other); });
  EXPECT_TRUE(contains(refused.what(), "[3, C, 1, 1]"));
  const auto missing =
      expect_error<WeightsError>([&] { family.make_decoder(request({{"latent_rgb.weight", kWeight}})); });
  EXPECT_TRUE(contains(missing.what(), "latent_rgb.bias"));
  const auto factor = expect_error<OptionError>([&] { family.make_decoder(sound({{"factor", "0"}})); });
  EXPECT_TRUE(contains(factor.what(), "1 … 128"));
}

}  // namespace
}  // namespace lightswitch
