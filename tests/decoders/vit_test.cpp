#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>

#include "support/errors.hpp"
#include "support/family_contract.hpp"
#include "support/tensors.hpp"
#include "vit/vit.hpp"

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

/// The decoder of the paper (width 128x3, 256x3; depth 0, 5, 10, 0, 0, 0), without a number in it.
NetworkRequest paper_shapes() {
  Tensors tensors;
  const auto conv = [&](const std::string& name, std::vector<int64_t> shape, bool bias = true) {
    tensors[name + ".weight"] = weightless(shape);
    if (bias) tensors[name + ".bias"] = weightless({shape[0]});
  };
  conv("project_in.main.conv", {256, 4, 3, 3});
  for (const auto& [stage, in, depth] : {std::tuple{2, 256, 10}, std::tuple{1, 128, 5}}) {
    const std::string ops = "stages." + std::to_string(stage) + ".op_list.";
    conv(ops + "0.main.conv.conv", {512, in, 3, 3});
    for (int op = 1; op <= depth; ++op) {
      const std::string block = ops + std::to_string(op) + ".main.";
      conv(block + "conv1.conv", {128, 128, 3, 3});
      conv(block + "conv2.conv", {128, 128, 3, 3}, false);
      conv(block + "conv2.norm", {128});
      for (const char* statistic : {"running_mean", "running_var"})
        tensors[block + "conv2.norm." + statistic] = weightless({128});
      tensors[block + "conv2.norm.num_batches_tracked"] = at::zeros({}, at::kLong);
    }
  }
  conv("project_out.op_list.0", {128});
  conv("project_out.op_list.2.conv.conv", {12, 128, 3, 3});
  NetworkRequest request;
  request.dtype = DType::fp32;
  return with_tensors(std::move(request), std::move(tensors));
}

class VitStored : public ::testing::TestWithParam<const char*> {};

TEST_P(VitStored, EqualsTheReference) {
  testing::expect_parity(vit::family(), stored_case(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Cases, VitStored,
                         ::testing::Values("vit_paper", "vit_attention", "vit_diffusers", "vit_batch_statistics"),
                         [](const auto& tested) { return std::string(tested.param); });

class VitPython : public ::testing::TestWithParam<PythonCase> {};

TEST_P(VitPython, EqualsTheReference) {
  LIGHTSWITCH_EXPECT_PYTHON_PARITY(vit::family(), GetParam().config, GetParam().latent);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, VitPython,
    ::testing::Values(
        PythonCase{"paper", R"({"bare": true, "latent_channels": 4, "encoder": {"width": [8], "depth": [1]},
                                "decoder": {"width": [128, 128, 128, 256, 256, 256], "depth": [0, 5, 10, 0, 0, 0],
                                            "norm": "batch_norm", "act": "relu"}})",
                   "1x8x8"},
        // The published f32c32 "in" networks, narrower.
        PythonCase{"attention", R"({"latent_channels": 32,
            "encoder": {"width": [32, 64, 64, 128, 128], "depth": [0, 2, 2, 1, 1], "scales": [[], [], [], [], []],
                        "block": ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock"]},
            "decoder": {"width": [32, 64, 64, 128, 128], "depth": [0, 2, 2, 1, 1], "scales": [[], [], [], [], []],
                        "block": ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock"],
                        "norm": ["batch_norm", "batch_norm", "batch_norm", "rms_norm", "rms_norm"],
                        "act": ["relu", "relu", "relu", "silu", "silu"]}})",
                   "2x9x7"},
        // The published "sana" decoder, narrower: interpolation going up, multi-scale attention, RMS norm throughout.
        PythonCase{"interpolation", R"({"latent_channels": 8, "upsample_block_type": "interpolate",
            "encoder": {"width": [16, 32, 64], "depth": [1, 1, 1], "scales": [[], [], [5]],
                        "block": ["ResBlock", "ResBlock", "EfficientViTBlock"]},
            "decoder": {"width": [32, 64, 64], "depth": [2, 2, 2], "scales": [[], [5], [5]],
                        "block": ["ResBlock", "EfficientViTBlock", "EfficientViTBlock"],
                        "norm": "rms_norm", "act": "silu"}})",
                   "1x10x6"},
        PythonCase{"batch_norm_attention", R"({"batch_norm": true, "latent_channels": 4,
            "facts": {"encoder.act.2": "relu", "encoder.act.1": "silu"},
            "encoder": {"width": [16, 16, 32], "depth": [0, 1, 1], "scales": [[], [], []],
                        "block": ["ResBlock", "ResBlock", "EfficientViTBlock"]},
            "decoder": {"width": [16, 32, 64], "depth": [1, 1, 2], "scales": [[], [], [5]],
                        "block": ["ResBlock", "ResBlock", "EfficientViTBlock"], "norm": "batch_norm", "act": "relu"}})",
                   "1x8x8"},
        // 3 x 4 latents: fewer pixels than a head has channels, where upstream sums in another order.
        PythonCase{"few_pixels", R"({"latent_channels": 4,
            "encoder": {"width": [16, 32], "depth": [1, 1], "scales": [[], []], "block": ["ResBlock", "EfficientViTBlock"]},
            "decoder": {"width": [16, 64], "depth": [1, 2], "scales": [[], []], "norm": "rms_norm", "act": "silu",
                        "block": ["ResBlock", "EfficientViTBlock"]}})",
                   "2x3x4"},
        // f32c32 "in" and "mix" as diffusers stores them, a sixteenth as wide.
        PythonCase{"diffusers_in_mix", R"({"diffusers": true, "latent_channels": 8,
            "encoder": {"width": [8, 16, 32, 32, 64, 64], "depth": [0, 4, 8, 2, 2, 2],
                        "scales": [[], [], [], [], [], []],
                        "block": ["ResBlock", "ResBlock", "ResBlock",
                                  "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"]},
            "decoder": {"width": [8, 16, 32, 32, 64, 64], "depth": [0, 5, 10, 2, 2, 2],
                        "scales": [[], [], [], [], [], []],
                        "block": ["ResBlock", "ResBlock", "ResBlock",
                                  "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"],
                        "norm": ["batch_norm", "batch_norm", "batch_norm", "rms_norm", "rms_norm", "rms_norm"],
                        "act": ["relu", "relu", "relu", "silu", "silu", "silu"]}})",
                   "1x5x4"},
        // f32c32 "sana", a sixteenth as wide.
        PythonCase{"diffusers_sana", R"({"diffusers": true, "latent_channels": 8,
            "upsample_block_type": "interpolate", "downsample_block_type": "conv",
            "encoder": {"width": [8, 16, 32, 32, 64, 64], "depth": [2, 2, 2, 3, 3, 3],
                        "scales": [[], [], [], [5], [5], [5]],
                        "block": ["ResBlock", "ResBlock", "ResBlock",
                                  "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"]},
            "decoder": {"width": [8, 16, 32, 32, 64, 64], "depth": [3, 3, 3, 3, 3, 3],
                        "scales": [[], [], [], [5], [5], [5]], "norm": "rms_norm", "act": "silu",
                        "block": ["ResBlock", "ResBlock", "ResBlock",
                                  "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"]}})",
                   "2x4x3"},
        PythonCase{"upstream_sana", R"({"latent_channels": 8,
            "upsample_block_type": "interpolate", "downsample_block_type": "conv",
            "encoder": {"width": [8, 16, 32], "depth": [2, 2, 2], "scales": [[], [], [5]],
                        "block": ["ResBlock", "ResBlock", "EfficientViTBlock"]},
            "decoder": {"width": [8, 16, 32], "depth": [3, 3, 3], "scales": [[], [], [5]],
                        "block": ["ResBlock", "ResBlock", "EfficientViTBlock"], "norm": "rms_norm", "act": "silu"}})",
                   "1x6x6"},
        // What config.json alone can say.
        PythonCase{"diffusers_configured", R"({"diffusers": true, "latent_channels": 8, "attention_head_dim": 16,
            "decoder_in_shortcut": false, "encoder_out_shortcut": false, "decoder_conv_act_fn": "silu",
            "encoder": {"width": [16, 32], "depth": [1, 1], "scales": [[], []], "block": ["ResBlock", "EfficientViTBlock"]},
            "decoder": {"width": [16, 32], "depth": [2, 2], "scales": [[], []], "norm": ["rms_norm", "batch_norm"],
                        "act": ["relu", "relu"], "block": ["ResBlock", "EfficientViTBlock"]}})",
                   "2x5x7"},
        PythonCase{"batch_statistics", R"({"bare": true, "batch_statistics": true, "latent_channels": 4,
            "encoder": {"width": [8], "depth": [1]},
            "decoder": {"width": [32, 32, 32, 64, 64, 64], "depth": [0, 5, 10, 0, 0, 0],
                        "norm": "batch_norm", "act": "relu"}})",
                   "3x8x8"}),
    testing::kCaseName);

TEST(VitPython, TheShippedNetworkEqualsTheTrainedOne) {
  const auto made = testing::python_case("scenes", "{}", "2x16x16");
  if (!made) GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with diffusers";
  testing::expect_parity(vit::family(), *made);
}

TEST(Vit, PaperNetworkHasThePublishedSize) {
  const auto decoder = vit::family().make_decoder(paper_shapes());
  EXPECT_EQ(decoder->info().parameters, 6223500);
  EXPECT_EQ(decoder->info().configuration, "widths 128,128, depths 10,5, no attention");
  EXPECT_EQ(decoder->spec().factor, 8) << "six stages are configured, two upsample, and the output once more";
  EXPECT_NEAR(decoder->macs(64, 64) / 1e9, 160.4, 0.1);
  EXPECT_NEAR(decoder->macs(32, 32) / 1e9, 40.1, 0.1);
}

TEST(Vit, CountingTouchesNoData) {
  EXPECT_GT(vit::family().make_decoder(paper_shapes())->macs(1 << 22, 1 << 22), int64_t{1} << 60);
}

TEST(Vit, CountsAttention) {
  const auto decoder = vit::family().make_decoder(stored_case("vit_attention").request);
  const int64_t pixels = 6 * 7;
  const int64_t context = 32 * 96 + 96 * 25 + 96 * 32 + 2 * 66 * 32 + 64 * 32;  // qkv, two of aggreg, sums, proj
  const int64_t local = 32 * 256 + 256 * 9 + 128 * 32;
  const int64_t input = 9 * 4 * 32;
  const int64_t middle = 9 * 32 * 32 + 4 * 2 * 9 * 8 * 8;  // upsampler to 8 channels, one ResBlock
  const int64_t output = 4 * 9 * 8 * 12;                   // to 3 channels at twice that size
  EXPECT_EQ(decoder->macs(6, 7), pixels * (context + local + input + middle + output));
}

TEST(Vit, SpecFollowsFileAndConfiguration) {
  NetworkRequest request = stored_case("vit_attention").request;
  auto decoder = vit::family().make_decoder(request);
  EXPECT_EQ(decoder->spec().factor, 4);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::raw) << "an autoencoder's own decoder";
  EXPECT_EQ(decoder->spec().output_range, OutputRange::signed_unit);
  EXPECT_TRUE(decoder->spec().global_operations);
  EXPECT_EQ(decoder->info().family, "vit");
  EXPECT_EQ(decoder->info().configuration, "widths 32,8, depths 1,1, attention blocks 1,0");
  request.config["latent_kind"] = "diffusion";
  request.config["scaling_factor"] = "0.41407";
  request.config["output_range"] = "unit";
  for (const LatentSpec& spec :
       {vit::family().make_decoder(request)->spec(), vit::family().make_encoder(request)->spec()}) {
    EXPECT_EQ(spec.channels, 4);
    EXPECT_EQ(spec.factor, 4);
    EXPECT_EQ(spec.network_input, LatentKind::diffusion);
    EXPECT_EQ(spec.scaling_factor, 0.41407);
    EXPECT_EQ(spec.output_range, OutputRange::unit);
  }
  decoder = vit::family().make_decoder(stored_case("vit_paper").request);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::diffusion) << "a decoder alone, trained on a denoiser's latents";
  EXPECT_FALSE(decoder->spec().global_operations);
}

TEST(Vit, HaloIsTheReachOfALatent) {
  EXPECT_EQ(vit::family().make_decoder(paper_shapes())->spec().halo, 16);
  const auto decoder = vit::family().make_decoder(stored_case("vit_paper").request);
  const int64_t halo = decoder->spec().halo, size = 2 * halo + 3, middle = halo + 1;
  const at::Tensor latents = testing::random_tensor({1, 4, 1, size}, 3);
  at::Tensor changed = latents.clone();
  changed.select(3, middle).add_(2.0);
  const at::Tensor difference = (decoder->forward(changed) - decoder->forward(latents)).abs().amax({0, 1, 2});
  const at::Tensor per_latent = difference.view({size, 8}).amax(1);
  EXPECT_EQ(per_latent[0].item<double>(), 0) << "a latent further away than the halo was seen";
  EXPECT_EQ(per_latent[size - 1].item<double>(), 0);
  EXPECT_GT(per_latent[1].item<double>(), 0) << "the halo is larger than it need be";
}

TEST(Vit, BFloat16StaysCloseToFp32) {
  testing::expect_bf16_close(vit::family(), "vit_attention", 0.15);
}

TEST(Vit, BatchCancelAndThreads) {
  testing::expect_network_contract(vit::family(), "vit_attention", 256);
}

TEST(Vit, BatchStatisticsAreAChoiceAndSpanThePicture) {
  const auto reference = stored_case("vit_batch_statistics");
  ASSERT_EQ(reference.request.config.at("bn"), "batch");
  const auto batch = vit::family().make_decoder(reference.request);
  EXPECT_TRUE(batch->spec().global_operations);
  NetworkRequest request = reference.request;
  request.config["bn"] = "running";
  const auto running = vit::family().make_decoder(request);
  EXPECT_FALSE(running->spec().global_operations);
  EXPECT_EQ(running->info().parameters, batch->info().parameters);
  EXPECT_FALSE(close(running->forward(reference.decoder_input), reference.decoder_output, 0.05));

  // Tiles can borrow the statistics of the whole.
  const at::Tensor one = reference.decoder_input.narrow(0, 0, 1);
  const NormStatistics statistics = batch->shared_norms()->measure(one);
  EXPECT_EQ(statistics.size(), 3) << "one for every block";
  EXPECT_TRUE(close(batch->shared_norms()->forward_with(statistics, one), batch->forward(one), 1e-6));
}

TEST(Vit, BatchStatisticsAreRefusedWhereTheyMeanNothing) {
  NetworkRequest request = stored_case("vit_attention").request;
  request.config["bn"] = "batch";
  EXPECT_NO_THROW(vit::family().make_decoder(request));
  EXPECT_EQ(expect_error<OptionError>([&] { vit::family().make_encoder(request); }).detail().field, "bn")
      << "the encoder has RMS norm alone";
  request.config["bn"] = "eval";
  EXPECT_EQ(expect_error<OptionError>([&] { vit::family().make_decoder(request); }).detail().expected,
            "running or batch");
}

TEST(Vit, QueriesKeysAndValuesOfDiffusersAreThirdsOfOneConvolution) {
  // Rows moved from one map to the next must change nothing else: the three together are one tensor.
  const auto reference = stored_case("vit_diffusers");
  const Tensors tensors = tensors_of(*reference.request.weights);
  const std::string block = "decoder.up_blocks.2.0.attn.";
  const auto map = [&](const char* third) { return tensors.at(block + third + ".weight"); };
  EXPECT_EQ(map("to_q").sizes(), at::IntArrayRef({32, 32}));
  Tensors swapped = tensors;
  swapped[block + "to_q.weight"] = map("to_k");
  swapped[block + "to_k.weight"] = map("to_q");
  const auto decoder = vit::family().make_decoder(with_tensors(reference.request, swapped));
  EXPECT_FALSE(close(decoder->forward(reference.decoder_input), reference.decoder_output, 0.01));
}

TEST(Vit, LatentsThatSilenceEveryHeadGiveNumbers) {
  // No query and no key is positive: the attention's weights sum to zero.
  NetworkRequest request = stored_case("vit_attention").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors["decoder.stages.2.op_list.0.context_module.main.qkv.conv.weight"] = at::zeros({96, 32, 1, 1});
  const auto decoder = vit::family().make_decoder(with_tensors(request, tensors));
  EXPECT_TRUE(decoder->forward(testing::random_tensor({1, 4, 5, 5})).isfinite().all().item<bool>());
}

TEST(VitFiles, MissingUnexpectedAndMisshapenTensorsAreAllListed) {
  testing::expect_faults_listed(vit::family(), "vit_attention",
                                {.missing = "decoder.stages.2.op_list.0.local_module.main.depth_conv.conv.bias",
                                 .misshapen = "decoder.project_out.op_list.0.weight",
                                 .shape = {9},
                                 .expected = "[8]",
                                 .found = "[9]",
                                 .unexpected = {"decoder.stages.2.op_list.0.other.weight", "quant_conv.weight"}});
}

TEST(VitFiles, AMissingBlockIsNotTakenForAShallowerNetwork) {
  const NetworkRequest request = stored_case("vit_paper").request;
  Tensors tensors = tensors_of(*request.weights);
  std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("stages.2.op_list.1."); });
  const auto error = expect_error<WeightsError>([&] { vit::family().make_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "5 missing: stages.2.op_list.1.main."));
}

class VitFilesIn : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Cases, VitFilesIn, ::testing::Values("vit_attention", "vit_diffusers"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(VitFilesIn, EveryTensorIsNeeded) {
  const NetworkRequest request = stored_case(GetParam()).request;
  const Tensors all = tensors_of(*request.weights);
  for (const auto& [name, tensor] : all) {
    if (name.ends_with("num_batches_tracked")) continue;
    Tensors tensors = all;
    tensors.erase(name);
    const auto error = expect_error<WeightsError>([&] {
      const NetworkRequest changed = with_tensors(request, tensors);
      name.starts_with("decoder.") ? (void)vit::family().make_decoder(changed)
                                   : (void)vit::family().make_encoder(changed);
    });
    EXPECT_TRUE(contains(error.what(), "1 missing: " + name));
  }
}

TEST_P(VitFilesIn, EveryShapeIsChecked) {
  const NetworkRequest request = stored_case(GetParam()).request;
  const Tensors all = tensors_of(*request.weights);
  for (const auto& [name, tensor] : all) {
    if (name.ends_with("num_batches_tracked")) continue;
    for (int64_t axis = 0; axis < tensor.dim(); ++axis) {
      std::vector<int64_t> shape = tensor.sizes().vec();
      shape[axis] += 1;
      Tensors tensors = all;
      tensors[name] = at::zeros(shape);
      expect_error<WeightsError>([&] {
        const NetworkRequest changed = with_tensors(request, tensors);
        name.starts_with("decoder.") ? (void)vit::family().make_decoder(changed)
                                     : (void)vit::family().make_encoder(changed);
      });
    }
  }
}

TEST(VitFiles, HalvesThatAreNotThereAreRefused) {
  const NetworkRequest request = stored_case("vit_attention").request;
  Tensors tensors = tensors_of(*request.weights);
  std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("decoder."); });
  const NetworkRequest encoder_alone = with_tensors(request, tensors);
  EXPECT_TRUE(vit::family().recognises(*encoder_alone.weights));
  EXPECT_NO_THROW(vit::family().make_encoder(encoder_alone));
  EXPECT_TRUE(contains(expect_error<WeightsError>([&] { vit::family().make_decoder(encoder_alone); }).what(),
                       "no EfficientViT decoder"));
  const NetworkRequest decoder_alone = stored_case("vit_paper").request;
  EXPECT_TRUE(contains(expect_error<WeightsError>([&] { vit::family().make_encoder(decoder_alone); }).what(),
                       "no EfficientViT encoder"));
}

TEST(VitFiles, OtherFamiliesAreNotRecognised) {
  for (const char* name : {"decoder.layers.0.weight", "3.conv.0.weight", "decoder.mid_block.attentions.0.to_q.weight",
                           "decoder.up_blocks.0.resnets.1.conv1.weight", "up_blocks.0.1.conv1.weight", "stages.weight",
                           "stages.1.op_list.weight", "stages.99999999999999999999.op_list.0.main.conv1.conv.weight"}) {
    EXPECT_FALSE(vit::family().recognises(*weights_from_memory({{name, at::zeros({8, 8, 3, 3})}}))) << name;
  }
}

TEST(VitFiles, ConfigurationsThatContradictTheFileOrAreNotComputedAreRefused) {
  NetworkRequest request = stored_case("vit_attention").request;
  request.config["decoder.norm.1"] = "trms2d";
  const auto contradiction = expect_error<OptionError>([&] { vit::family().make_decoder(request); });
  EXPECT_EQ(contradiction.detail().field, "norm.1");
  EXPECT_EQ(contradiction.detail().expected, "bn2d");
  EXPECT_EQ(contradiction.detail().found, "trms2d");
  EXPECT_NO_THROW(vit::family().make_encoder(request)) << "the encoder's norms are its own";
  request = stored_case("vit_diffusers").request;
  request.config["decoder_norm_types.0"] = "batch_norm";
  EXPECT_EQ(expect_error<OptionError>([&] { vit::family().make_decoder(request); }).detail().found, "bn2d");
  request = stored_case("vit_diffusers").request;
  request.config["decoder_in_shortcut"] = "perhaps";
  EXPECT_EQ(expect_error<OptionError>([&] { vit::family().make_decoder(request); }).detail().field,
            "decoder_in_shortcut");
  request = stored_case("vit_attention").request;
  request.config = {{"act.2", "tanh"}};
  EXPECT_EQ(expect_error<UnsupportedError>([&] { vit::family().make_decoder(request); }).detail().found, "tanh");
}

TEST(VitFiles, ActivationsComeFromTheConfiguration) {
  const auto reference = stored_case("vit_attention");
  NetworkRequest request = reference.request;
  request.config["decoder.act.1"] = "silu";
  const at::Tensor changed = vit::family().make_decoder(request)->forward(reference.decoder_input);
  EXPECT_FALSE(close(changed, reference.decoder_output, 0.01));
}

TEST(VitFiles, HeadsThatDoNotDivideTheWidthAreRefused) {
  const NetworkRequest request = stored_case("vit_attention").request;
  Tensors tensors = tensors_of(*request.weights);
  tensors["decoder.stages.2.op_list.0.context_module.main.aggreg.0.1.weight"] = at::zeros({96, 20, 1, 1});
  const auto error = expect_error<WeightsError>([&] { vit::family().make_decoder(with_tensors(request, tensors)); });
  EXPECT_TRUE(contains(error.what(), "heads do not divide the width"));
}

}  // namespace
}  // namespace lightswitch
