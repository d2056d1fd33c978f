#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <cmath>

#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/family_contract.hpp"
#include "support/tensors.hpp"
#include "taming/taming.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::PythonCase;
using testing::stored_case;
using testing::Tensors;
using testing::tensors_of;
using testing::weightless;
using testing::with_tensors;

/// AutoencoderTiny's decoder at a given width, without a number in it.
NetworkRequest decoder_shapes(int64_t width) {
  Tensors tensors;
  const auto conv = [&](int64_t layer, const std::string& part, int64_t out, int64_t in, bool bias) {
    const std::string name = "decoder.layers." + std::to_string(layer) + part;
    tensors[name + ".weight"] = weightless({out, in, 3, 3});
    if (bias) tensors[name + ".bias"] = weightless({out});
  };
  conv(0, "", width, 4, true);
  for (const int64_t block : {2, 3, 4, 7, 8, 9, 12, 13, 14, 17})
    for (const char* part : {".conv.0", ".conv.2", ".conv.4"}) conv(block, part, width, width, true);
  for (const int64_t upsampler : {6, 11, 16}) conv(upsampler, "", width, width, false);
  conv(18, "", 3, width, true);
  NetworkRequest request;
  request.dtype = DType::fp32;
  return with_tensors(std::move(request), std::move(tensors));
}

class TamingStored : public ::testing::TestWithParam<const char*> {};

TEST_P(TamingStored, EqualsTheReference) {
  testing::expect_parity(taming::family(), stored_case(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Cases, TamingStored,
                         ::testing::Values("taming", "taming_original", "taming_original_encoder", "taming_pools",
                                           "taming_taesdv", "taming_taehv", "taming_taehv_wide", "taming_temporal"),
                         [](const auto& tested) { return std::string(tested.param); });

class TamingPython : public ::testing::TestWithParam<PythonCase> {};

TEST_P(TamingPython, EqualsTheReference) {
  LIGHTSWITCH_EXPECT_PYTHON_PARITY(taming::family(), GetParam().config, GetParam().latent);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, TamingPython,
    ::testing::Values(
        PythonCase{"taesd", "{}", "1x16x16"}, PythonCase{"tae_192", R"({"width": 192})", "1x8x8"},
        PythonCase{"sixteen_channels", R"({"latent_channels": 16, "original": "decoder"})", "2x7x11"},
        PythonCase{"taef2_decoder", R"({"latent_channels": 32, "pools": true, "original": "decoder"})", "2x9x6"},
        PythonCase{"taef2_encoder", R"({"latent_channels": 32, "pools": true, "original": "encoder"})", "1x5x8"},
        PythonCase{"tiny_temporal", R"({"video": "tiny_temporal", "width": 192, "frames": 3})", "1x4x5"},
        PythonCase{"tiny_temporal_of_one_head", R"({"video": "tiny_temporal", "width": 64, "frames": 5})", "2x3x4"},
        PythonCase{"taesdv", R"({"video": "taesdv", "width": 64, "encoder": true, "frames": 5})", "2x5x4"},
        // The shapes of the published taehv.pth and taew2_1.pth, taew2_2.pth, taeltx_2.pth, and wide blocks as
        // stable-diffusion.cpp reads.
        PythonCase{"taehv", R"({"video": "taehv", "widths": [256, 128, 64, 64], "latent_channels": 16,
                                "growth": [1, 2, 2], "encoder_width": 64, "shrinking": [2, 2, 1], "frames": 4})",
                   "2x4x3"},
        PythonCase{"taehv_patches", R"({"video": "taehv", "widths": [256, 128, 64, 64], "patch": 2,
                                        "latent_channels": 48, "growth": [1, 2, 2], "encoder_width": 64,
                                        "shrinking": [2, 2, 1], "frames": 3})",
                   "1x3x3"},
        PythonCase{"taehv_eight_frames", R"({"video": "taehv", "widths": [256, 128, 64, 64], "patch": 4,
                                             "latent_channels": 128, "growth": [2, 2, 2], "encoder_width": 64,
                                             "shrinking": [2, 2, 2], "frames": 2})",
                   "1x2x3"},
        PythonCase{"taehv_wide", R"({"video": "taehv", "widths": [1024, 512, 256, 64], "wide_groups": [16, 8, 4],
                                     "latent_channels": 16, "growth": [1, 2, 2], "encoder_width": 64,
                                     "shrinking": [2, 2, 1], "frames": 3})",
                   "1x2x3"},
        PythonCase{"tae_192_with_sixteen_channels", R"({"width": 192, "latent_channels": 16})", "1x4x4"},
        PythonCase{"other_depths",
                   R"({"width": 32, "num_decoder_blocks": [1, 2, 3, 2], "num_encoder_blocks": [2, 1, 1, 2]})",
                   "1x1x3"}),
    testing::kCaseName);

TEST(Taming, BothFilesOfTheTrainedDecoderMakeTheSamePicture) {
  const auto models = testing::data_root() / "models" / "taesd";
  const auto latent_file = testing::data_root() / "latents" / "sd1_bsds_val_4x256.safetensors";
  LIGHTSWITCH_REQUIRE_DATA(models);
  LIGHTSWITCH_REQUIRE_DATA(latent_file);
  const at::Tensor latents = open_weights(latent_file)->read("latents").narrow(0, 0, 1);
  const auto picture = [&](const std::filesystem::path& file) {
    NetworkRequest request;
    request.weights = open_weights(file);
    request.dtype = DType::fp32;
    EXPECT_TRUE(taming::family().recognises(*request.weights));
    return taming::family().make_decoder(request)->forward(latents);
  };
  const at::Tensor original = picture(models / "taesd_decoder_raw.safetensors");
  const at::Tensor diffusers = picture(models / "diffusers" / "diffusion_pytorch_model.safetensors");
  EXPECT_TRUE(close(original, diffusers, 0));
  // A photograph in [0, 1]: neither constant nor far out of range.
  EXPECT_EQ(original.sizes(), at::IntArrayRef({1, 3, 256, 256}));
  EXPECT_GT(original.std().item<double>(), 0.1);
  EXPECT_GT(original.min().item<double>(), -0.3);
  EXPECT_LT(original.max().item<double>(), 1.3);
}

TEST(Taming, TAEF2sTrainedWeightsEqualTheReferenceAndRebuildAPhotograph) {
  const auto models = testing::data_root() / "models" / "taef2";
  const auto photograph = testing::data_root() / "images" / "bsds500" / "val" / "101085.jpg";
  LIGHTSWITCH_REQUIRE_DATA(models);
  LIGHTSWITCH_REQUIRE_DATA(photograph);
  const auto reference = testing::python_case(
      "taming", R"({"taef2": ")" + models.string() + R"(", "picture": ")" + photograph.string() + R"("})", "1x32x32");
  if (!reference) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with diffusers";
  testing::expect_parity(taming::family(), *reference);
  const auto decoder = taming::family().make_decoder(reference->request);
  EXPECT_EQ(decoder->info().parameters, 1338499);
  const at::Tensor latents = taming::family().make_encoder(reference->request)->forward(reference->encoder_input);
  const at::Tensor rebuilt = decoder->forward(latents).clamp(0, 1);
  const double error = (rebuilt - reference->encoder_input).square().mean().item<double>();
  const double psnr = -10 * std::log10(error);
  RecordProperty("psnr", c10::str(psnr));
  EXPECT_GT(psnr, 25);
}

TEST(Taming, SpecFollowsFileAndConfiguration) {
  NetworkRequest request = stored_case("taming_original").request;
  auto decoder = taming::family().make_decoder(request);
  EXPECT_EQ(decoder->spec().channels, 5);
  EXPECT_EQ(decoder->spec().factor, 8);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::diffusion);
  EXPECT_EQ(decoder->spec().output_range, OutputRange::unit);
  EXPECT_EQ(decoder->spec().scaling_factor, 1.0);
  EXPECT_FALSE(decoder->spec().global_operations);
  EXPECT_EQ(decoder->spec().halo, 19);
  EXPECT_EQ(decoder->info().family, "taming");
  EXPECT_EQ(decoder->info().configuration, "width 8, blocks 3,3,3,1");
  request.config = {{"output_range", "signed"}, {"latent_kind", "raw"}, {"scaling_factor", "0.5"}, {"space", "toy"}};
  decoder = taming::family().make_decoder(request);
  EXPECT_EQ(decoder->spec().output_range, OutputRange::signed_unit);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::raw);
  EXPECT_EQ(decoder->spec().scaling_factor, 0.5);
  EXPECT_EQ(decoder->spec().space, "toy");
}

TEST(Taming, HaloIsTheReachOfALatent) {
  const auto decoder = taming::family().make_decoder(stored_case("taming").request);
  const int64_t halo = decoder->spec().halo, size = 2 * halo + 3, middle = halo + 1;
  const at::Tensor latents = testing::random_tensor({1, 4, 1, size}, 3);
  at::Tensor changed = latents.clone();
  changed.select(3, middle).add_(2.0);
  const at::Tensor difference = (decoder->forward(changed) - decoder->forward(latents)).abs().amax({0, 1, 2});
  const at::Tensor per_latent = difference.view({size, 8}).amax(1);
  EXPECT_EQ(per_latent[0].item<double>(), 0) << "a latent further away than the halo was seen";
  EXPECT_EQ(per_latent[size - 1].item<double>(), 0);
  EXPECT_GT(per_latent[middle].item<double>(), 0);
}

TEST(Taming, PoolsSeeTheWholePictureAndShareItsStatistics) {
  const auto reference = stored_case("taming_pools");
  const auto decoder = taming::family().make_decoder(reference.request);
  EXPECT_TRUE(decoder->spec().global_operations);
  EXPECT_EQ(decoder->info().configuration, "width 8, blocks 3,3,3,1, 3 with pooling");
  const at::Tensor one = reference.decoder_input.narrow(0, 0, 1);
  const NormStatistics statistics = decoder->shared_norms()->measure(one);
  EXPECT_EQ(statistics.size(), 3);
  EXPECT_TRUE(close(decoder->shared_norms()->forward_with(statistics, one), decoder->forward(one), 1e-6));
}

TEST(TamingFiles, EveryTensorOfAPoolIsNeeded) {
  const NetworkRequest request = stored_case("taming_pools").request;
  const Tensors all = tensors_of(*request.weights);
  int pools = 0;
  for (const auto& [name, tensor] : all) {
    if (name.find(".pool.") == std::string::npos) continue;
    ++pools;
    Tensors tensors = all;
    tensors.erase(name);
    const auto error = expect_error<WeightsError>([&] {
      const NetworkRequest changed = with_tensors(request, tensors);
      name.starts_with("decoder.") ? (void)taming::family().make_decoder(changed)
                                   : (void)taming::family().make_encoder(changed);
    });
    EXPECT_TRUE(contains(error.what(), "1 missing: " + name));
  }
  EXPECT_EQ(pools, 24);
}

TEST(Taming, HasThePublishedSize) {
  const auto taesd = taming::family().make_decoder(decoder_shapes(64));
  EXPECT_EQ(taesd->info().parameters, 1222531);
  EXPECT_NEAR(taesd->macs(64, 64) / 1e9, 70.7, 0.1);
  EXPECT_NEAR(taesd->macs(32, 32) / 1e9, 17.7, 0.1);
  const auto tae_192 = taming::family().make_decoder(decoder_shapes(192));
  EXPECT_EQ(tae_192->info().parameters, 10966659);
  EXPECT_NEAR(tae_192->macs(64, 64) / 1e9, 633.3, 0.1);
}

TEST(Taming, CountingTouchesNoData) {
  // A picture whose first layer alone would take 2^52 bytes.
  EXPECT_GT(taming::family().make_decoder(decoder_shapes(64))->macs(1 << 22, 1 << 22), int64_t{1} << 60);
}

TEST(Taming, BFloat16StaysCloseToFp32) {
  testing::expect_bf16_close(taming::family(), "taming", 0.05);
}

TEST(Taming, BatchCancelAndThreads) {
  testing::expect_network_contract(taming::family(), "taming", 128);
}

TEST(Taming, RefusesInputOfAnotherShape) {
  const NetworkRequest request = stored_case("taming").request;
  const auto decoder = taming::family().make_decoder(request);
  const auto error = expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 5, 4, 4})); });
  EXPECT_EQ(error.detail().field, "latents");
  const auto encoder = taming::family().make_encoder(request);
  EXPECT_TRUE(
      contains(expect_error<TensorError>([&] { encoder->forward(at::zeros({1, 3, 12, 16})); }).detail().expected,
               "multiples of 8"));
}

TEST(Taming, TheFirstLayerThatOverflowsIsNamed) {
  const testing::ReferenceCase stored = stored_case("taming");
  const at::Tensor latents = stored.decoder_input;
  EXPECT_EQ(taming::family().make_decoder(stored.request)->first_non_finite_layer(latents), "");
  Tensors tensors = tensors_of(*stored.request.weights);
  const std::string steep = "decoder.layers.18";
  tensors[steep + ".bias"] = at::full_like(tensors[steep + ".bias"], INFINITY);
  const auto decoder = taming::family().make_decoder(with_tensors(stored.request, tensors));
  EXPECT_EQ(decoder->first_non_finite_layer(latents), steep);
}

TEST(TamingFiles, MissingUnexpectedAndMisshapenTensorsAreAllListed) {
  testing::expect_faults_listed(taming::family(), "taming",
                                {.missing = "decoder.layers.3.conv.0.weight",
                                 .misshapen = "decoder.layers.18.weight",
                                 .shape = {3, 8, 5, 5},
                                 .expected = "[3, 8, 3, 3]",
                                 .found = "[3, 8, 5, 5]",
                                 .unexpected = {"decoder.layers.3.scale.weight", "other.weight"}});
}

TEST(TamingFiles, AMissingBlockIsNotTakenForAShallowerNetwork) {
  const NetworkRequest request = stored_case("taming").request;
  for (const char* block : {"decoder.layers.3.", "decoder.layers.4.", "decoder.layers.17."}) {
    Tensors tensors = tensors_of(*request.weights);
    std::erase_if(tensors, [&](const auto& entry) { return entry.first.starts_with(block); });
    const auto error =
        expect_error<WeightsError>([&] { taming::family().make_decoder(with_tensors(request, tensors)); });
    EXPECT_TRUE(contains(error.what(), "6 missing: " + std::string(block))) << error.what();
  }
}

TEST(TamingFiles, AMissingEndIsNamed) {
  const NetworkRequest request = stored_case("taming").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors.erase("decoder.layers.18.weight");
  tensors.erase("decoder.layers.18.bias");
  const auto error = expect_error<WeightsError>([&] { taming::family().make_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "2 missing: decoder.layers.18."));
}

TEST(TamingFiles, HalvesThatAreNotThereAreRefused) {
  const NetworkRequest decoder_alone = stored_case("taming_original").request;
  EXPECT_TRUE(contains(expect_error<WeightsError>([&] { taming::family().make_encoder(decoder_alone); }).what(),
                       "no AutoencoderTiny encoder"));
  const NetworkRequest encoder_alone = stored_case("taming_original_encoder").request;
  EXPECT_TRUE(contains(expect_error<WeightsError>([&] { taming::family().make_decoder(encoder_alone); }).what(),
                       "no AutoencoderTiny decoder"));
}

TEST(TamingFiles, OtherFamiliesAreNotRecognised) {
  const auto recognises = [](std::vector<std::string> names) {
    Tensors tensors;
    for (const std::string& name : names) tensors[name] = at::zeros({8, 8, 3, 3});
    return taming::family().recognises(*weights_from_memory(std::move(tensors)));
  };
  EXPECT_TRUE(recognises({"1.weight", "3.conv.0.weight"}));
  EXPECT_TRUE(recognises({"decoder.layers.0.weight", "decoder.layers.2.conv.0.weight"}));
  EXPECT_TRUE(recognises({"layers.0.weight", "layers.2.conv.0.weight", "layers.6.weight", "layers.16.weight",
                          "mid_block.resnets.0.time_mixer.mix_factor"}));
  EXPECT_FALSE(recognises({"layers.0.weight", "layers.2.conv.0.weight", "mid_block.resnets.0.time_mixer.mix_factor"}))
      << "nothing to put the middle behind";
  EXPECT_FALSE(recognises({"layers.0.weight", "layers.2.conv.0.weight", "layers.6.weight", "layers.16.weight"}));
  EXPECT_FALSE(recognises({"decoder.1.weight", "decoder.3.conv.0.weight"})) << "no block that sees two frames";
  EXPECT_FALSE(recognises({"decoder.mid_block.attentions.0.to_q.weight", "decoder.conv_in.weight"}));
  EXPECT_FALSE(recognises({"stages.2.op_list.1.main.conv1.conv.weight"}));
  EXPECT_FALSE(recognises({"1.weight"}));
  EXPECT_FALSE(recognises({}));
}

TEST(TamingFiles, HostileLayerNumbersDoNotMakeItWork) {
  const NetworkRequest request = stored_case("taming").request;
  for (const char* name : {"decoder.layers.999999999999999999.conv.0.weight", "decoder.layers.300.weight",
                           "decoder.layers.-1.weight", "decoder.layers.99999999999999999999999.bias"}) {
    Tensors tensors = tensors_of(*request.weights);
    tensors[name] = at::zeros({8});
    const auto error =
        expect_error<WeightsError>([&] { taming::family().make_decoder(with_tensors(request, tensors)); });
    EXPECT_TRUE(contains(error.what(), std::string("1 unexpected: ") + name)) << error.what();
  }
}

TEST(TamingFiles, ConfigurationsThatAreNotComputedAreRefused) {
  const std::map<std::string, std::string> asked{
      {"act_fn", "gelu"}, {"upsample_fn", "bilinear"}, {"upsampling_scaling_factor", "4"}};
  for (const auto& [key, value] : asked) {
    NetworkRequest request = stored_case("taming").request;
    request.config[key] = value;
    const auto error = expect_error<UnsupportedError>([&] { taming::family().make_decoder(request); });
    EXPECT_EQ(error.detail().field, key);
    EXPECT_EQ(error.detail().found, value);
    expect_error<UnsupportedError>([&] { taming::family().make_encoder(request); });
  }
}

}  // namespace
}  // namespace lightswitch
