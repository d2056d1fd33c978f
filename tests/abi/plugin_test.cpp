// Sound plug-ins: what the host makes of them.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/plugin_host.hpp>

#include <thread>
#include <vector>

#include "abi/plugins.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/network_contract.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

std::shared_ptr<const Decoder> open(const std::string& name, std::map<std::string, std::string> options = {}) {
  return open_plugin_decoder({fake_plugin(name), ""}, {.options = std::move(options)});
}

at::Tensor nearest(const at::Tensor& latents) {
  return at::upsample_nearest2d(latents.slice(1, 0, 3), {latents.size(2) * 2, latents.size(3) * 2});
}

bool is_loaded(const std::filesystem::path& plugin) {
  void* handle = ::dlopen(plugin.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (handle != nullptr) ::dlclose(handle);
  return handle != nullptr;
}

TEST(PluginSource, SplitsPluginFromWeights) {
  EXPECT_EQ(PluginSource::parse("dir/a.so")->plugin, "dir/a.so");
  EXPECT_EQ(PluginSource::parse("dir/a.so")->weights, "");
  EXPECT_EQ(PluginSource::parse("a.so:b:c.safetensors")->plugin, "a.so");
  EXPECT_EQ(PluginSource::parse("a.so:b:c.safetensors")->weights, "b:c.safetensors");
  for (const char* other : {"a.safetensors", ".so", "vae", "", "a.sound"}) EXPECT_FALSE(PluginSource::parse(other));
}

TEST(Plugin, SaysWhatItIs) {
  const PluginInfo info = describe_plugin(fake_plugin("good"));
  EXPECT_EQ(info.name, "fake");
  EXPECT_EQ(info.summary, "nearest upsampling");
  EXPECT_EQ(info.version, "1.0.0");
  EXPECT_EQ(info.abi, "1.0");
  ASSERT_EQ(info.options.size(), 2u);
  EXPECT_EQ(info.options[0].name, "gain");
  EXPECT_EQ(info.options[0].default_value, "1");
  EXPECT_EQ(info.extensions,
            (std::vector<std::string>{"lightswitch.tiling/1", "lightswitch.memory/1", "lightswitch.macs/1"}));
}

TEST(Plugin, DecodesAsItsSpecSays) {
  const auto decoder = open("good");
  EXPECT_EQ(decoder->info().family, "fake");
  EXPECT_EQ(decoder->info().configuration, "nearest");
  EXPECT_EQ(decoder->info().dtype, DType::fp32);
  EXPECT_EQ(decoder->spec().space, "fake");
  EXPECT_EQ(decoder->spec().factor, 2);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::diffusion);
  EXPECT_EQ(decoder->spec().output_range, OutputRange::unit);
  EXPECT_FALSE(decoder->spec().global_operations);
  EXPECT_EQ(decoder->spec().halo, 0);
  EXPECT_EQ(decoder->macs(5, 7), 3 * 5 * 7 * 4);
  const auto latents = random_tensor({2, 4, 5, 7});
  EXPECT_TRUE(close(decoder->forward(latents), nearest(latents), 0));
  EXPECT_TRUE(close(decoder->forward(latents.transpose(2, 3)), nearest(latents.transpose(2, 3)), 0));
  EXPECT_TRUE(close(decode(*decoder, latents), nearest(latents).clamp(0, 1), 0));
  EXPECT_TRUE(close(decode(*decoder, latents, {.tiles = {.size = 2}}), nearest(latents).clamp(0, 1), 0));
}

TEST(Plugin, KeepsTheContractOfADecoder) {
  const auto decoder = open("good");
  const auto latents = random_tensor({1, 4, 6, 6});
  expect_batch_equals_single(*decoder, latents);
  expect_thread_safe(*decoder, latents, nearest(latents), 0);
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(decoder->forward(latents, source.get_token()), Cancelled);
  EXPECT_TRUE(close(decoder->forward(latents), nearest(latents), 0));
  expect_error<TensorError>([&] { decoder->forward(at::zeros({1, 3, 4, 4})); });
}

TEST(Plugin, TakesItsOwnOptionsAndTheHosts) {
  const auto latents = random_tensor({1, 4, 3, 3});
  EXPECT_TRUE(close(open("good", {{"gain", "2"}})->forward(latents), nearest(latents) * 2, 1e-6));
  const auto decoder = open("good", {{"range", "signed"},
                                     {"latent-kind", "raw"},
                                     {"scaling-factor", "0.5"},
                                     {"shift-factor", "0.1"},
                                     {"space", "mine"},
                                     {"dtype", "fp32"}});
  EXPECT_EQ(decoder->spec().space, "mine");
  EXPECT_EQ(decoder->spec().output_range, OutputRange::signed_unit);
  EXPECT_EQ(decoder->spec().network_input, LatentKind::raw);
  EXPECT_EQ(decoder->spec().shift_factor, 0.1);
  const auto expected = (nearest(latents / 0.5 + 0.1) * 0.5 + 0.5).clamp(0, 1);
  EXPECT_TRUE(close(decode(*decoder, latents), expected, 1e-6));
}

TEST(Plugin, RefusesOptionsThatNobodyKnows) {
  const auto near = expect_error<OptionError>([] { open("good", {{"gian", "2"}}); });
  EXPECT_EQ(near.detail().field, "gian");
  EXPECT_TRUE(contains(near.detail().expected, "perhaps gain"));
  const auto far = expect_error<OptionError>([] { open("good", {{"zzzzzzzzzz", "2"}}); });
  EXPECT_TRUE(contains(far.detail().expected, "gain, unused, dtype, latent-kind"));
  expect_error<OptionError>([] { open("good", {{"family", "kl"}}); });
  expect_error<OptionError>([] { open("good", {{"dtype", "int4"}}); });
  expect_error<OptionError>([] { open("good", {{"latent-kind", "indices"}}); });
}

TEST(Plugin, IsNamedByASpec) {
  const DecoderRegistry registry;
  const NetworkContext context{.registry = registry};
  const auto spec = NetworkSpec::parse(fake_plugin("good").string() + ",gain=3,range=signed");
  const auto latents = random_tensor({1, 4, 3, 3});
  const auto decoder = open_decoder(spec, context);
  EXPECT_TRUE(close(decoder->forward(latents), nearest(latents) * 3, 1e-6));
  EXPECT_EQ(decoder->spec().output_range, OutputRange::signed_unit);
  const auto error = expect_error<UnsupportedError>([&] { open_encoder(spec, context); });
  EXPECT_TRUE(contains(error.detail().expected, "lightswitch.encode/1"));
}

TEST(Plugin, StaysLoadedAsLongAsItsNetworks) {
  const TemporaryFolder folder;
  const auto copy = folder / "copy.so";
  std::filesystem::copy_file(fake_plugin("good"), copy);
  auto first = open_plugin_decoder({copy, ""}), second = open_plugin_decoder({copy, ""});
  first.reset();
  EXPECT_TRUE(is_loaded(copy));
  const auto latents = random_tensor({1, 4, 3, 3});
  EXPECT_TRUE(close(second->forward(latents), nearest(latents), 0));
  second.reset();
  EXPECT_FALSE(is_loaded(copy));
}

TEST(Plugin, TwoAtOnceDoNotMeet) {
  const auto good = open("good"), newer = open("newer_minor"), adapted = open("adapted");
  const auto latents = random_tensor({1, 4, 3, 3});
  EXPECT_TRUE(close(good->forward(latents), nearest(latents), 0));
  EXPECT_TRUE(close(newer->forward(latents), nearest(latents), 0));
  EXPECT_EQ(adapted->forward(latents.slice(1, 0, 3)).size(3), 12);
  EXPECT_EQ(good->info().family, "fake");
  EXPECT_EQ(newer->info().family, "newer");
  // Their symbols are local: nobody else sees them.
  EXPECT_EQ(::dlsym(RTLD_DEFAULT, "lightswitch_plugin_entry"), nullptr);
}

TEST(Plugin, OneInTwoThreadsThatEachOpenIt) {
  const auto latents = random_tensor({1, 4, 8, 8});
  std::vector<at::Tensor> outputs(2);
  {
    std::vector<std::jthread> threads;
    for (at::Tensor& output : outputs)
      threads.emplace_back([&] {
        for (int round = 0; round < 20; ++round) output = open("good")->forward(latents);
      });
  }
  for (const at::Tensor& output : outputs) EXPECT_TRUE(close(output, nearest(latents), 0));
}

TEST(Plugin, OfALaterMinorVersionIsReadAsFarAsItIsKnown) {
  EXPECT_EQ(describe_plugin(fake_plugin("newer_minor")).abi, "1.99");
  EXPECT_EQ(open("newer_minor")->info().family, "newer");
}

}  // namespace
}  // namespace lightswitch
