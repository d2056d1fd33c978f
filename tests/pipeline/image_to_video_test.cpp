#include <lightswitch/image_to_video.hpp>

#include <gtest/gtest.h>
#include <lightswitch/noise.hpp>
#include <lightswitch/torchscript.hpp>
#include <lightswitch/weights.hpp>

#include "pipeline/fake_parts.hpp"
#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

const std::string kSchedulers = std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/data/schedulers/";

/// The mean of each colour.
class FakeImageEncoder final : public ImageEncoder {
 public:
  int64_t size() const override { return 16; }
  at::Tensor encode(const at::Tensor& pictures) const override {
    last_input = pictures;
    return pictures.mean({2, 3}).unsqueeze(1);
  }
  mutable at::Tensor last_input;
};

/// tanh(0.7 latents + 0.3 picture + what the encoder saw + a little of the ids): every input counts.
class FakeVideoDenoiser final : public Denoiser {
 public:
  at::Tensor predict(const at::Tensor& sample, double timestep, const Conditioning& conditioning) const override {
    if (on_call) on_call();
    last_sample = sample;
    last_conditioning = conditioning;
    return formula(sample, timestep, conditioning);
  }
  static at::Tensor formula(const at::Tensor& sample, double timestep, const Conditioning& conditioning) {
    const auto both = sample.chunk(2, 2);
    const auto seen = conditioning.at("encoder_hidden_states").mean({1, 2}).view({-1, 1, 1, 1, 1});
    const auto ids = conditioning.at("added_time_ids").sum(1).view({-1, 1, 1, 1, 1}) * 1e-3;
    return at::tanh(both[0] * 0.7 + both[1] * 0.3 + seen + ids + timestep * 1e-3);
  }
  mutable at::Tensor last_sample;
  mutable Conditioning last_conditioning;
  std::function<void()> on_call;
};

struct Studio {
  std::shared_ptr<FakeImageEncoder> image_encoder = std::make_shared<FakeImageEncoder>();
  std::shared_ptr<FakeVideoDenoiser> denoiser = std::make_shared<FakeVideoDenoiser>();
  std::shared_ptr<FakeDecoder> decoder = std::make_shared<FakeDecoder>(fake_spec());
  ImageToVideoParts parts;

  Studio() {
    parts.image_encoder = image_encoder;
    parts.denoiser = denoiser;
    parts.schedulers["euler"] = load_scheduler(kSchedulers + "euler.pt");
    parts.encoder = std::make_shared<FakeEncoder>(fake_spec());
    parts.decoder = frame_by_frame(decoder);
  }
};

ImageToVideoOptions request() {
  ImageToVideoOptions options;
  options.image = random_tensor({3, 32, 48}, 7).sigmoid();
  options.frames = 5;
  options.steps = 3;
  options.seed = 11;
  return options;
}

TEST(ImageToVideo, IsTheSamplingLoopOfThePaper) {
  const Studio studio;
  const auto options = request();
  const auto made = ImageToVideo(studio.parts).denoise(options);
  ASSERT_EQ(made.latents.sizes(), at::IntArrayRef({1, 4, 5, 4, 6}));

  NoiseSource noise(11, 1);
  noise.draw({3, 32, 48});  // the picture's grain comes first
  const auto run = studio.parts.schedulers.at("euler")->begin(3);
  at::Tensor sample = noise.draw({5, 4, 4, 6}) * run->initial_noise_scale();
  const at::Tensor still = at::full({1, 5, 4, 4, 6}, 0.25);
  const at::Tensor seen = resize_for_image_encoder(options.image, 16).mean({1, 2}).view({1, 1, 3});
  const auto half = [&](const at::Tensor& noisy, int64_t step, double there) {
    const Conditioning conditioning{{"encoder_hidden_states", seen * there},
                                    {"added_time_ids", at::tensor({6.0F, 127.0F, 0.02F}).view({1, 3})}};
    return FakeVideoDenoiser::formula(at::cat({noisy, still * there}, 2), run->timestep(step), conditioning);
  };
  for (int64_t step = 0; step < 3; ++step) {
    const auto noisy = run->scale_model_input(sample, step);
    const auto without = half(noisy, step, 0), with = half(noisy, step, 1);
    const auto guidance = at::tensor({1.0F, 1.5F, 2.0F, 2.5F, 3.0F}).view({1, 5, 1, 1, 1});
    sample = run->step(without + guidance * (with - without), step, sample, {}).sample;
  }
  EXPECT_TRUE(close(made.latents, sample.transpose(1, 2), 1e-5));
}

TEST(ImageToVideo, WithoutGuidanceThePictureIsSeenOnce) {
  const Studio studio;
  auto options = request();
  options.max_cfg = 1;
  ImageToVideo(studio.parts).denoise(options);
  EXPECT_EQ(studio.denoiser->last_sample.sizes(), at::IntArrayRef({1, 5, 8, 4, 6}));
  EXPECT_EQ(studio.denoiser->last_conditioning.at("encoder_hidden_states").sizes(), at::IntArrayRef({1, 1, 3}));
}

TEST(ImageToVideo, FramesFlowInChunks) {
  const Studio studio;
  auto options = request();
  options.decode_chunk = 2;
  std::vector<int64_t> chunks, told, steps;
  ImageToVideoCallbacks callbacks;
  callbacks.step = [&](const ClipStepProgress& progress) {
    EXPECT_EQ(progress.predicted_x0.sizes(), at::IntArrayRef({4, 5, 4, 6}));
    steps.push_back(progress.step);
  };
  callbacks.frames = [&](int64_t done, int64_t) { told.push_back(done); };
  const ImageToVideo pipeline(studio.parts);
  at::Tensor first;
  const auto result = pipeline.generate(
      options,
      [&](const at::Tensor& frames) {
        if (chunks.empty()) first = frames[0];
        chunks.push_back(frames.size(0));
      },
      callbacks);
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(chunks, (std::vector<int64_t>{2, 2, 1}));
  EXPECT_EQ(told, (std::vector<int64_t>{2, 4, 5}));
  ASSERT_EQ(first.sizes(), at::IntArrayRef({3, 32, 48}));
  EXPECT_TRUE(close(first[0][0][0], (result.latents[0][0][0][0][0] / 2 + 0.5).clamp(0, 1), 1e-6));
  for (const char* stage : {"encode", "denoise", "decode"}) EXPECT_GE(result.timings.ms(stage), 0) << stage;
}

TEST(ImageToVideo, TheSameSeedIsTheSameClip) {
  const Studio studio;
  const ImageToVideo pipeline(studio.parts);
  auto options = request();
  const auto first = pipeline.denoise(options).latents;
  EXPECT_TRUE(close(pipeline.denoise(options).latents, first, 0));
  options.seed = 12;
  EXPECT_FALSE(close(pipeline.denoise(options).latents, first, 0.01));
}

TEST(ImageToVideo, StopsBetweenStepsAndStaysUsable) {
  const Studio studio;
  const ImageToVideo pipeline(studio.parts);
  std::stop_source source;
  studio.denoiser->on_call = [&] { source.request_stop(); };
  EXPECT_THROW(pipeline.denoise(request(), {}, source.get_token()), Cancelled);
  studio.denoiser->on_call = {};
  EXPECT_EQ(pipeline.denoise(request()).latents.size(2), 5);
}

TEST(ImageToVideo, RefusesWhatItCannotDo) {
  const Studio studio;
  const ImageToVideo pipeline(studio.parts);
  const auto refused = [&](auto change, const char* field) {
    auto options = request();
    change(options);
    EXPECT_EQ(expect_error<OptionError>([&] { pipeline.denoise(options); }).detail().field, field);
  };
  refused([](auto& o) { o.frames = 0; }, "frames");
  refused([](auto& o) { o.fps = 0; }, "fps");
  refused([](auto& o) { o.motion_bucket = 256; }, "motion_bucket");
  refused([](auto& o) { o.noise_aug = -1; }, "noise_aug");
  refused([](auto& o) { o.min_cfg = -1; }, "min_cfg");
  refused([](auto& o) { o.max_cfg = 0.5; }, "max_cfg");
  refused([](auto& o) { o.steps = 0; }, "steps");
  refused([](auto& o) { o.seed = -1; }, "seed");
  refused([](auto& o) { o.decode_chunk = -1; }, "decode_chunk");
  refused([](auto& o) { o.sampling_method = "eule"; }, "sampling_method");
  refused([](auto& o) { o.image = at::zeros({3, 33, 48}); }, "height");
  auto options = request();
  options.image = at::zeros({32, 48});
  expect_error<TensorError>([&] { pipeline.denoise(options); });
}

TEST(ImageToVideo, NamesThePartThatIsMissing) {
  const Studio studio;
  const auto without = [&](auto drop, const char* field) {
    auto parts = studio.parts;
    drop(parts);
    EXPECT_EQ(expect_error<OptionError>([&] { ImageToVideo{parts}; }).detail().field, field);
  };
  without([](auto& p) { p.denoiser = nullptr; }, "denoiser");
  without([](auto& p) { p.schedulers.clear(); }, "schedulers");
  without([](auto& p) { p.encoder = nullptr; }, "encoder");
  without([](auto& p) { p.decoder = nullptr; }, "decoder");
  without([](auto& p) { p.latent_space = "another"; }, "decoder");
}

TEST(ResizeForImageEncoder, EqualsDiffusers) {
  const auto stored = open_weights(std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/fixtures/sampling.safetensors");
  EXPECT_TRUE(close(resize_for_image_encoder(stored->read("image_encoder.picture"), 16),
                    stored->read("image_encoder.resized"), 1e-5));
}

TEST(ResizeForImageEncoder, KeepsConstantsAndBlursWhatItShrinks) {
  EXPECT_TRUE(close(resize_for_image_encoder(at::full({3, 40, 90}, 0.3), 16), at::full({3, 16, 16}, 0.3), 1e-5));
  const auto stripes = (at::arange(96) % 2).to(at::kFloat).expand({3, 64, 96});
  EXPECT_LT((resize_for_image_encoder(stripes, 16) - 0.5).abs().max().item<double>(), 0.05);
}

}  // namespace
}  // namespace lightswitch
