#include "vqgan/vqgan.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include "support/errors.hpp"
#include "support/family_contract.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::PythonCase;
using testing::stored_case;
using testing::Tensors;
using testing::tensors_of;
using testing::with_tensors;

class VqganStored : public ::testing::TestWithParam<const char*> {};

TEST_P(VqganStored, EqualsTheReference) {
  testing::expect_parity(vqgan::family(), stored_case(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Cases, VqganStored, ::testing::Values("vqgan", "vqgan_gumbel"),
                         [](const auto& test) { return std::string(test.param); });

class VqganPython : public ::testing::TestWithParam<PythonCase> {};

TEST_P(VqganPython, EqualsTheReference) {
  LIGHTSWITCH_EXPECT_PYTHON_PARITY(vqgan::family(), GetParam().config, GetParam().latent);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, VqganPython,
    ::testing::Values(
        PythonCase{"taming_f16",
                   R"({"taming": true, "ch": 128, "ch_mult": [1, 1, 2, 2, 4], "attending_stages": [4],
                       "z_channels": 256, "n_embed": 1024})",
                   "1x4x5"},
        PythonCase{"taming_f16_indices",
                   R"({"taming": true, "mode": "indices", "ch": 64, "ch_mult": [1, 1, 2, 2, 4],
                       "attending_stages": [4], "z_channels": 256, "n_embed": 1024})",
                   "2x5x3"},
        PythonCase{"ldm_vq_f4",
                   R"({"taming": true, "scope": "first_stage_model.", "ch": 128, "ch_mult": [1, 2, 4],
                       "z_channels": 3, "n_embed": 8192})",
                   "1x8x7"},
        PythonCase{"ldm_vq_f8",
                   R"({"taming": true, "ch": 128, "ch_mult": [1, 2, 2, 4], "attending_stages": [3],
                       "z_channels": 4, "n_embed": 16384})",
                   "1x6x6"},
        PythonCase{"gumbel_f8",
                   R"({"taming": true, "gumbel": true, "ch": 64, "ch_mult": [1, 1, 2, 4], "attending_stages": [3],
                       "z_channels": 256, "n_embed": 8192})",
                   "1x6x5"},
        PythonCase{"vq_model",
                   R"({"block_out_channels": [128, 256, 512], "layers_per_block": 2, "latent_channels": 3,
                       "num_vq_embeddings": 8192})",
                   "1x8x6"},
        PythonCase{"vq_model_continuous",
                   R"({"block_out_channels": [64, 128, 128], "layers_per_block": 2, "latent_channels": 4,
                       "vq_embed_dim": 6, "num_vq_embeddings": 512, "mode": "continuous",
                       "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
                       "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]})",
                   "2x7x5"},
        PythonCase{"vq_model_indices",
                   R"({"block_out_channels": [32, 64], "layers_per_block": 1, "latent_channels": 3,
                       "num_vq_embeddings": 256, "mode": "indices"})",
                   "2x6x9"}),
    testing::kCaseName);

TEST(Vqgan, SpecFollowsFileAndConfiguration) {
  NetworkRequest request = stored_case("vqgan").request;
  const auto decoder = vqgan::family().make_decoder(request);
  EXPECT_EQ(decoder->spec().channels, 5);
  EXPECT_EQ(decoder->spec().factor, 2);
  EXPECT_EQ(decoder->spec().codebook, 64);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::raw);
  EXPECT_EQ(decoder->spec().scaling_factor, 0.18215) << "diffusers' VQModel has it";
  EXPECT_TRUE(decoder->spec().global_operations);
  EXPECT_EQ(decoder->info().family, "vqgan");
  EXPECT_EQ(vqgan::family().make_decoder(stored_case("vqgan_gumbel").request)->spec().scaling_factor, 1.0);
  request.config["scaling_factor"] = "0.5";
  EXPECT_EQ(vqgan::family().make_encoder(request)->spec().scaling_factor, 0.5);
}

TEST(Vqgan, IndicesDecodeToWhatTheirLatentsSnapTo) {
  const auto reference = stored_case("vqgan");
  const auto decoder = vqgan::family().make_decoder(reference.request);
  const auto encoder = vqgan::family().make_encoder(reference.request);
  const at::Tensor indices = encoder->to_indices(reference.decoder_input);
  EXPECT_EQ(indices.sizes(), at::IntArrayRef({1, 5, 6}));
  EXPECT_TRUE(close(decoder->forward(indices), reference.decoder_output, testing::kParity));
}

TEST(Vqgan, WithoutSnappingThePictureIsAnother) {
  auto reference = stored_case("vqgan");
  reference.request.config["snap"] = "off";
  const at::Tensor picture = vqgan::family().make_decoder(reference.request)->forward(reference.decoder_input);
  EXPECT_FALSE(close(picture, reference.decoder_output, 0.05));
  reference.request.config["snap"] = "perhaps";
  const auto error = expect_error<OptionError>([&] { vqgan::family().make_decoder(reference.request); });
  EXPECT_EQ(error.detail().expected, "on or off");
}

/// Two entries that are one number in bf16, and a latent that is closer to the second.
TEST(Vqgan, SnapsInSinglePrecisionWhateverTheNetworkComputesIn) {
  auto reference = stored_case("vqgan");
  Tensors tensors = tensors_of(*reference.request.weights);
  at::Tensor entries = at::full({64, 5}, -100.0);
  entries[0].fill_(1.0);
  entries[1].fill_(1.0005);
  tensors["vae.quantize.embedding.weight"] = entries;
  reference.request.dtype = DType::bf16;
  const auto encoder = vqgan::family().make_encoder(with_tensors(reference.request, tensors));
  const at::Tensor latents = at::full({1, 5, 1, 1}, 1.0004);
  EXPECT_EQ(encoder->to_indices(latents).item<int64_t>(), 1);
  EXPECT_EQ(encoder->to_indices(at::full({1, 5, 1, 1}, 1.0002)).item<int64_t>(), 0);
}

TEST(Vqgan, RefusesIndicesThatTheCodebookHasNot) {
  const auto decoder = vqgan::family().make_decoder(stored_case("vqgan").request);
  for (const int64_t bad : {-1, 64}) {
    const auto error = expect_error<TensorError>([&] { decoder->forward(at::full({1, 2, 2}, bad, at::kLong)); });
    EXPECT_EQ(error.detail().expected, "0 … 63");
    EXPECT_EQ(error.detail().found, std::to_string(bad));
  }
  EXPECT_NO_THROW(decoder->forward(at::full({1, 2, 2}, 63, at::kLong)));
  expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 5, 2, 2}, at::kLong)); });
  expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 2, 2}, at::kInt)); });
  expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 0, 2}, at::kLong)); });
  expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 4, 2, 2})); });
  expect_error<TensorError>([&] { decoder->forward(at::Tensor()); });
}

TEST(Vqgan, BatchCancelAndThreads) {
  testing::expect_network_contract(vqgan::family(), "vqgan", 200);
}

TEST(VqganFiles, AMissingCodebookTensorIsNamed) {
  const NetworkRequest request = stored_case("vqgan_gumbel").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors.erase("quantize.proj.bias");
  tensors["quantize.embed.weight"] = at::zeros({50, 4});
  const auto error = expect_error<WeightsError>([&] { vqgan::family().make_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "1 missing: quantize.proj.bias"));
  EXPECT_TRUE(contains(error.what(), "1 misshapen: quantize.embed.weight (expected [50, 6], found [50, 4])"));
}

TEST(VqganFiles, WithoutACodebookItIsAnotherFamilys) {
  const NetworkRequest request = stored_case("vqgan").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors.erase("vae.quantize.embedding.weight");
  EXPECT_FALSE(vqgan::family().recognises(*with_tensors(request, tensors).weights));
  const auto error = expect_error<WeightsError>([&] { vqgan::family().make_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "1 missing: vae.quantize.embedding.weight"));
}

TEST(VqganFiles, SpatialNormsAreRefused) {
  NetworkRequest request = stored_case("vqgan").request;
  request.config["norm_type"] = "spatial";
  EXPECT_EQ(expect_error<UnsupportedError>([&] { vqgan::family().make_decoder(request); }).detail().field, "norm_type");
}

TEST(VqganFiles, IndicesAreNoKindOfContinuousLatents) {
  NetworkRequest request = stored_case("vqgan").request;
  request.config["latent_kind"] = "indices";
  EXPECT_EQ(expect_error<OptionError>([&] { vqgan::family().make_decoder(request); }).detail().field, "latent_kind");
}

}  // namespace
}  // namespace lightswitch
