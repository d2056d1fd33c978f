// The plug-ins that this build makes for users: the template, and the built-in families once more as shared libraries.

#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/plugin_host.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <nlohmann/json.hpp>

#include "abi/plugins.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/reference_file.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

TEST(TemplatePlugin, MixesChannelsIntoSquares) {
  const auto decoder = open_plugin_decoder({bundled_plugin("template"), ""});
  EXPECT_EQ(decoder->spec().channels, 4);
  EXPECT_EQ(decoder->spec().factor, 8);
  const auto zero = decode(*decoder, at::zeros({1, 4, 2, 3}));
  EXPECT_TRUE(close(zero, at::full({1, 3, 16, 24}, 0.5), 1e-6));
  // Linear in the latents, and a square of 8x8 equal pixels for each.
  const auto latents = random_tensor({2, 4, 3, 2});
  const auto picture = decoder->forward(latents);
  EXPECT_TRUE(close(decoder->forward(latents * 2) - 0.5, (picture - 0.5) * 2, 1e-6));
  EXPECT_TRUE(close(at::upsample_nearest2d(at::avg_pool2d(picture, 8), {24, 16}), picture, 1e-6));
  EXPECT_TRUE(close(decode(*decoder, latents, {.tiles = {.size = 1}}), decode(*decoder, latents), 0));
}

TEST(TemplatePlugin, RefusesWhatItWouldHaveToIgnore) {
  const PluginSource plugin{bundled_plugin("template"), ""};
  EXPECT_TRUE(contains(
      expect_error<OptionError>([&] { open_plugin_decoder(plugin, {.options = {{"contrast", "much"}}}); }).what(),
      "found much"));
  expect_error<UnsupportedError>([&] { open_plugin_decoder(plugin, {.dtype = DType::bf16}); });
  expect_error<OptionError>([&] { open_plugin_decoder({plugin.plugin, "w.safetensors"}); });
}

TEST(ProjectionPlugin, IsTheFamilyAgain) {
  const TemporaryFolder folder;
  save_safetensors(folder / "w.safetensors",
                   {{"latent_rgb.weight", random_tensor({3, 4, 1, 1}, 1)}, {"latent_rgb.bias", random_tensor({3}, 2)}});
  const DecoderRegistry registry(builtin_decoder_families());
  const auto linked =
      registry.family("projection")
          .make_decoder({.weights = open_weights(folder / "w.safetensors"), .config = {}, .dtype = DType::fp32});
  const PluginSource source{bundled_plugin("projection"), (folder / "w.safetensors").string()};
  const auto loaded = open_plugin_decoder(source, {.dtype = DType::fp32});
  const auto latents = random_tensor({2, 4, 3, 5}, 3);
  EXPECT_TRUE(close(loaded->forward(latents), linked->forward(latents), 0));
  EXPECT_EQ(loaded->spec().halo, 0);
  EXPECT_FALSE(loaded->spec().global_operations);
  expect_error<UnsupportedError>([&] { open_plugin_encoder(source); });
}

/// The same sources, linked in and loaded.
class FamilyPlugin : public ::testing::TestWithParam<const char*> {
 protected:
  /// The stored case as files a user would have: weights, and a config.json beside them.
  FamilyPlugin() {
    save_safetensors(folder_ / "w.safetensors", tensors_of(*reference_.request.weights));
    write_file(folder_ / "config.json", nlohmann::json(reference_.request.config).dump());
    source_ = {bundled_plugin(family_), (folder_ / "w.safetensors").string()};
  }

  const std::string fixture_ = GetParam();
  const std::string family_ = fixture_.substr(0, fixture_.find('_'));
  const ReferenceCase reference_ = load_reference_case(std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" /
                                                       "fixtures" / (fixture_ + ".safetensors"));
  const TemporaryFolder folder_;
  PluginSource source_;
  const PluginSettings settings_{.dtype = DType::fp32};
};

TEST_P(FamilyPlugin, DecodesAndEncodesAsTheReferenceDoes) {
  const auto decoder = open_plugin_decoder(source_, settings_);
  const DecoderRegistry registry(builtin_decoder_families());
  const auto linked = registry.family(family_).make_decoder(reference_.request);
  const auto picture = decoder->forward(reference_.decoder_input);
  EXPECT_TRUE(close(picture, reference_.decoder_output, 1e-4));
  EXPECT_TRUE(close(picture, linked->forward(reference_.decoder_input), 1e-6));
  EXPECT_EQ(decoder->info().parameters, linked->info().parameters);
  EXPECT_EQ(decoder->info().configuration, linked->info().configuration);
  EXPECT_EQ(decoder->macs(8, 8), linked->macs(8, 8));
  EXPECT_EQ(decoder->spec().halo, linked->spec().global_operations ? 0 : linked->spec().halo);
  EXPECT_EQ(decoder->spec().scaling_factor, linked->spec().scaling_factor);
  if (!reference_.encoder_input.defined()) return;
  const auto encoder = open_plugin_encoder(source_, settings_);
  EXPECT_TRUE(close(encoder->forward(reference_.encoder_input), reference_.encoder_output, 1e-4));
}

TEST_P(FamilyPlugin, IsAsStrictAsTheFamily) {
  auto tensors = tensors_of(*reference_.request.weights);
  tensors["decoder.surprise"] = at::zeros({1});
  save_safetensors(folder_ / "w.safetensors", tensors);
  EXPECT_TRUE(contains(expect_error<WeightsError>([&] { open_plugin_decoder(source_, settings_); }).what(),
                       "decoder.surprise"));
  source_.weights = (folder_ / "missing.safetensors").string();
  expect_error<FileError>([&] { open_plugin_decoder(source_, settings_); });
  source_.weights.clear();
  expect_error<OptionError>([&] { open_plugin_decoder(source_, settings_); });
}

TEST_P(FamilyPlugin, SharesNormsAndTellsItsMemory) {
  const auto decoder = open_plugin_decoder(source_, settings_);
  const DecoderRegistry registry(builtin_decoder_families());
  const auto linked = registry.family(family_).make_decoder(reference_.request);
  EXPECT_EQ(decoder->activation_bytes(8, 9), linked->activation_bytes(8, 9));
  EXPECT_TRUE(decoder->activation_bytes(8, 9).has_value());
  ASSERT_EQ(decoder->shared_norms() != nullptr, linked->shared_norms() != nullptr);
  if (!decoder->spec().global_operations) return;
  const auto latents = random_tensor({1, decoder->spec().channels, 12, 9}, 4);
  const DecodeOptions tiled{.kind = LatentKind::raw, .tiles = {.size = 6}};
  const auto picture = decode(*decoder, latents, tiled);
  EXPECT_TRUE(close(picture, decode(*linked, latents, tiled), 1e-6));
  EXPECT_FALSE(close(picture, decode(*decoder, latents, {.kind = LatentKind::raw}), 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Bundled, FamilyPlugin, ::testing::Values("kl", "vit_paper", "taming"),
                         [](const auto& each) { return std::string(each.param); });

/// Also the abilities that few families have.
class CodebookPlugin : public FamilyPlugin {};

TEST_P(CodebookPlugin, IndicesCrossTheBoundary) {
  const auto decoder = open_plugin_decoder(source_, settings_);
  const auto encoder = open_plugin_encoder(source_, settings_);
  ASSERT_GT(decoder->spec().codebook, 0);
  const auto indices = encoder->to_indices(reference_.decoder_input);
  EXPECT_TRUE(close(decoder->forward(indices), reference_.decoder_output, 1e-4));
  expect_error<TensorError>([&] { decoder->forward(at::full({1, 2, 2}, decoder->spec().codebook, at::kLong)); });
  EXPECT_EQ(encode(*encoder, reference_.encoder_input.sigmoid(), LatentKind::indices).scalar_type(), at::kLong);
}

INSTANTIATE_TEST_SUITE_P(Bundled, CodebookPlugin, ::testing::Values("vqgan"),
                         [](const auto& each) { return std::string(each.param); });

class ClipPlugin : public FamilyPlugin {};

TEST_P(ClipPlugin, FramesEqualThoseOfTheLinkedFamily) {
  const DecoderRegistry registry(builtin_decoder_families());
  const auto linked = registry.family(family_).make_temporal_decoder(reference_.request);
  const auto loaded = open_plugin_temporal_decoder(source_, settings_);
  EXPECT_EQ(loaded->depends_on_chunks(), linked->depends_on_chunks());
  EXPECT_EQ(loaded->info().parameters, linked->info().parameters);
  EXPECT_EQ(loaded->macs(3, 8, 8), linked->macs(3, 8, 8));
  EXPECT_EQ(loaded->frames(3), linked->frames(3));
  const auto latents = random_tensor({linked->spec().channels, 6, 4, 5}, 5);
  const auto ours = linked->begin(), theirs = loaded->begin();
  for (const int64_t begin : {0, 4})
    EXPECT_TRUE(close(theirs->push(latents.narrow(1, begin, begin == 0 ? 4 : 2)),
                      ours->push(latents.narrow(1, begin, begin == 0 ? 4 : 2)), 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Bundled, ClipPlugin, ::testing::Values("svd", "taming_taehv", "taming_temporal"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace lightswitch
