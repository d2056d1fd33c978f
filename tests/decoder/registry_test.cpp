#include <gtest/gtest.h>
#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>

#include <fstream>

#include "support/errors.hpp"
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
  EXPECT_EQ(error.detail().expected, "kl, vqgan, svd, vit, taming, projection");
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

TEST_F(OpenDecoder, OptionsOfAnotherFamilyAreRefused) {
  const std::string fixtures = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/fixtures/";
  const auto error = expect_error<OptionError>([&] { open(fixtures + "kl.safetensors,bn=batch"); });
  EXPECT_EQ(error.detail().field, "bn");
  EXPECT_EQ(error.detail().found, "kl");
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
