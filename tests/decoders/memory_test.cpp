// The allocator that counts is the process's, so these tests have a program of their own.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/memory.hpp>

#include "nn/weight_loader.hpp"
#include "support/errors.hpp"
#include "support/reference_case.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

std::unique_ptr<Decoder> stored_decoder(const std::string& name, DType dtype) {
  const DecoderRegistry registry(builtin_decoder_families());
  NetworkRequest request = stored_case(name).request;
  request.dtype = dtype;
  return registry.recognise(*request.weights).make_decoder(request);
}

struct MemoryCase {
  const char* name;
  DType dtype;
  int64_t tile;
};

class DecodeMemory : public ::testing::TestWithParam<MemoryCase> {};

TEST_P(DecodeMemory, IsPredictedWithinFifteenPercent) {
  if (GetParam().dtype == DType::bf16 && nn::resolve_dtype(DType::automatic, c10::Device(c10::kCPU)) != DType::bf16)
    GTEST_SKIP() << "this CPU has no bf16: LibTorch unfolds every convolution's input into memory of its own";
  recycle_large_blocks();
  const auto decoder = stored_decoder(GetParam().name, GetParam().dtype);
  const TileOptions tiles{.size = GetParam().tile};
  const int64_t edge = 192;
  const auto latents = random_tensor({1, decoder->spec().channels, edge, edge});
  const int64_t before = large_block_usage().live;
  ASSERT_EQ(large_block_usage().most_live, before);  // nothing larger has run in this process
  decode(*decoder, latents, {.kind = decoder->spec().network_input, .tiles = tiles});
  const auto measured = static_cast<double>(large_block_usage().most_live - before);
  const auto predicted = static_cast<double>(predicted_decode_bytes(*decoder, edge, edge, tiles).value());
  EXPECT_GT(predicted, 0.85 * measured);
  EXPECT_LT(predicted, 1.15 * measured);
}

TEST_P(DecodeMemory, IsNotAskedForAgainAfterTheFirstPicture) {
  if (GetParam().dtype == DType::bf16 && nn::resolve_dtype(DType::automatic, c10::Device(c10::kCPU)) != DType::bf16)
    GTEST_SKIP() << "this CPU has no bf16";
  recycle_large_blocks();
  const auto decoder = stored_decoder(GetParam().name, GetParam().dtype);
  const DecodeOptions options{.kind = decoder->spec().network_input, .tiles = {.size = GetParam().tile}};
  const auto latents = random_tensor({1, decoder->spec().channels, 192, 192});
  at::Tensor picture = decode(*decoder, latents, options);
  picture = decode(*decoder, latents, options);  // the first while this one is made: two pictures from here on
  const int64_t mapped = large_block_usage().mapped;
  for (int pass = 0; pass < 3; ++pass) picture = decode(*decoder, latents, options);
  EXPECT_LE(large_block_usage().mapped - mapped, large_block_usage().most_live / 100);
}

INSTANTIATE_TEST_SUITE_P(Families, DecodeMemory,
                         ::testing::Values(MemoryCase{"kl", DType::fp32, 0}, MemoryCase{"kl", DType::bf16, 0},
                                           MemoryCase{"kl", DType::fp32, 96}, MemoryCase{"taming", DType::fp32, 0},
                                           MemoryCase{"taming", DType::bf16, 0}, MemoryCase{"taming", DType::fp32, 64},
                                           MemoryCase{"vit_paper", DType::fp32, 0},
                                           MemoryCase{"vit_attention", DType::fp32, 0}),
                         [](const auto& test) {
                           return std::string(test.param.name) + "_" + to_string(test.param.dtype) +
                                  (test.param.tile > 0 ? "_tiled" : "");
                         });

TEST(FittingTiles, AreTheLargestThatFit) {
  const auto decoder = stored_decoder("taming", DType::fp32);
  const int64_t edge = 100;
  const auto bytes = [&](int64_t size) { return predicted_decode_bytes(*decoder, edge, edge, {.size = size}).value(); };
  EXPECT_EQ(fitting_tiles(*decoder, edge, edge, bytes(0)).size, 0);
  // Tiles of 64 with what they must see around them are the whole picture again.
  EXPECT_EQ(fitting_tiles(*decoder, edge, edge, bytes(0) - 1).size, 48);
  EXPECT_EQ(fitting_tiles(*decoder, edge, edge, bytes(32)).size, 32);
  EXPECT_EQ(fitting_tiles(*decoder, edge, edge, bytes(0), {.size = 48}).size, 48);
  const auto error = expect_error<UnsupportedError>([&] { fitting_tiles(*decoder, edge, edge, 1 << 20); });
  EXPECT_EQ(error.detail().field, "max_memory");
  EXPECT_EQ(error.detail().found, "1 MiB");
}

TEST(FittingTiles, ApproximateTilesAreNotTakenWhereOnlyExactOnesMay) {
  const auto decoder = stored_decoder("kl", DType::fp32);
  const int64_t whole = predicted_decode_bytes(*decoder, 100, 100).value();
  EXPECT_GT(fitting_tiles(*decoder, 100, 100, whole / 2).size, 0);
  expect_error<UnsupportedError>([&] { fitting_tiles(*decoder, 100, 100, whole / 2, {.only_exact = true}); });
}

}  // namespace
}  // namespace lightswitch
