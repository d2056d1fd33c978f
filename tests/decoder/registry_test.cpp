#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <algorithm>
#include <fstream>
#include <map>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/reference_file.hpp"
#include "support/temporary_folder.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

DecoderFamily family(std::string name, bool (*recognises)(const WeightSource&)) {
  DecoderFamily result;
  result.name = std::move(name);
  result.recognises = recognises;
  return result;
}

bool always(const WeightSource&) {
  return true;
}
bool never(const WeightSource&) {
  return false;
}

TEST(DecoderRegistry, HoldsTheBuiltInFamilies) {
  const DecoderRegistry registry(builtin_decoder_families());
  for (const char* name : {"kl", "vit", "taming"}) {
    EXPECT_EQ(registry.family(name).name, name);
    EXPECT_NE(registry.family(name).make_decoder, nullptr);
    EXPECT_FALSE(registry.family(name).summary.empty());
  }
}

TEST(DecoderRegistry, TwoObjectsKnowNothingOfEachOther) {
  DecoderRegistry one, two;
  one.add(family("mine", always));
  EXPECT_EQ(one.families().size(), 1u);
  EXPECT_TRUE(two.families().empty());
}

TEST(DecoderRegistry, RefusesANameTwice) {
  DecoderRegistry registry;
  registry.add(family("mine", always));
  EXPECT_EQ(expect_error<OptionError>([&] { registry.add(family("mine", never)); }).detail().field, "mine");
}

TEST(DecoderRegistry, UnknownFamilyListsTheKnownOnes) {
  const DecoderRegistry registry(builtin_decoder_families());
  const auto error = expect_error<OptionError>([&] { registry.family("kll"); });
  EXPECT_EQ(error.detail().expected, "kl, vqgan, svd, vit, taming, projection, routed");
  EXPECT_EQ(error.detail().found, "kll");
}

TEST(DecoderRegistry, RecognisesByKeysAndRefusesNoneOrTwo) {
  const auto weights = weights_from_memory({{"decoder.odd", at::zeros({1})}}, "odd.safetensors");
  DecoderRegistry registry;
  registry.add(family("no", never));
  const auto none = expect_error<WeightsError>([&] { registry.recognise(*weights); });
  EXPECT_EQ(none.detail().file, "odd.safetensors");
  EXPECT_TRUE(contains(none.detail().found, "decoder.odd"));
  registry.add(family("yes", always));
  EXPECT_EQ(registry.recognise(*weights).name, "yes");
  registry.add(family("also", always));
  const auto both = expect_error<WeightsError>([&] { registry.recognise(*weights); });
  EXPECT_EQ(both.detail().expected, "yes or also");
}

TEST(NetworkSpec, ReadsSourceAndOptions) {
  const auto spec = NetworkSpec::parse("dir/ex.safetensors,range=signed,dtype=bf16");
  EXPECT_EQ(spec.source, "dir/ex.safetensors");
  EXPECT_EQ(spec.options, (std::map<std::string, std::string>{{"range", "signed"}, {"dtype", "bf16"}}));
  EXPECT_TRUE(NetworkSpec::parse("vae").options.empty());
}

TEST(NetworkSpec, RefusesWhatItDoesNotUnderstand) {
  const auto unknown = expect_error<OptionError>([] { NetworkSpec::parse("vae,dtyp=bf16"); });
  EXPECT_EQ(unknown.detail().field, "dtyp");
  EXPECT_TRUE(contains(unknown.detail().expected, "perhaps dtype"));
  EXPECT_TRUE(
      contains(expect_error<OptionError>([] { NetworkSpec::parse("vae,zzzzzz=1"); }).detail().expected, "latent-kind"));
  expect_error<OptionError>([] { NetworkSpec::parse("vae,range=unit,range=signed"); });
  expect_error<OptionError>([] { NetworkSpec::parse("vae,range"); });
  expect_error<OptionError>([] { NetworkSpec::parse(""); });
  expect_error<OptionError>([] { NetworkSpec::parse(",range=unit"); });
}

class OpenDecoder : public ::testing::Test {
 protected:
  DecoderRegistry registry{builtin_decoder_families()};
  NetworkContext context{.registry = registry};
  TemporaryFolder folder;

  void open(const std::string& spec) const { open_decoder(NetworkSpec::parse(spec), context); }
};

TEST_F(OpenDecoder, NothingOfThatName) {
  const auto error = expect_error<FileError>([&] { open("vae"); });
  EXPECT_EQ(error.detail().field, "vae");
}

TEST_F(OpenDecoder, FolderWithoutWeights) {
  const auto error = expect_error<FileError>([&] { open(folder.path().string()); });
  EXPECT_TRUE(contains(error.detail().expected, "diffusion_pytorch_model.safetensors"));
}

TEST_F(OpenDecoder, TensorsOfNoFamily) {
  save_safetensors(folder / "x.safetensors", {{"unet.conv_in.weight", at::zeros({2, 2})}});
  const auto error = expect_error<WeightsError>([&] { open((folder / "x.safetensors").string()); });
  EXPECT_EQ(error.detail().file, (folder / "x.safetensors").string());
}

TEST_F(OpenDecoder, AnotherFamilyThanTheKeysShow) {
  const std::string file = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/fixtures/kl.safetensors";
  for (const std::string family : {"vit", "taming"}) {
    const auto error = expect_error<WeightsError>([&] { open(file + ",family=" + family); });
    EXPECT_EQ(error.detail().expected, "kl");
    EXPECT_TRUE(contains(error.detail().found, family + ", for which "));
  }
}

TEST_F(OpenDecoder, AMismatchInsideTheRightFamilyListsTheTensors) {
  auto tensors = tensors_of(*open_weights(std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/fixtures/kl.safetensors"));
  std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("reference."); });
  tensors.erase("decoder.conv_out.bias");
  tensors["decoder.conv_norm_out.bias"] = at::zeros({1});
  for (int i = 0; i < 12; ++i) tensors["decoder.stray." + std::to_string(i)] = at::zeros({1});
  save_safetensors(folder / "x.safetensors", tensors);
  std::ofstream(folder / "config.json") << "{\"norm_num_groups\": 4}";
  const std::string what = expect_error<WeightsError>([&] { open((folder / "x.safetensors").string()); }).what();
  EXPECT_TRUE(contains(what, "1 missing: decoder.conv_out.bias"));
  EXPECT_TRUE(contains(what, "1 misshapen: decoder.conv_norm_out.bias (expected [8], found [1])"));
  EXPECT_TRUE(contains(what, "12 unexpected: decoder.stray.0"));
  EXPECT_TRUE(contains(what, "and 2 more"));
  EXPECT_FALSE(contains(what, "another family"));
}

TEST_F(OpenDecoder, MalformedConfigBesideTheWeights) {
  save_safetensors(folder / "x.safetensors", {{"decoder.layers.0.weight", at::zeros({2, 2})}});
  std::ofstream(folder / "config.json") << "{\"scaling_factor\": ";
  const auto error = expect_error<FormatError>([&] { open((folder / "x.safetensors").string()); });
  EXPECT_EQ(error.detail().file, (folder / "config.json").string());
}

/// A file of each family, and the options that it alone has.
class FamilyOptions : public ::testing::TestWithParam<const char*> {
 protected:
  std::string file(const TemporaryFolder& folder) const {
    const std::string name = GetParam();
    if (name == "projection")
      save_safetensors(folder / "model.safetensors",
                       {{"latent_rgb.weight", at::zeros({3, 4, 1, 1})}, {"latent_rgb.bias", at::zeros({3})}});
    else
      write_stored_network(folder.path(), name == "vit" ? "vit_paper" : name);
    return folder.path().string();
  }
};

TEST_P(FamilyOptions, ThoseOfOthersAndUnknownOnesAreRefusedWithTheKnown) {
  const TemporaryFolder folder;
  const DecoderRegistry registry(builtin_decoder_families());
  const std::map<std::string, std::string> values{
      {"bn", "running"}, {"chunking", "separate"}, {"heavy-share", "0.5"}, {"snap", "off"}};
  for (const auto& [option, value] : values) {
    const auto open = [&] {
      return open_decoder(NetworkSpec::parse(file(folder) + "," + option + "=" + value), {.registry = registry});
    };
    const auto& own = registry.family(GetParam()).options;
    if (std::ranges::find(own, option) != own.end()) {
      EXPECT_NE(open(), nullptr);
      continue;
    }
    const auto error = expect_error<OptionError>(open);
    EXPECT_EQ(error.detail().field, option);
    EXPECT_TRUE(contains(error.what(), std::string("the family ") + GetParam())) << error.what();
    EXPECT_TRUE(contains(error.detail().expected, "dtype, family, latent-kind")) << error.what();
    for (const std::string& name : own) EXPECT_TRUE(contains(error.detail().expected, ", " + name));
  }
  const auto error = expect_error<OptionError>([&] { NetworkSpec::parse(file(folder) + ",snip=off"); });
  EXPECT_TRUE(contains(error.what(), "perhaps snap")) << error.what();
}

INSTANTIATE_TEST_SUITE_P(Every, FamilyOptions,
                         ::testing::Values("kl", "vqgan", "svd", "vit", "taming", "projection", "routed"),
                         [](const auto& each) { return std::string(each.param); });

TEST(OpenTemporalDecoder, OpensDecodersOfClipsAlone) {
  const DecoderRegistry registry(builtin_decoder_families());
  const NetworkContext context{.registry = registry, .dtype = DType::fp32};
  const TemporaryFolder folder;
  const std::string file = folder.path().string();
  for (const char* name : {"svd", "taming_taesdv", "taming_taehv", "taming_temporal"}) {
    write_stored_network(folder.path(), name);
    const auto spec = NetworkSpec::parse(file + ",space=clips");
    EXPECT_TRUE(decodes_clips(spec, context)) << name;
    const auto decoder = open_temporal_decoder(spec, context);
    EXPECT_EQ(decoder->spec().space, "clips");
    EXPECT_EQ(decoder->info().dtype, DType::fp32);
  }
  const auto open = [&](const std::string& spec) { open_temporal_decoder(NetworkSpec::parse(spec), context); };
  const std::map<std::string, std::string> families{{"kl", "kl"}, {"vqgan", "vqgan"}, {"vit_paper", "vit"}};
  for (const auto& [name, family] : families) {
    write_stored_network(folder.path(), name);
    EXPECT_FALSE(decodes_clips(NetworkSpec::parse(file), context)) << name;
    const auto error = expect_error<UnsupportedError>([&] { open(file); });
    EXPECT_EQ(error.detail().expected, "svd, taming");
    EXPECT_EQ(error.detail().found, family);
  }
  write_stored_network(folder.path(), "taming");
  EXPECT_FALSE(decodes_clips(NetworkSpec::parse(file), context));
  EXPECT_TRUE(contains(expect_error<WeightsError>([&] { open(file); }).what(), "of clips"));
  write_stored_network(folder.path(), "svd");
  write_file(folder / "config.json", R"({"force_upcast": true})");
  std::string told;
  const NetworkContext fp16{
      .registry = registry, .dtype = DType::fp16, .log = [&](const LogMessage& message) { told = message.text; }};
  EXPECT_NE(open_temporal_decoder(NetworkSpec::parse(file), fp16)->info().dtype, DType::fp16);
  EXPECT_TRUE(contains(told, "force_upcast"));
  const auto better = expect_error<WeightsError>([&] { open(file + ",family=taming"); });
  EXPECT_EQ(better.detail().expected, "svd");
}

TEST_F(OpenDecoder, UnusableDtype) {
  const std::string file = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/fixtures/kl.safetensors";
  EXPECT_EQ(expect_error<OptionError>([&] { open(file + ",dtype=int4"); }).detail().field, "dtype");
}

TEST(ReadConfig, FlattensNestedObjectsAndLists) {
  const TemporaryFolder folder;
  std::ofstream(folder / "config.json") << R"({"a": {"b": 1.5}, "list": [64, "x"], "flag": true, "none": null})";
  EXPECT_EQ(read_config(folder / "config.json"),
            (Config{{"a.b", "1.5"}, {"list.0", "64"}, {"list.1", "x"}, {"flag", "true"}}));
}

}  // namespace
}  // namespace lightswitch
