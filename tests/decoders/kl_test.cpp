#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include "kl/kl.hpp"
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
using testing::weightless;
using testing::with_tensors;

/// Shapes of Stable Diffusion's decoder without a number in them, for counting.
NetworkRequest stable_diffusion_shapes() {
  Tensors tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    tensors[name + ".weight"] = weightless(shape);
    tensors[name + ".bias"] = weightless({shape[0]});
  };
  const auto resnet = [&](const std::string& name, int64_t in, int64_t out) {
    add(name + ".norm1", {in});
    add(name + ".conv1", {out, in, 3, 3});
    add(name + ".norm2", {out});
    add(name + ".conv2", {out, out, 3, 3});
    if (in != out) add(name + ".conv_shortcut", {out, in, 1, 1});
  };
  add("post_quant_conv", {4, 4, 1, 1});
  add("decoder.conv_in", {512, 4, 3, 3});
  for (const char* block : {"0", "1"}) resnet(std::string("decoder.mid_block.resnets.") + block, 512, 512);
  add("decoder.mid_block.attentions.0.group_norm", {512});
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"})
    add(std::string("decoder.mid_block.attentions.0.") + part, {512, 512});
  int64_t in = 512;
  const std::vector<int64_t> widths{512, 512, 256, 128};
  for (size_t stage = 0; stage < widths.size(); ++stage) {
    const std::string name = "decoder.up_blocks." + std::to_string(stage);
    for (const char* block : {"0", "1", "2"}) {
      resnet(name + ".resnets." + block, in, widths[stage]);
      in = widths[stage];
    }
    if (stage + 1 < widths.size()) add(name + ".upsamplers.0.conv", {in, in, 3, 3});
  }
  add("decoder.conv_norm_out", {128});
  add("decoder.conv_out", {3, 128, 3, 3});
  NetworkRequest request;
  request.dtype = DType::fp32;
  return with_tensors(std::move(request), std::move(tensors));
}

class KlStored : public ::testing::TestWithParam<const char*> {};

TEST_P(KlStored, EqualsTheReference) {
  testing::expect_parity(kl::family(), stored_case(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Cases, KlStored, ::testing::Values("kl", "kl_old_names", "kl_without_attention", "kl_compvis"),
                         [](const auto& test) { return std::string(test.param); });

class KlPython : public ::testing::TestWithParam<PythonCase> {};

TEST_P(KlPython, EqualsTheReference) {
  LIGHTSWITCH_EXPECT_PYTHON_PARITY(kl::family(), GetParam().config, GetParam().latent);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, KlPython,
    ::testing::Values(
        PythonCase{"stable_diffusion", R"({"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2})",
                   "1x16x16"},
        PythonCase{"oblong_batch", R"({"block_out_channels": [64, 128, 128], "layers_per_block": 2})", "2x7x11"},
        PythonCase{"sixteen_channels",
                   R"({"block_out_channels": [96, 192, 384], "layers_per_block": 2, "latent_channels": 16,
                       "use_quant_conv": false, "use_post_quant_conv": false})",
                   "1x8x8"},
        PythonCase{"base_width_96",
                   R"({"block_out_channels": [96, 192, 384, 384], "layers_per_block": 2, "latent_channels": 32,
                       "scope": "vae."})",
                   "1x6x8"},
        PythonCase{"attention_in_a_stage",
                   R"({"block_out_channels": [32, 64, 64], "layers_per_block": 1,
                       "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
                       "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]})",
                   "1x6x7"},
        PythonCase{"compvis_checkpoint",
                   R"({"compvis": true, "scope": "first_stage_model.", "ch": 128, "ch_mult": [1, 2, 4, 4],
                       "z_channels": 4})",
                   "1x8x9"},
        PythonCase{"compvis_flux",
                   R"({"compvis": true, "scope": "vae.", "ch": 96, "ch_mult": [1, 2, 4, 4], "z_channels": 16,
                       "quant_convs": false})",
                   "1x8x8"},
        PythonCase{"compvis_alone", R"({"compvis": true, "ch": 32, "ch_mult": [1, 3, 2], "z_channels": 4})", "2x5x7"},
        PythonCase{"one_stage", R"({"block_out_channels": [32], "layers_per_block": 3, "norm_num_groups": 8})",
                   "1x9x9"}),
    testing::kCaseName);

TEST(Kl, SpecFollowsFileAndConfiguration) {
  NetworkRequest request = stored_case("kl_old_names").request;
  request.config["scaling_factor"] = "0.5";
  request.config["shift_factor"] = "0.25";
  request.config["space"] = "toy";
  const auto decoder = kl::family().make_decoder(request);
  EXPECT_EQ(decoder->spec().channels, 3);
  EXPECT_EQ(decoder->spec().factor, 4);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::raw);
  EXPECT_EQ(decoder->spec().output_range, OutputRange::signed_unit);
  EXPECT_TRUE(decoder->spec().global_operations);
  EXPECT_EQ(decoder->spec().scaling_factor, 0.5);
  EXPECT_EQ(decoder->spec().shift_factor, 0.25);
  EXPECT_EQ(decoder->spec().space, "toy");
  EXPECT_EQ(decoder->info().family, "kl");
  EXPECT_EQ(decoder->info().dtype, DType::fp32);
}

TEST(Kl, ScaleIsStableDiffusionsUnlessConfigured) {
  NetworkRequest request = stored_case("kl").request;
  request.config.erase("scaling_factor");
  EXPECT_EQ(kl::family().make_decoder(request)->spec().scaling_factor, 0.18215);
}

TEST(Kl, StableDiffusionHasThePublishedSize) {
  const auto decoder = kl::family().make_decoder(stable_diffusion_shapes());
  EXPECT_EQ(decoder->info().parameters, 49490179 + 20);
  EXPECT_NEAR(decoder->macs(64, 64) / 1e9, 1257.3, 0.1);
  EXPECT_NEAR(decoder->macs(32, 32) / 1e9, 311.1, 0.1);
}

TEST(Kl, BFloat16StaysCloseToFp32) {
  testing::expect_bf16_close(kl::family(), "kl", 0.15);
}

TEST(Kl, BatchCancelAndThreads) {
  testing::expect_network_contract(kl::family(), "kl", 160);
}

TEST(Kl, RefusesLatentsOfAnotherShape) {
  const auto decoder = kl::family().make_decoder(stored_case("kl").request);
  const auto error = expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 5, 4, 4})); });
  EXPECT_EQ(error.detail().field, "latents");
  EXPECT_TRUE(contains(error.detail().expected, "[N, 4, H, W]"));
  EXPECT_TRUE(contains(error.detail().found, "[1, 5, 4, 4]"));
  expect_error<TensorError>([&] { decoder->forward(at::zeros({4, 4, 4})); });
  expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 4, 0, 4})); });
  expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 4, 4, 4}, at::kLong)); });
}

TEST(Kl, EncoderRefusesPicturesThatAreNoMultipleOfTheFactor) {
  const auto encoder = kl::family().make_encoder(stored_case("kl_old_names").request);
  const auto error = expect_error<TensorError>([&] { encoder->forward(at::zeros({1, 3, 8, 10})); });
  EXPECT_TRUE(contains(error.detail().expected, "multiples of 4"));
}

TEST(KlFiles, MissingUnexpectedAndMisshapenTensorsAreAllListed) {
  testing::expect_faults_listed(kl::family(), "kl",
                                {.missing = "decoder.mid_block.resnets.1.norm2.bias",
                                 .misshapen = "decoder.conv_out.weight",
                                 .shape = {3, 8, 5, 5},
                                 .expected = "[3, 8, 3, 3]",
                                 .found = "[3, 8, 5, 5]",
                                 .unexpected = {"decoder.nonsense", "other.weight"}});
}

TEST(KlFiles, MissingFirstConvolutionIsNamed) {
  const NetworkRequest request = stored_case("kl").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors.erase("decoder.conv_in.weight");
  const auto error = expect_error<WeightsError>([&] { kl::family().make_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "1 missing: decoder.conv_in.weight"));
}

TEST(KlFiles, ADecoderAloneHasNoEncoder) {
  const NetworkRequest request = stored_case("kl").request;
  Tensors tensors = tensors_of(*request.weights);
  std::erase_if(tensors, [](const auto& entry) {
    return entry.first.starts_with("encoder.") || entry.first.starts_with("quant_");
  });
  const NetworkRequest decoder_only = with_tensors(request, tensors);
  EXPECT_TRUE(kl::family().recognises(*decoder_only.weights));
  EXPECT_NO_THROW(kl::family().make_decoder(decoder_only));
  const auto error = expect_error<WeightsError>([&] { kl::family().make_encoder(decoder_only); });
  EXPECT_TRUE(contains(error.what(), "no AutoencoderKL encoder"));
}

TEST(KlFiles, ErrorsShowTheNamesOfTheFile) {
  const NetworkRequest request = stored_case("kl_compvis").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors.erase("first_stage_model.decoder.up.2.block.1.norm2.bias");
  tensors.erase("first_stage_model.decoder.mid.attn_1.proj_out.weight");
  tensors["first_stage_model.decoder.nonsense"] = at::zeros({1});
  const auto error = expect_error<WeightsError>([&] { kl::family().make_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "first_stage_model.decoder.up.2.block.1.norm2.bias"));
  EXPECT_TRUE(contains(error.what(), "first_stage_model.decoder.mid.attn_1.proj_out.weight"));
  EXPECT_TRUE(contains(error.what(), "2 missing: "));
  EXPECT_TRUE(contains(error.what(), "1 unexpected: first_stage_model.decoder.nonsense"));
}

TEST(KlFiles, CompVisNamesAreTakenForNoOtherNetworks) {
  const NetworkRequest request = stored_case("kl_compvis").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors["first_stage_model.quantize.embedding.weight"] = at::zeros({8, 3});
  EXPECT_FALSE(kl::family().recognises(*with_tensors(request, tensors).weights));
}

TEST(KlFiles, AMissingStageOfCompVisNamesIsNoticed) {
  const NetworkRequest request = stored_case("kl_compvis").request;
  Tensors tensors = tensors_of(*request.weights);
  std::erase_if(tensors, [](const auto& entry) { return entry.first.find("decoder.up.0.") != std::string::npos; });
  expect_error<WeightsError>([&] { kl::family().make_decoder(with_tensors(request, tensors)); });
}

TEST(KlFiles, OtherFamiliesAreNotRecognised) {
  for (const char* name :
       {"decoder.layers.0.weight", "1.weight", "stages.2.op_list.1.main.conv1.conv.weight",
        "decoder.up_blocks.0.1.conv1.weight", "decoder.mid_block.resnets.0.spatial_res_block.conv1.weight"})
    EXPECT_FALSE(kl::family().recognises(*weights_from_memory({{name, at::zeros({8, 8, 3, 3})}}))) << name;
}

TEST(KlFiles, AVideoDecoderBesideTheEncoderIsNotTaken) {
  Tensors tensors = tensors_of(*stored_case("kl_compvis").request.weights);
  tensors["first_stage_model.decoder.mid.block_1.time_stack.in_layers.2.weight"] = at::zeros({8, 8, 3, 1, 1});
  EXPECT_FALSE(kl::family().recognises(*weights_from_memory(tensors)));
}

TEST(KlFiles, GroupsThatDoNotDivideTheWidthAreRefused) {
  NetworkRequest request = stored_case("kl").request;
  request.config["norm_num_groups"] = "5";
  const auto error = expect_error<OptionError>([&] { kl::family().make_decoder(request); });
  EXPECT_EQ(error.detail().field, "norm_num_groups");
  EXPECT_EQ(error.detail().found, "5");
  for (const char* value : {"0", "-4", "many", "4.5", ""}) {
    request.config["norm_num_groups"] = value;
    expect_error<OptionError>([&] { kl::family().make_decoder(request); });
  }
}

TEST(KlFiles, OtherActivationsAreRefused) {
  NetworkRequest request = stored_case("kl").request;
  request.config["act_fn"] = "relu";
  EXPECT_EQ(expect_error<UnsupportedError>([&] { kl::family().make_decoder(request); }).detail().field, "act_fn");
}

}  // namespace
}  // namespace lightswitch
