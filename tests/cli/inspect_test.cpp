// `lightswitch inspect` and `lightswitch decoders`.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/reference_file.hpp"
#include "support/temporary_folder.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using testing::CommandRun;
using testing::contains;
using testing::run_command;
using testing::TemporaryFolder;
using Json = nlohmann::ordered_json;

const std::filesystem::path kFiles = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures" / "files";

/// The report on a sound file.
Json sound(const std::filesystem::path& path) {
  const CommandRun run = run_command({"inspect", path.string(), "--json", "-"});
  EXPECT_EQ(run.code, 0) << run.err;
  const Json report = testing::json_of(run);
  EXPECT_TRUE(report["problems"].empty());
  return report;
}

/// The report on a faulty one: exit code 1, and its first problem on standard error too.
Json faulty(const std::filesystem::path& path, const std::vector<std::string>& more = {}) {
  std::vector<std::string> all{"inspect", path.string(), "--json", "-"};
  all.insert(all.end(), more.begin(), more.end());
  const CommandRun run = run_command(all);
  EXPECT_EQ(run.code, 1);
  const Json report = testing::json_of(run);
  EXPECT_FALSE(report["problems"].empty());
  if (!report["problems"].empty()) {
    EXPECT_TRUE(contains(run.err, report["problems"][0].get<std::string>()));
  }
  return report;
}

TEST(Inspect, WeightsTellFamilySizeAndCost) {
  const TemporaryFolder folder;
  save_safetensors(folder / "tae.safetensors", testing::tiny_autoencoder(1), {{"author", "nobody"}});
  const Json report = sound(folder / "tae.safetensors");
  EXPECT_EQ(report["type"], "weights");
  EXPECT_EQ(report["family"], "taming");
  EXPECT_EQ(report["tensors"], 62);
  EXPECT_EQ(report["metadata"]["author"], "nobody");
  EXPECT_EQ(report["decoder"]["latents"]["channels"], 4);
  EXPECT_EQ(report["decoder"]["latents"]["factor"], 8);
  // conv_in, four blocks of three, three upsamplers, conv_out
  EXPECT_EQ(report["decoder"]["parameters"], (4 * 9 * 8 + 8) + 12 * (8 * 9 * 8 + 8) + 3 * 8 * 9 * 8 + (8 * 9 * 3 + 3));
  EXPECT_GT(report["decoder"]["gmac_512"], 0.1);
  EXPECT_GT(report["encoder"]["parameters"], 1000);
}

/// What decoders.md's table of evidence names, by stored network.
struct Recognised {
  const char* network;
  const char* family;
  const char* configuration;  ///< a part of it
};

class InspectRecognises : public ::testing::TestWithParam<Recognised> {};

TEST_P(InspectRecognises, FamilyAndConfigurationFromNamesAndShapes) {
  const TemporaryFolder folder;
  testing::write_stored_network(folder.path(), GetParam().network);
  const Json report = sound(folder.path());
  EXPECT_EQ(report["family"], GetParam().family);
  EXPECT_TRUE(contains(report["decoder"]["configuration"], GetParam().configuration)) << report.dump(2);
}

INSTANTIATE_TEST_SUITE_P(
    EveryRow, InspectRecognises,
    ::testing::Values(Recognised{"svd", "svd", ""}, Recognised{"kl", "kl", ""}, Recognised{"kl_old_names", "kl", ""},
                      Recognised{"vqgan", "vqgan", "codebook of 64"}, Recognised{"kl_compvis", "kl", ""},
                      Recognised{"vqgan_gumbel", "vqgan", "(Gumbel)"}, Recognised{"taming", "taming", "width 8"},
                      Recognised{"taming_original", "taming", "width 8"},
                      Recognised{"taming_pools", "taming", "with pooling"},
                      Recognised{"taming_temporal", "taming", "temporal middle"},
                      Recognised{"taming_taesdv", "taming", "sees the frame before"},
                      Recognised{"taming_taehv", "taming", "4 frames a latent"},
                      Recognised{"taming_taehv_wide", "taming", "4 frames a latent"},
                      Recognised{"vit_paper", "vit", ""}, Recognised{"vit_attention", "vit", ""},
                      Recognised{"vit_diffusers", "vit", ""}, Recognised{"projection", "projection", "5 channels"},
                      Recognised{"routed", "routed", "40 % heavy"}),
    [](const auto& each) { return std::string(each.param.network); });

TEST(Inspect, DecodersOfClipsTellHowTheyTakeThem) {
  const TemporaryFolder folder;
  testing::write_stored_network(folder.path(), "taming_taehv");
  const Json taehv = sound(folder.path())["decoder"]["clips"];
  EXPECT_EQ(taehv["frames_per_latent"], 4);
  EXPECT_EQ(taehv["frames_of_the_first"], 1);
  EXPECT_EQ(taehv["depends_on_chunks"], false);
  testing::write_stored_network(folder.path(), "svd");
  EXPECT_EQ(sound(folder.path())["decoder"]["clips"]["depends_on_chunks"], true);
  const CommandRun text = run_command({"inspect", folder.path().string()});
  EXPECT_TRUE(contains(text.out, "    chunks: frames see those of their own chunk alone")) << text.out;
  testing::write_stored_network(folder.path(), "kl");
  EXPECT_FALSE(sound(folder.path())["decoder"].contains("clips"));
}

TEST(Inspect, TensorsOfOtherPartsAreCounted) {
  const TemporaryFolder folder;
  const auto stored = testing::write_stored_network(folder.path(), "kl_compvis");
  auto tensors = testing::tensors_of(*stored.request.weights);
  const auto count = [&](const char* start) {
    return std::ranges::count_if(tensors, [&](const auto& each) { return each.first.starts_with(start); });
  };
  const int64_t encoder = count("first_stage_model.encoder."), denoiser = count("model.");
  ASSERT_GT(encoder, 0);
  for (const char* name : {"first_stage_model.loss.logvar", "first_stage_model.model_ema.decay", "model_ema.decay",
                           "model_ema.num_updates", "model.diffusion_model.out.weight"})
    tensors[name] = at::zeros({1});
  save_safetensors(folder / "model.safetensors", tensors);
  const Json skipped = sound(folder.path())["decoder"]["skipped_tensors"];
  EXPECT_EQ(skipped["first_stage_model.encoder."], encoder);
  EXPECT_EQ(skipped["first_stage_model.loss."], 1);
  EXPECT_EQ(skipped["first_stage_model.model_ema."], 1);
  EXPECT_EQ(skipped["model_ema."], 2);
  EXPECT_EQ(skipped["model."], denoiser + 1);
  const CommandRun text = run_command({"inspect", folder.path().string()});
  EXPECT_TRUE(contains(text.out, "  skipped_tensors\n")) << text.out;
  EXPECT_TRUE(contains(text.out, "    model_ema.: 2\n")) << text.out;
}

TEST(Inspect, TheTextSaysTheSame) {
  const TemporaryFolder folder;
  save_safetensors(folder / "tae.safetensors", testing::tiny_autoencoder(1));
  const CommandRun run = run_command({"inspect", (folder / "tae.safetensors").string()});
  EXPECT_EQ(run.code, 0);
  EXPECT_TRUE(contains(run.out, "type: weights\n"));
  EXPECT_TRUE(contains(run.out, "family: taming\n"));
  EXPECT_TRUE(contains(run.out, "  parameters: "));
}

TEST(Inspect, MissingTensorsAreTold) {
  const TemporaryFolder folder;
  auto weights = testing::tiny_autoencoder(1);
  weights.erase("decoder.layers.5.conv.2.weight");
  save_safetensors(folder / "tae.safetensors", weights);
  const Json report = faulty(folder / "tae.safetensors");
  EXPECT_EQ(report["family"], "taming");
  EXPECT_TRUE(contains(report["problems"][0], "layers.5.conv.2.weight"));
}

TEST(Inspect, AForeignFileIsNoFamilys) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {{"bert.embeddings", at::zeros({4, 4})}});
  EXPECT_TRUE(contains(faulty(folder / "a.safetensors")["problems"][0], "no decoder family"));
  EXPECT_TRUE(contains(faulty(folder / "a.safetensors", {"--as", "kl"})["problems"][0], "a.safetensors"));
  EXPECT_TRUE(contains(faulty(folder / "a.safetensors", {"--as", "klx"})["problems"][0], "unknown decoder family"));
}

TEST(Inspect, LatentFiles) {
  const TemporaryFolder folder;
  LatentFile content;
  content.latents = at::ones({2, 4, 3, 5});
  content.latents[0][0][0][0] = 3;
  content.space = "sd1";
  content.prompt = "a red house";
  content.seed = 9;
  write_latents(folder / "z.safetensors", content);
  const Json report = sound(folder / "z.safetensors");
  EXPECT_EQ(report["type"], "latents");
  EXPECT_EQ(report["shape"], (Json{2, 4, 3, 5}));
  EXPECT_EQ(report["space"], "sd1");
  EXPECT_EQ(report["prompt"], "a red house");
  EXPECT_EQ(report["seed"], 9);
  EXPECT_NEAR(report["mean"], 1 + 2.0 / 120, 1e-9);
}

TEST(Inspect, LatentsThatAreNotNumbersAreAProblem) {
  const TemporaryFolder folder;
  LatentFile content;
  content.latents = at::full({1, 4, 2, 2}, std::numeric_limits<float>::infinity());
  write_latents(folder / "z.safetensors", content);
  EXPECT_TRUE(contains(faulty(folder / "z.safetensors")["problems"][0], "NaN or infinity"));
}

TEST(Inspect, PicturesShowTheirText) {
  const TemporaryFolder folder;
  write_image(folder / "a.png", at::zeros({3, 5, 7}), {.text = {{"parameters", "a red house"}}});
  const Json report = sound(folder / "a.png");
  EXPECT_EQ(report["type"], "picture");
  EXPECT_EQ(report["width"], 7);
  EXPECT_EQ(report["height"], 5);
  EXPECT_EQ(report["text"]["parameters"], "a red house");
}

TEST(Inspect, ACheckpointTellsWhereItsTensorsWere) {
  const Json report = sound(kFiles / "vit_paper.ckpt");
  EXPECT_EQ(report["type"], "weights");
  EXPECT_EQ(report["format"], "PyTorch checkpoint");
  EXPECT_EQ(report["family"], "vit");
  EXPECT_EQ(report["metadata"]["level"], "state_dict");
  EXPECT_EQ(report["metadata"]["checkpoint.epoch"], "3");
  EXPECT_TRUE(contains(report["metadata"]["passed over, not executed"], "argparse.Namespace"));
}

TEST(Inspect, FoldersOpenAsTheirWeights) {
  const TemporaryFolder folder;
  save_safetensors(folder / "part-1.safetensors", testing::tiny_autoencoder(1));
  Json map = Json::object();
  for (const auto& [name, tensor] : testing::tiny_autoencoder(1)) map[name] = "part-1.safetensors";
  testing::write_file(folder / "diffusion_pytorch_model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  const Json report = sound(folder.path());
  EXPECT_EQ(report["format"], "sharded safetensors");
  EXPECT_EQ(report["file"], "diffusion_pytorch_model.safetensors.index.json");
  EXPECT_EQ(report["family"], "taming");
  EXPECT_EQ(report["tensors"], 62);
}

TEST(Inspect, WhatCannotBeReadComesWithAdvice) {
  EXPECT_TRUE(contains(faulty(kFiles / "legacy.pth")["problems"][0], "torch.save(torch.load("));
  EXPECT_TRUE(contains(faulty(kFiles / "module.pth")["problems"][0], "save its state_dict() instead"));
  EXPECT_TRUE(contains(faulty(kFiles / "vit_paper.ckpt", {"--as", "kl"})["problems"][0],
                       "belong to another family: expected vit, found kl"));
}

TEST(Inspect, UnknownFilesAreNamedForWhatTheyLookLike) {
  const TemporaryFolder folder;
  testing::write_file(folder / "a.safetensors", "<!DOCTYPE html><html></html>");
  const Json report = faulty(folder / "a.safetensors");
  EXPECT_EQ(report["type"], "unknown");
  EXPECT_TRUE(contains(report["problems"][0], "HTML"));
  faulty(testing::write_file(folder / "empty", ""));
  EXPECT_EQ(faulty(folder.path())["type"], "folder");
}

TEST(Inspect, AMissingPathIsAFailure) {
  const CommandRun run = run_command({"inspect", "no/such/file"});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "no/such/file"));
}

class PackageTest : public ::testing::Test {
 protected:
  PackageTest() { testing::write_small_package(folder_.path()); }
  TemporaryFolder folder_;
};

TEST_F(PackageTest, ASoundPackage) {
  const Json report = sound(folder_.path());
  EXPECT_EQ(report["type"], "package");
  EXPECT_EQ(report["name"], "small");
  EXPECT_EQ(report["latent_spaces"], Json{"small"});
  EXPECT_EQ(report["default_decoder"], "tae");
  EXPECT_EQ(report["decoders"].size(), 2u);
}

TEST_F(PackageTest, AChangedFileIsNamed) {
  std::string bytes = testing::read_file(folder_ / "denoiser.pt");
  bytes[bytes.size() / 2] ^= 1;
  testing::write_file(folder_ / "denoiser.pt", bytes);
  EXPECT_TRUE(contains(faulty(folder_.path())["problems"][0], "denoiser.pt: sha256"));
}

TEST_F(PackageTest, ATorchScriptPartSaysSo) {
  const Json report = sound(folder_ / "denoiser.pt");
  EXPECT_EQ(report["type"], "torchscript");
}

TEST_F(PackageTest, DecodersAreListed) {
  const CommandRun run = run_command({"decoders", "-m", folder_.path().string()});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(contains(run.out, "decoders of small (default: tae)"));
  for (const char* word : {"other", "taming", "other.safetensors", "GMAC at 512", "kl ", "vit "})
    EXPECT_TRUE(contains(run.out, word));
}

TEST_F(PackageTest, DecodersAsJson) {
  const Json report = testing::json_of(run_command({"decoders", "-m", folder_.path().string(), "--json", "-"}));
  ASSERT_EQ(report["decoders"].size(), 2u);
  const Json& tae = report["decoders"][1];
  EXPECT_EQ(tae["name"], "tae");
  EXPECT_EQ(tae["family"], "taming");
  EXPECT_EQ(tae["space"], "small");
  EXPECT_GT(tae["parameters"], 1000);
  EXPECT_GT(tae["gmac_512"], 0.1);
  EXPECT_EQ(report["families"].size(), builtin_decoder_families().size());
}

TEST_F(PackageTest, AModelIsFoundByNameUnderTheNamedRoot) {
  ::setenv("LIGHTSWITCH_MODELS", folder_.path().parent_path().c_str(), 1);
  const CommandRun run = run_command({"decoders", "-m", folder_.path().filename().string()});
  ::unsetenv("LIGHTSWITCH_MODELS");
  EXPECT_EQ(run.code, 0) << run.err;
}

}  // namespace
}  // namespace lightswitch
