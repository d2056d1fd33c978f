// `lightswitch image` from prompt to files, on a model of a few hundred weights.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/weights.hpp>

#include <limits>
#include <nlohmann/json.hpp>

#include "cli/command_run.hpp"
#include "cli/small_package.hpp"
#include "core/peak_memory.hpp"
#include "support/errors.hpp"
#include "support/files.hpp"
#include "support/temporary_folder.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::CommandRun;
using testing::contains;
using testing::names_in;

class ImageCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = new testing::TemporaryFolder;
    testing::write_small_package(model_->path());
  }
  static void TearDownTestSuite() {
    delete model_;
    model_ = nullptr;
  }

  /// Runs `image -m MODEL -p "a red house" ARGUMENTS… -o OUTPUT`, OUTPUT inside the test's folder.
  CommandRun image(const std::vector<std::string>& arguments, const std::string& output = "a.png",
                   bool terminal = false) {
    std::vector<std::string> all{"image", "-m", model_->path().string(), "-p", "a red house", "-o", at(output)};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return testing::run_command(all, {}, terminal);
  }
  void make(const std::vector<std::string>& arguments, const std::string& output = "a.png") {
    const CommandRun run = image(arguments, output);
    ASSERT_EQ(run.code, 0) << run.err;
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  at::Tensor picture(const std::string& name) const { return read_image(folder_ / name); }

  static testing::TemporaryFolder* model_;
  testing::TemporaryFolder folder_;
};

testing::TemporaryFolder* ImageCommand::model_ = nullptr;

TEST_F(ImageCommand, MakesOnePictureOfTheModelsSize) {
  const CommandRun run = image({});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(contains(run.err, "seed 42"));
  EXPECT_TRUE(contains(run.err, "denoise 4/4"));
  EXPECT_TRUE(contains(run.err, "wrote"));
  EXPECT_EQ(picture("a.png").sizes(), at::IntArrayRef({3, 32, 32}));
  EXPECT_EQ(names_in(folder_.path()), std::set<std::string>{"a.png"});
}

TEST_F(ImageCommand, QuietSaysNothing) {
  const CommandRun run = image({"-q"});
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.out + run.err, "");
}

TEST_F(ImageCommand, ATerminalGetsABar) {
  EXPECT_TRUE(contains(image({}, "a.png", true).err, "\rdenoise ["));
}

TEST_F(ImageCommand, VerboseNamesModelDecoderAndTimes) {
  const std::string text = image({"-v"}).err;
  EXPECT_TRUE(contains(text, "model: small"));
  EXPECT_TRUE(contains(text, "decoder: tae (taming"));
  EXPECT_TRUE(contains(text, "denoise "));
}

TEST_F(ImageCommand, SizeStepsAndSamplerAreTaken) {
  make(
      {"-W", "40", "-H", "24", "--steps", "3", "--sampling-method", "DPMSolverMultistepScheduler", "--cfg-scale", "1"});
  EXPECT_EQ(picture("a.png").sizes(), at::IntArrayRef({3, 24, 40}));
  const auto json = nlohmann::json::parse(read_image_text(folder_ / "a.png").at("lightswitch"));
  EXPECT_EQ(json["steps"], 3);
  EXPECT_EQ(json["sampling_method"], "dpm++2m");
  EXPECT_EQ(json["cfg_scale"], 1.0);
}

TEST_F(ImageCommand, TheDenoiserMayMultiplyInAHalf) {
  make({}, "a.png");
  make({"--denoiser-dtype", "bf16"}, "b.png");
  EXPECT_TRUE(close(picture("a.png"), picture("b.png"), 0.05));
  for (const char* unknown : {"auto", "int8"}) {
    const CommandRun run = image({"--denoiser-dtype", unknown});
    EXPECT_EQ(run.code, 2);
    EXPECT_TRUE(contains(run.err, "fp32, bf16 or fp16"));
  }
}

TEST_F(ImageCommand, SameSeedSamePictureOtherSeedOther) {
  make({"-s", "5"}, "a.png");
  make({"-s", "5"}, "b.png");
  make({"-s", "6"}, "c.png");
  EXPECT_TRUE(close(picture("a.png"), picture("b.png"), 0));
  EXPECT_FALSE(close(picture("a.png"), picture("c.png"), 0.01));
}

TEST_F(ImageCommand, PromptAndNegativePromptMatter) {
  make({}, "a.png");
  make({"-n", "ho ho ho"}, "b.png");
  EXPECT_FALSE(close(picture("a.png"), picture("b.png"), 0));
}

TEST_F(ImageCommand, ABatchIsThePicturesMadeOneByOne) {
  make({"-s", "5", "-b", "3", "--sampling-method", "euler_a"}, "batch-%02d.png");
  for (int i = 0; i < 3; ++i) {
    make({"-s", std::to_string(5 + i), "--sampling-method", "euler_a"}, "one.png");
    EXPECT_TRUE(close(picture("batch-0" + std::to_string(i) + ".png"), picture("one.png"), 0)) << i;
  }
}

TEST_F(ImageCommand, ABatchWithoutAPatternIsNumbered) {
  make({"-b", "2"});
  EXPECT_EQ(names_in(folder_.path()), (std::set<std::string>{"a.png", "a_2.png"}));
  const auto seed = [&](const std::string& name) {
    return nlohmann::json::parse(read_image_text(folder_ / name).at("lightswitch"))["seed"];
  };
  EXPECT_EQ(seed("a.png"), 42);
  EXPECT_EQ(seed("a_2.png"), 43);
}

TEST_F(ImageCommand, ANegativeSeedIsDrawnPrintedAndEnoughToRepeatThePicture) {
  const CommandRun run = image({"-s", "-1", "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const int64_t seed = testing::json_of(run)["seed"];
  EXPECT_GE(seed, 0);
  EXPECT_TRUE(contains(run.err, "seed " + std::to_string(seed)));
  make({"-s", std::to_string(seed)}, "again.png");
  EXPECT_TRUE(close(picture("a.png"), picture("again.png"), 0));
}

TEST_F(ImageCommand, JsonIsTheOnlyThingOnStandardOutput) {
  const CommandRun run = image({"--json", "-"});
  const auto json = testing::json_of(run);
  EXPECT_EQ(json["command"], "image");
  EXPECT_EQ(json["seed"], 42);
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_TRUE(json["dtype"] == "fp32" || json["dtype"] == "bf16");
  EXPECT_EQ(json["decoder"]["name"], "tae");
  EXPECT_EQ(json["decoder"]["family"], "taming");
  EXPECT_GT(json["decoder"]["parameters"], 1000);
  std::vector<std::string> stages;
  for (const auto& stage : json["stages"]) {
    stages.push_back(stage["name"]);
    EXPECT_GT(stage["ms"], 0.0) << stage;
  }
  EXPECT_EQ(stages, (std::vector<std::string>{"load", "text", "denoise", "decode", "encode_file"}));
  EXPECT_GT(json["decode_share"], 0.0);
  EXPECT_LT(json["decode_share"], 1.0);
  EXPECT_GT(json["peak_bytes"], 1 << 20);
  EXPECT_EQ(json["outputs"], nlohmann::ordered_json::array({at("a.png")}));
}

TEST_F(ImageCommand, JsonCanGoToAFile) {
  make({"--json", at("run.json")});
  EXPECT_EQ(nlohmann::json::parse(testing::read_file(folder_ / "run.json"))["command"], "image");
}

TEST_F(ImageCommand, ThePngSaysWhatMadeItUnlessToldNotTo) {
  make({});
  EXPECT_TRUE(
      contains(read_image_text(folder_ / "a.png").at("parameters"),
               "a red house\nSteps: 4, Sampler: Euler, CFG scale: 2, Seed: 42, Size: 32x32, Model: small, VAE: tae"));
  make({"--disable-image-metadata"}, "b.png");
  EXPECT_TRUE(read_image_text(folder_ / "b.png").empty());
}

TEST_F(ImageCommand, OtherFormatsAreWrittenAndTheLostMetadataIsTold) {
  for (const char* name : {"a.jpg", "a.webp", "a.ppm", "a.pfm", "a.npy"}) {
    const CommandRun run = image({}, name);
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_TRUE(contains(run.err, "only PNG holds the generation parameters"));
    EXPECT_EQ(picture(name).sizes(), at::IntArrayRef({3, 32, 32})) << name;
  }
}

TEST_F(ImageCommand, AnotherDecoderIsTheOneAskedFor) {
  make({}, "a.png");
  const CommandRun run = image({"--vae", "other", "--json", "-"}, "b.png");
  EXPECT_EQ(testing::json_of(run)["decoder"]["name"], "other");
  EXPECT_FALSE(close(picture("a.png"), picture("b.png"), 0.01));
}

TEST_F(ImageCommand, ADecoderMayBeAFileAndCarryItsOwnDtype) {
  make({"--decoder", "tae,dtype=fp32"}, "a.png");
  const std::string file = (*model_ / "tae.safetensors").string();
  const CommandRun run =
      image({"--decoder", file + ",dtype=fp32,latent-kind=diffusion", "--dtype", "bf16", "--json", "-"}, "b.png");
  EXPECT_EQ(testing::json_of(run)["dtype"], "fp32");
  EXPECT_TRUE(close(picture("a.png"), picture("b.png"), 0));
}

TEST_F(ImageCommand, NumbersThatOverflowAreToldAndTriedInFp32UnlessStrict) {
  auto tensors = testing::tiny_autoencoder(1);
  tensors["decoder.layers.12.bias"] = at::full({3}, INFINITY);  // too much for fp32, too
  save_safetensors(folder_ / "steep.safetensors", tensors);
  const std::string spec = at("steep.safetensors") + ",dtype=bf16,latent-kind=diffusion";
  const CommandRun run = image({"--decoder", spec}, "a.png");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "overflow in bf16"));
  EXPECT_TRUE(contains(run.err, "decoding again in fp32"));
  EXPECT_TRUE(contains(run.err, "overflow in fp32"));
  EXPECT_TRUE(contains(run.err, "first after decoder.layers.12"));
  const CommandRun strict = image({"--decoder", spec, "--strict-dtype"}, "b.png");
  EXPECT_EQ(strict.code, 1);
  EXPECT_TRUE(contains(strict.err, "overflow in bf16"));
  EXPECT_FALSE(contains(strict.err, "again"));
}

TEST_F(ImageCommand, AnOverflowThatReluWouldHideIsToldToo) {
  auto tensors = testing::tiny_autoencoder(1);
  for (const char* part : {".weight", ".bias"}) {
    at::Tensor& steep = tensors[std::string("decoder.layers.2.conv.2") + part];
    ASSERT_TRUE(steep.defined());
    steep = at::full_like(steep, 3e38);
  }
  save_safetensors(folder_ / "steep.safetensors", tensors);
  const CommandRun run = image({"--decoder", at("steep.safetensors") + ",dtype=bf16,latent-kind=diffusion"}, "a.png");
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, "decoding again in fp32"));
  EXPECT_TRUE(contains(run.err, "overflow in fp32"));
  EXPECT_TRUE(contains(run.err, "first after decoder.layers.2.conv.2"));
}

TEST_F(ImageCommand, TilesDoNotChangeThePicture) {
  make({"-W", "96", "-H", "64"}, "whole.png");
  make({"-W", "96", "-H", "64", "--vae-tiling", "--vae-tile-size", "4"}, "tiled.png");
  EXPECT_TRUE(close(picture("whole.png"), picture("tiled.png"), 1.01 / 255));
}

TEST_F(ImageCommand, TilesAreChosenToFitTheMemory) {
  make({"-W", "1024", "-H", "1024"}, "whole.png");
  const auto held = held_memory();
  ASSERT_TRUE(held);
  const std::string room = std::to_string((*held >> 20) + 110) + "M";
  const CommandRun run = image({"-W", "1024", "-H", "1024", "--max-memory", room, "--json", "-"}, "tiled.png");
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = testing::json_of(run);
  EXPECT_GT(json["tiles"]["size"], 0);
  EXPECT_LT(json["tiles"]["size"], 128);
  EXPECT_TRUE(contains(run.err, "tiles of"));
  EXPECT_TRUE(close(picture("whole.png"), picture("tiled.png"), 1.01 / 255));
  const CommandRun never = image({"-W", "1024", "-H", "1024", "--max-memory", "1M"}, "b.png");
  EXPECT_EQ(never.code, 1);
  EXPECT_TRUE(contains(never.err, "max_memory"));
}

TEST_F(ImageCommand, SavedLatentsDecodeToTheSamePicture) {
  make({"-b", "2", "--save-latents", at("z.safetensors")}, "a-%d.png");
  const LatentFile latents = read_latents(folder_ / "z.safetensors");
  EXPECT_EQ(latents.latents.sizes(), at::IntArrayRef({2, 4, 4, 4}));
  EXPECT_EQ(latents.kind, LatentKind::diffusion);
  EXPECT_EQ(latents.space, "small");
  EXPECT_EQ(latents.scaling_factor, 1.5);
  EXPECT_EQ(latents.shift_factor, 0.25);
  EXPECT_EQ(latents.seed, 42);
  EXPECT_EQ(latents.prompt, "a red house");
  EXPECT_EQ(latents.model, "small");
  const CommandRun run =
      testing::run_command({"decode", at("z.safetensors"), "-m", model_->path().string(), "-o", at("b-%d.png")});
  ASSERT_EQ(run.code, 0) << run.err;
  for (const char* index : {"0", "1"})
    EXPECT_TRUE(close(picture(std::string("a-") + index + ".png"), picture(std::string("b-") + index + ".png"), 0));
}

TEST_F(ImageCommand, PreviewsAreWrittenOnTheWayAndTimedApart) {
  const CommandRun run = image({"--steps", "6", "-b", "2", "--preview", "other", "--preview-interval", "4",
                                "--preview-path", at("now.png"), "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(picture("now.png").sizes(), at::IntArrayRef({3, 32, 64}));
  EXPECT_EQ(testing::json_of(run)["stages"].back()["name"], "encode_file");
  EXPECT_TRUE(contains(run.out, "\"preview\""));
  make({"--steps", "6", "-b", "2"}, "plain.png");
  EXPECT_TRUE(close(picture("a.png"), picture("plain.png"), 0));
}

TEST_F(ImageCommand, NoPreviewNoFile) {
  make({"--preview", "none", "--preview-path", at("now.png")});
  EXPECT_EQ(names_in(folder_.path()), std::set<std::string>{"a.png"});
}

TEST_F(ImageCommand, StartsFromAPictureWithStrength) {
  write_image(folder_ / "start.png", testing::random_tensor({3, 50, 90}, 2).sigmoid());
  make({}, "free.png");
  make({"-i", at("start.png"), "--strength", "0.5"}, "led.png");
  EXPECT_FALSE(close(picture("free.png"), picture("led.png"), 0.01));
  EXPECT_TRUE(contains(read_image_text(folder_ / "led.png").at("parameters"), "Denoising strength: 0.5"));
}

TEST_F(ImageCommand, WhenDecodingFailsTheLatentsAreKeptAndNamed) {
  auto weights = testing::tiny_autoencoder(1);
  weights["decoder.layers.12.bias"].fill_(std::numeric_limits<float>::quiet_NaN());
  save_safetensors(folder_ / "bad.safetensors", weights);
  const CommandRun run = image({"--decoder", at("bad.safetensors") + ",latent-kind=diffusion"});
  EXPECT_EQ(run.code, 1);
  EXPECT_TRUE(contains(run.err, at("a.png.latents.safetensors")));
  EXPECT_EQ(names_in(folder_.path()), (std::set<std::string>{"bad.safetensors", "a.png.latents.safetensors"}));
  const CommandRun rescue = testing::run_command(
      {"decode", at("a.png.latents.safetensors"), "-m", model_->path().string(), "-o", at("b.png")});
  EXPECT_EQ(rescue.code, 0) << rescue.err;
  make({}, "direct.png");
  EXPECT_TRUE(close(picture("b.png"), picture("direct.png"), 0));
}

TEST_F(ImageCommand, AStopRequestEndsWithoutFiles) {
  std::stop_source stop;
  stop.request_stop();
  const CommandRun run =
      testing::run_command({"image", "-m", model_->path().string(), "-p", "x", "-o", at("a.png")}, stop.get_token());
  EXPECT_EQ(run.code, 130);
  EXPECT_TRUE(contains(run.err, "stopped"));
  EXPECT_TRUE(names_in(folder_.path()).empty());
}

}  // namespace
}  // namespace lightswitch
