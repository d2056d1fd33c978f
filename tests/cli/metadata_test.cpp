#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/version.h>

#include <nlohmann/json.hpp>

#include "cli/picture_metadata.hpp"

namespace lightswitch::cli {
namespace {

TextToImageOptions request() {
  TextToImageOptions options;
  options.prompt = "a red house, night";
  options.negative_prompt = "people";
  options.width = 128;
  options.height = 96;
  options.steps = 25;
  options.cfg_scale = 4.5;
  options.sampling_method = "dpm++2m";
  options.seed = 7;
  return options;
}

RunReport report(const std::string& decoder) {
  RunReport run;
  run.command = "image";
  run.seed = 7;
  run.network = decoder;
  run.info = {.family = "kl", .configuration = "", .parameters = 123, .dtype = DType::fp32};
  run.timings.add("denoise", 10);
  return run;
}

TEST(PictureMetadata, ParametersReadAsInTheWebui) {
  const ImageText text = picture_metadata(request(), 2, "scenes", report("vae"), {});
  EXPECT_EQ(text.at("parameters"),
            "a red house, night\nNegative prompt: people\n"
            "Steps: 25, Sampler: DPM++ 2M, CFG scale: 4.5, Seed: 9, Size: 128x96, Model: scenes, VAE: vae, "
            "Version: lightswitch " LIGHTSWITCH_VERSION);
}

TEST(PictureMetadata, ValuesWithCommasAreQuotedAndStrengthIsTold) {
  TextToImageOptions options = request();
  options.negative_prompt = "";
  options.sampling_method = "unheard-of";
  options.init_image = at::zeros({3, 96, 128});
  options.strength = 0.6;
  const std::string text = picture_metadata(options, 0, "scenes", report("vae,dtype=fp32"), {}).at("parameters");
  EXPECT_EQ(
      text,
      "a red house, night\n"
      "Steps: 25, Sampler: unheard-of, CFG scale: 4.5, Seed: 7, Size: 128x96, Model: scenes, VAE: \"vae,dtype=fp32\", "
      "Denoising strength: 0.6, Version: lightswitch " LIGHTSWITCH_VERSION);
}

TEST(PictureMetadata, JsonHoldsEverythingThatMadeThePicture) {
  const auto json =
      nlohmann::json::parse(picture_metadata(request(), 2, "scenes", report("vae"), {}).at("lightswitch"));
  EXPECT_EQ(json["prompt"], "a red house, night");
  EXPECT_EQ(json["negative_prompt"], "people");
  EXPECT_EQ(json["seed"], 9);
  EXPECT_EQ(json["width"], 128);
  EXPECT_EQ(json["height"], 96);
  EXPECT_EQ(json["steps"], 25);
  EXPECT_EQ(json["cfg_scale"], 4.5);
  EXPECT_EQ(json["sampling_method"], "dpm++2m");
  EXPECT_EQ(json["model"], "scenes");
  EXPECT_EQ(json["version"], LIGHTSWITCH_VERSION);
  EXPECT_EQ(json["decoder"], (nlohmann::json{{"name", "vae"}, {"family", "kl"}, {"parameters", 123}}));
  EXPECT_FALSE(json.contains("strength"));
}

TEST(PictureMetadata, BrokenUtf8InAPromptStillMakesJson) {
  TextToImageOptions options = request();
  options.prompt = "caf\xe9";
  const std::string text = picture_metadata(options, 0, "scenes", report("vae"), {}).at("lightswitch");
  EXPECT_EQ(nlohmann::json::parse(text)["prompt"], "caf\xef\xbf\xbd");
}

}  // namespace
}  // namespace lightswitch::cli
