#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>

#include <nlohmann/json.hpp>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/reference_case.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"
#include "support/weights.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;
using testing::stored_case;

std::shared_ptr<const Decoder> taming(const NetworkRequest& request) {
  static const DecoderRegistry registry(builtin_decoder_families());
  return registry.make_decoder(registry.family("taming"), request);
}

/// A layer in the middle overflows in any dtype. oneDNN's ReLU makes zeros of what comes of that: without a look the
/// picture is finite, and wrong.
const std::string kSteep = "decoder.layers.8.conv.2";

NetworkRequest steep_in_the_middle(DType dtype) {
  NetworkRequest request = stored_case("taming").request;
  request.dtype = dtype;
  testing::Tensors tensors = testing::tensors_of(*request.weights);
  for (const char* part : {".weight", ".bias"}) {
    at::Tensor& steep = tensors.at(kSteep + part);
    steep = at::full(steep.sizes(), 3e38);
  }
  return testing::with_tensors(std::move(request), std::move(tensors));
}

class Overflow : public ::testing::TestWithParam<DType> {};

TEST_P(Overflow, InTheMiddleOfANetworkIsNoPictureButAnErrorThatNamesTheLayer) {
  const auto latents = stored_case("taming").decoder_input;
  const auto decoder = taming(steep_in_the_middle(GetParam()));
  EXPECT_EQ(expect_error<NumericError>([&] { decoder->forward(latents); }).detail().field, kSteep);
  EXPECT_EQ(decoder->first_non_finite_layer(latents), kSteep);
  const auto error = expect_error<NumericError>([&] { decode(*decoder, latents); });
  EXPECT_EQ(error.detail().field, "picture");
  EXPECT_TRUE(contains(error.what(), std::string("overflow in ") + to_string(GetParam())));
  EXPECT_TRUE(contains(error.detail().found, "first after " + kSteep));
}

TEST_P(Overflow, InTheMiddleOfANetworkIsTriedInAWiderDtype) {
  const testing::ReferenceCase stored = stored_case("taming");
  const auto steep = taming(steep_in_the_middle(GetParam()));
  int asked = 0;
  const OpenWider wider = [&](const NumericError&) {
    ++asked;
    return taming(stored.request);
  };
  const auto picture = decode(*steep, stored.decoder_input, {.wider = wider});
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(close(picture, decode(*taming(stored.request), stored.decoder_input), 0));
  // Tiles are decoded by other calls.
  expect_error<NumericError>([&] { decode(*steep, stored.decoder_input, {.tiles = {.size = 8}}); });
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Overflow, ::testing::Values(DType::fp32, DType::bf16),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

/// A diffusers folder whose first convolution makes numbers that fp16 does not have; the norm after it takes them back.
/// SDXL's decoder is of this kind.
class Fp16Overflow : public ::testing::Test {
 protected:
  Fp16Overflow() {
    auto stored = stored_case("kl");
    latents_ = stored.decoder_input;
    testing::Tensors tensors = testing::tensors_of(*stored.request.weights);
    at::Tensor &weight = tensors.at("decoder.conv_in.weight"), &bias = tensors.at("decoder.conv_in.bias");
    weight = weight.to(at::kFloat) * 1e6;
    bias = bias.to(at::kFloat) * 1e6;
    const at::Tensor z = at::conv2d(latents_, tensors.at("post_quant_conv.weight").to(at::kFloat),
                                    tensors.at("post_quant_conv.bias").to(at::kFloat));
    first_ = at::conv2d(z, weight, bias, 1, 1);
    save_safetensors(folder_ / "diffusion_pytorch_model.safetensors", tensors);
    for (const auto& [key, value] : stored.request.config) config_[key] = value;
  }

  void write_config(const std::string& force_upcast) const {
    nlohmann::json config;
    for (const auto& [key, value] : config_) config[key] = nlohmann::json::parse(value, nullptr, false);
    if (!force_upcast.empty()) config["force_upcast"] = nlohmann::json::parse(force_upcast);
    testing::write_file(folder_ / "config.json", config.dump());
  }

  std::shared_ptr<const Decoder> open(const std::string& options, DType dtype, std::vector<std::string>& told) const {
    static const DecoderRegistry registry(builtin_decoder_families());
    return open_decoder(NetworkSpec::parse(folder_.path().string() + options),
                        {.registry = registry, .dtype = dtype, .log = [&](const LogMessage& message) {
                           EXPECT_EQ(message.level, LogLevel::warning);
                           told.push_back(message.text);
                         }});
  }

  testing::TemporaryFolder folder_;
  Config config_;
  at::Tensor latents_, first_;
};

TEST_F(Fp16Overflow, IsAvoidedWhereTheConfigSaysForceUpcast) {
  ASSERT_TRUE(at::isinf(first_.to(at::kHalf)).any().item<bool>());
  write_config("true");
  std::vector<std::string> told;
  const auto by_option = open(",dtype=fp16", DType::automatic, told);
  const auto by_context = open("", DType::fp16, told);
  ASSERT_EQ(told.size(), 2);
  for (const auto& decoder : {by_option, by_context}) {
    const DType dtype = decoder->info().dtype;
    EXPECT_TRUE(dtype == DType::bf16 || dtype == DType::fp32);
    EXPECT_TRUE(contains(told[0], "force_upcast")) << told[0];
    EXPECT_TRUE(contains(told[0], std::string("computed in ") + to_string(dtype))) << told[0];
    const at::Tensor picture = decode(*decoder, latents_, {.kind = LatentKind::raw});
    const at::Tensor exact = decode(*open(",dtype=fp32", DType::automatic, told), latents_, {.kind = LatentKind::raw});
    EXPECT_TRUE(close(picture, exact, 0.05));
    EXPECT_GT(exact.std().item<double>(), 0.01);
  }
  EXPECT_EQ(told.size(), 2);  // fp32 is what was asked for
}

TEST_F(Fp16Overflow, IsNoOnesConcernWithoutForceUpcast) {
  std::vector<std::string> told;
  for (const char* value : {"", "false"}) {
    write_config(value);
    EXPECT_EQ(expect_error<UnsupportedError>([&] { open(",dtype=fp16", DType::automatic, told); }).detail().found,
              "fp16");
  }
  write_config("3");
  EXPECT_EQ(expect_error<OptionError>([&] { open("", DType::automatic, told); }).detail().field, "force_upcast");
  EXPECT_TRUE(told.empty());
}

}  // namespace
}  // namespace lightswitch
