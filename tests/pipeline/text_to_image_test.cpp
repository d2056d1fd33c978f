#include <gtest/gtest.h>
#include <lightswitch/text_to_image.hpp>
#include <lightswitch/torchscript.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <cmath>
#include <thread>

#include "pipeline/fake_parts.hpp"
#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

const std::string kTests = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/";

struct Studio {
  std::shared_ptr<FakeDenoiser> denoiser = std::make_shared<FakeDenoiser>();
  std::shared_ptr<FakeDecoder> decoder = std::make_shared<FakeDecoder>(fake_spec());
  TextToImageParts parts;

  Studio() {
    parts.tokenizer = std::make_shared<FakeTokenizer>();
    parts.text_encoder = std::make_shared<FakeTextEncoder>();
    parts.denoiser = denoiser;
    parts.decoder = decoder;
    parts.encoder = std::make_shared<FakeEncoder>(fake_spec());
    for (const char* name : {"ddim", "euler", "euler_a", "dpm++2m", "lcm"})
      parts.schedulers[name] = load_scheduler(kTests + "data/schedulers/" + name + ".pt");
  }
};

/// The request of make_sampling_fixtures.py.
TextToImageOptions request(const std::string& sampling_method) {
  TextToImageOptions options;
  options.prompt = "anything";
  options.width = 48;
  options.height = 32;
  options.steps = 7;
  options.cfg_scale = 3.0;
  options.seed = 1234;
  options.sampling_method = sampling_method;
  return options;
}

class Sampling : public ::testing::TestWithParam<const char*> {};

TEST_P(Sampling, TextToImageEqualsDiffusers) {
  const Studio studio;
  const auto result = TextToImage(studio.parts).denoise(request(GetParam()));
  const auto expected = open_weights(kTests + "fixtures/sampling.safetensors")->read(std::string(GetParam()) + ".text");
  EXPECT_TRUE(close(result.latents, expected, 1e-4));
}

TEST_P(Sampling, ImageToImageEqualsDiffusers) {
  const Studio studio;
  auto options = request(GetParam());
  options.init_image = at::zeros({3, 32, 48});
  options.strength = 0.6;
  const auto result = TextToImage(studio.parts).denoise(options);
  const auto expected =
      open_weights(kTests + "fixtures/sampling.safetensors")->read(std::string(GetParam()) + ".image");
  EXPECT_TRUE(close(result.latents, expected, 1e-4));
  EXPECT_EQ(studio.denoiser->calls, 4);  // int(7 * 0.6)
}

TEST_P(Sampling, BatchEqualsPicturesMadeOneAtATime) {
  const Studio studio;
  const TextToImage pipeline(studio.parts);
  auto options = request(GetParam());
  options.batch_count = 3;
  const auto batch = pipeline.generate(options);
  for (int64_t i = 0; i < 3; ++i) {
    auto single = request(GetParam());
    single.seed += i;
    const auto one = pipeline.generate(single);
    EXPECT_TRUE(at::equal(batch.latents[i], one.latents[0])) << "latents of picture " << i;
    EXPECT_TRUE(at::equal(batch.images[i], one.images[0])) << "picture " << i;
  }
  EXPECT_FALSE(at::equal(batch.latents[0], batch.latents[1]));
}

INSTANTIATE_TEST_SUITE_P(Schedulers, Sampling, ::testing::Values("ddim", "euler", "euler_a", "dpm++2m", "lcm"),
                         [](const auto& method) {
                           std::string name = method.param;
                           std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
                           return name;
                         });

TEST(TextToImage, GuidanceOfOneOrLessRunsThePromptAlone) {
  const Studio studio;
  auto options = request("ddim");
  options.cfg_scale = 1.0;
  const auto plain = TextToImage(studio.parts).denoise(options);
  options.cfg_scale = 1.0 + 1e-9;  // both halves run, and the empty one cancels out
  const auto guided = TextToImage(studio.parts).denoise(options);
  EXPECT_TRUE(close(plain.latents, guided.latents, 1e-5));
}

TEST(TextToImage, NegativePromptTakesTheEmptyPromptsPlace) {
  const Studio studio;
  const TextToImage pipeline(studio.parts);
  auto options = request("euler");
  const auto empty = pipeline.denoise(options);
  options.negative_prompt = "something";  // the same conditioning as the prompt: guidance then changes nothing
  const auto same = pipeline.denoise(options);
  options.cfg_scale = 1.0;
  const auto plain = pipeline.denoise(options);
  EXPECT_TRUE(close(same.latents, plain.latents, 1e-5));
  EXPECT_FALSE(close(same.latents, empty.latents, 1e-3));
}

TEST(TextToImage, ReportsEveryStepAndStage) {
  const Studio studio;
  std::vector<int64_t> steps;
  TextToImageCallbacks callbacks;
  callbacks.step = [&](const StepProgress& progress) {
    steps.push_back(progress.step);
    EXPECT_EQ(progress.steps, 7);
    EXPECT_EQ(progress.predicted_x0.sizes(), at::IntArrayRef({1, 4, 4, 6}));
  };
  int64_t tiles = 0;
  callbacks.tile = [&](int64_t done, int64_t total) {
    tiles = done;
    EXPECT_EQ(total, 1);
  };
  const auto result = TextToImage(studio.parts).generate(request("dpm++2m"), callbacks);
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(tiles, 1);
  EXPECT_EQ(result.images.sizes(), at::IntArrayRef({1, 3, 32, 48}));
  std::vector<std::string> stages;
  for (const StageTime& stage : result.timings.stages) stages.push_back(stage.name);
  EXPECT_EQ(stages, (std::vector<std::string>{"text", "denoise", "decode"}));
  EXPECT_GT(result.timings.ms("denoise"), 0);
  EXPECT_GT(result.timings.decode_share(), 0);
  EXPECT_LT(result.timings.decode_share(), 1);
  EXPECT_GT(result.timings.peak_bytes, 0);
}

TEST(TextToImage, CancelledBetweenStepsAndUsableAfterwards) {
  const Studio studio;
  const TextToImage pipeline(studio.parts);
  const auto expected = pipeline.generate(request("euler_a"));
  std::stop_source source;
  TextToImageCallbacks callbacks;
  callbacks.step = [&](const StepProgress& progress) {
    if (progress.step == 3) source.request_stop();
  };
  studio.denoiser->calls = 0;
  expect_error<Cancelled>([&] { pipeline.generate(request("euler_a"), callbacks, source.get_token()); });
  EXPECT_EQ(studio.denoiser->calls, 3);
  EXPECT_TRUE(at::equal(pipeline.generate(request("euler_a")).images, expected.images));
}

TEST(TextToImage, CancelledFromAnotherThreadWhileDecoding) {
  const Studio studio;
  std::stop_source source;
  studio.decoder->on_forward = [&] { std::jthread([&] { source.request_stop(); }); };
  auto options = request("ddim");
  options.tiles.size = 2;
  expect_error<Cancelled>([&] { TextToImage(studio.parts).generate(options, {}, source.get_token()); });
}

TEST(TextToImage, TwoPipelinesInTwoThreadsDoNotMeet) {
  const Studio first, second;
  const TextToImage one(first.parts), two(second.parts);
  const auto alone_one = one.generate(request("euler_a"));
  const auto alone_two = two.generate(request("lcm"));
  at::Tensor together_one, together_two;
  {
    std::jthread a([&] { together_one = one.generate(request("euler_a")).images; });
    std::jthread b([&] { together_two = two.generate(request("lcm")).images; });
  }
  EXPECT_TRUE(at::equal(together_one, alone_one.images));
  EXPECT_TRUE(at::equal(together_two, alone_two.images));
}

TEST(TextToImage, NanFromTheDenoiserIsAnErrorNotAPicture) {
  Studio studio;
  class NanDenoiser final : public Denoiser {
    at::Tensor predict(const at::Tensor& sample, double, const Conditioning&) const override { return sample * NAN; }
  };
  studio.parts.denoiser = std::make_shared<NanDenoiser>();
  const auto error = expect_error<NumericError>([&] { TextToImage(studio.parts).generate(request("ddim")); });
  EXPECT_EQ(error.detail().field, "latents");
}

struct BadOption {
  const char* field;
  std::function<void(TextToImageOptions&)> spoil;
};

class BadOptions : public ::testing::TestWithParam<BadOption> {};

TEST_P(BadOptions, AreRefusedByName) {
  const Studio studio;
  auto options = request("ddim");
  GetParam().spoil(options);
  const auto error = expect_error<OptionError>([&] { TextToImage(studio.parts).generate(options); });
  EXPECT_EQ(error.detail().field, GetParam().field);
  EXPECT_FALSE(error.detail().expected.empty());
  EXPECT_FALSE(error.detail().found.empty());
  EXPECT_EQ(studio.denoiser->calls, 0);
}

INSTANTIATE_TEST_SUITE_P(TextToImage, BadOptions,
                         ::testing::Values(BadOption{"width", [](auto& o) { o.width = 0; }},
                                           BadOption{"width", [](auto& o) { o.width = 50; }},
                                           BadOption{"height", [](auto& o) { o.height = -8; }},
                                           BadOption{"height", [](auto& o) { o.height = 33; }},
                                           BadOption{"steps", [](auto& o) { o.steps = -1; }},
                                           BadOption{"steps", [](auto& o) { o.steps = 0; }},
                                           BadOption{"cfg_scale", [](auto& o) { o.cfg_scale = NAN; }},
                                           BadOption{"cfg_scale", [](auto& o) { o.cfg_scale = -1; }},
                                           BadOption{"seed", [](auto& o) { o.seed = -1; }},
                                           BadOption{"batch_count", [](auto& o) { o.batch_count = 0; }},
                                           BadOption{"tiles.size", [](auto& o) { o.tiles.size = -4; }},
                                           BadOption{"tiles.overlap", [](auto& o) { o.tiles.overlap = 1; }},
                                           BadOption{"strength",
                                                     [](auto& o) {
                                                       o.init_image = at::zeros({3, 32, 48});
                                                       o.strength = 0;
                                                     }},
                                           BadOption{"strength",
                                                     [](auto& o) {
                                                       o.init_image = at::zeros({3, 32, 48});
                                                       o.strength = 0.01;  // int(7 * 0.01) leaves no step
                                                     }},
                                           BadOption{"sampling_method", [](auto& o) { o.sampling_method = "ddin"; }}),
                         [](const auto& option) {
                           std::string name = option.param.field + std::to_string(option.index);
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

TEST(TextToImage, UnknownSamplingMethodNamesTheNearest) {
  const Studio studio;
  const auto error = expect_error<OptionError>([&] { TextToImage(studio.parts).generate(request("eulr_a")); });
  EXPECT_TRUE(contains(error.what(), "perhaps euler_a"));
}

TEST(TextToImage, StartPictureOfAnotherSizeIsRefused) {
  const Studio studio;
  auto options = request("ddim");
  options.init_image = at::zeros({3, 48, 32});
  const auto error = expect_error<TensorError>([&] { TextToImage(studio.parts).generate(options); });
  EXPECT_EQ(error.detail().field, "init_image");
}

TEST(TextToImage, ImageToImageNeedsAnEncoder) {
  Studio studio;
  studio.parts.encoder = nullptr;
  auto options = request("ddim");
  options.init_image = at::zeros({3, 32, 48});
  EXPECT_EQ(expect_error<OptionError>([&] { TextToImage(studio.parts).generate(options); }).detail().field, "encoder");
}

TEST(TextToImage, ADecoderOfAnotherLatentSpaceIsRefused) {
  Studio studio;
  studio.parts.latent_space = "fake";
  EXPECT_NO_THROW(TextToImage{studio.parts});
  studio.parts.latent_space = "sd1";
  const auto error = expect_error<OptionError>([&] { TextToImage pipeline(studio.parts); });
  EXPECT_EQ(error.detail().field, "decoder");
  EXPECT_EQ(error.detail().expected, "sd1");
  EXPECT_EQ(error.detail().found, "fake");
}

TEST(TextToImage, EveryPartIsNeeded) {
  const auto missing = [](auto&& remove) {
    Studio studio;
    remove(studio.parts);
    return expect_error<OptionError>([&] { TextToImage pipeline(studio.parts); }).detail().field;
  };
  EXPECT_EQ(missing([](auto& p) { p.tokenizer = nullptr; }), "tokenizer");
  EXPECT_EQ(missing([](auto& p) { p.text_encoder = nullptr; }), "text_encoder");
  EXPECT_EQ(missing([](auto& p) { p.denoiser = nullptr; }), "denoiser");
  EXPECT_EQ(missing([](auto& p) { p.schedulers.clear(); }), "schedulers");
  EXPECT_EQ(missing([](auto& p) { p.decoder = nullptr; }), "decoder");
}

}  // namespace
}  // namespace lightswitch
