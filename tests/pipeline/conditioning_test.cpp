// What the denoiser is told beside the sample: one or two text encoders, layers left out, sizes, guidance.

#include "pipeline/conditioning.hpp"

#include <gtest/gtest.h>
#include <lightswitch/posterior.hpp>
#include <lightswitch/torchscript.hpp>

#include "pipeline/fake_parts.hpp"
#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

/// States [S, B, 1, width] of the value id + 10 * (layers left out) + `offset`; maybe a pooled text too.
class LayeredEncoder final : public TextEncoder {
 public:
  LayeredEncoder(int64_t layers, int64_t width, double offset, bool pooled = false)
      : layers_(layers), width_(width), offset_(offset), pooled_(pooled) {}

  Conditioning encode(const at::Tensor& ids) const override {
    const auto states = (at::arange(layers_) * 10.0).view({-1, 1, 1, 1}) + ids.to(at::kFloat).unsqueeze(2) + offset_;
    Conditioning result{{"hidden_states", states.expand({layers_, ids.size(0), 1, width_}).contiguous()}};
    if (pooled_) result["text_embeds"] = ids.to(at::kFloat) * 100;
    return result;
  }

 private:
  int64_t layers_, width_;
  double offset_;
  bool pooled_;
};

class GuidedDenoiser final : public Denoiser {
 public:
  bool takes_guidance() const override { return true; }
  at::Tensor predict(const at::Tensor& sample, double, const Conditioning& conditioning) const override {
    ++calls;
    last = conditioning;
    return sample * 0;
  }
  mutable int calls = 0;
  mutable Conditioning last;
};

TextToImageParts two_encoders() {
  TextToImageParts parts;
  parts.tokenizer = parts.tokenizer_2 = std::make_shared<FakeTokenizer>();
  parts.text_encoder = std::make_shared<LayeredEncoder>(3, 2, 0.0);
  parts.text_encoder_2 = std::make_shared<LayeredEncoder>(3, 3, 0.5, true);
  parts.denoiser = std::make_shared<FakeDenoiser>();
  return parts;
}

TextToImageOptions request() {
  TextToImageOptions options;
  options.prompt = "something";  // id 2; the empty text is 1
  options.width = 48;
  options.height = 32;
  options.cfg_scale = 3;
  return options;
}

at::Tensor row(std::initializer_list<float> numbers) {
  return at::tensor(std::vector<float>(numbers));
}

TEST(Conditioning, TwoEncodersAreJoinedAndTheNegativeHalfComesFirst) {
  const auto found = condition(two_encoders(), request());
  const auto& states = found.at("encoder_hidden_states");
  EXPECT_TRUE(at::equal(states[0][0], row({1, 1, 1.5, 1.5, 1.5})));
  EXPECT_TRUE(at::equal(states[1][0], row({2, 2, 2.5, 2.5, 2.5})));
  EXPECT_TRUE(at::equal(found.at("text_embeds"), row({100, 200}).unsqueeze(1)));
  EXPECT_TRUE(at::equal(found.at("time_ids"), row({32, 48, 0, 0, 32, 48}).expand({2, 6})));
  EXPECT_FALSE(found.contains("hidden_states"));
}

TEST(Conditioning, ClipSkipIsThePromptsAlone) {
  auto options = request();
  options.clip_skip = 2;
  const auto states = condition(two_encoders(), options).at("encoder_hidden_states");
  EXPECT_TRUE(at::equal(states[0][0], row({1, 1, 1.5, 1.5, 1.5})));
  EXPECT_TRUE(at::equal(states[1][0], row({22, 22, 22.5, 22.5, 22.5})));
}

TEST(Conditioning, MoreLayersThanThereAreCannotBeLeftOut) {
  auto options = request();
  options.clip_skip = 3;
  const auto error = expect_error<OptionError>([&] { condition(two_encoders(), options); });
  EXPECT_EQ(error.detail().field, "clip_skip");
  EXPECT_EQ(error.detail().expected, "0 to 2");
  // An encoder that gives its last layer alone has no choice.
  auto parts = two_encoders();
  parts.text_encoder_2 = parts.text_encoder = std::make_shared<FakeTextEncoder>();
  options.clip_skip = 1;
  expect_error<OptionError>([&] { condition(parts, options); });
  options.clip_skip = -1;
  EXPECT_EQ(expect_error<OptionError>([&] { options.validate(); }).detail().field, "clip_skip");
}

TEST(Conditioning, AnEmptyNegativePromptMayBeZeros) {
  auto parts = two_encoders();
  parts.zero_empty_negative = true;
  auto options = request();
  const auto zeros = condition(parts, options);
  EXPECT_TRUE(at::equal(zeros.at("encoder_hidden_states")[0], at::zeros({1, 5})));
  EXPECT_EQ(zeros.at("text_embeds")[0].item<float>(), 0);
  EXPECT_EQ(zeros.at("time_ids")[0][0].item<float>(), 32);  // sizes are no text
  options.negative_prompt = "something";
  EXPECT_EQ(condition(parts, options).at("text_embeds")[0].item<float>(), 200);
}

TEST(Conditioning, WithoutGuidanceThereIsOneHalf) {
  auto options = request();
  options.cfg_scale = 1;
  EXPECT_EQ(condition(two_encoders(), options).at("encoder_hidden_states").size(0), 1);
}

TEST(Conditioning, EncodersOfDifferentLengthDoNotFit) {
  class LongEncoder final : public TextEncoder {
    Conditioning encode(const at::Tensor& ids) const override {
      return {{"encoder_hidden_states", at::zeros({ids.size(0), 2, 4})}};
    }
  };
  auto parts = two_encoders();
  parts.text_encoder_2 = std::make_shared<LongEncoder>();
  EXPECT_EQ(expect_error<TensorError>([&] { condition(parts, request()); }).detail().field, "encoder_hidden_states");
}

TEST(Conditioning, ADenoiserThatTakesTheGuidanceRunsOnceWithIt) {
  auto parts = two_encoders();
  const auto denoiser = std::make_shared<GuidedDenoiser>();
  parts.denoiser = denoiser;
  parts.decoder = std::make_shared<FakeDecoder>(fake_spec());
  parts.schedulers["lcm"] = load_scheduler(std::string(LIGHTSWITCH_SOURCE_DIR) + "/tests/data/schedulers/lcm.pt");
  auto options = request();
  options.sampling_method = "lcm";
  options.steps = 2;
  TextToImage(parts).denoise(options);
  EXPECT_EQ(denoiser->calls, 2);
  EXPECT_TRUE(at::equal(denoiser->last.at("guidance_scale"), row({3})));
  EXPECT_EQ(denoiser->last.at("encoder_hidden_states").size(0), 1);
}

TEST(Conditioning, TheSecondPairIsWholeOrAbsent) {
  auto parts = two_encoders();
  parts.decoder = std::make_shared<FakeDecoder>(fake_spec());
  parts.schedulers["any"] = nullptr;
  EXPECT_NO_THROW(TextToImage{parts});
  parts.text_encoder_2 = nullptr;
  EXPECT_EQ(expect_error<OptionError>([&] { TextToImage pipeline(parts); }).detail().field, "text_encoder_2");
}

/// An encoder that describes a distribution of deviation 2 around FakeEncoder's constant.
class SpreadEncoder final : public Encoder, public PosteriorEncoder {
 public:
  const LatentSpec& spec() const override { return point_.spec(); }
  const NetworkInfo& info() const override { return point_.info(); }
  at::Tensor forward(const at::Tensor& pictures, std::stop_token stop) const override {
    return point_.forward(pictures, stop);
  }
  int64_t macs(int64_t, int64_t) const override { return 0; }
  LatentPosterior posterior(const at::Tensor& pictures, std::stop_token stop) const override {
    const auto mean = forward(pictures, std::move(stop));
    return {mean, at::full_like(mean, 2.0)};
  }

 private:
  FakeEncoder point_{fake_spec()};
};

TEST(Conditioning, ImageToImageDrawsFromThePosteriorBeforeItDrawsNoise) {
  auto parts = two_encoders();
  parts.tokenizer_2 = nullptr;
  parts.text_encoder_2 = nullptr;
  parts.text_encoder = std::make_shared<FakeTextEncoder>();
  parts.decoder = std::make_shared<FakeDecoder>(fake_spec());
  parts.encoder = std::make_shared<SpreadEncoder>();
  /// Keeps what add_noise was given.
  struct Record {
    at::Tensor x0, noise;
  };
  class RecordingRun final : public SchedulerRun {
   public:
    explicit RecordingRun(Record& record) : record_(record) {}
    int64_t size() const override { return 1; }
    double timestep(int64_t) const override { return 1; }
    double initial_noise_scale() const override { return 1; }
    at::Tensor scale_model_input(const at::Tensor& sample, int64_t) const override { return sample; }
    bool needs_noise(int64_t) const override { return false; }
    Step step(const at::Tensor&, int64_t, const at::Tensor& sample, const at::Tensor&) override {
      return {sample, sample};
    }
    at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, int64_t) const override {
      record_ = {x0, noise};
      return x0;
    }

   private:
    Record& record_;
  };
  class RecordingScheduler final : public Scheduler {
   public:
    explicit RecordingScheduler(Record& record) : record_(record) {}
    std::unique_ptr<SchedulerRun> begin(int64_t, double) const override {
      return std::make_unique<RecordingRun>(record_);
    }

   private:
    Record& record_;
  };
  Record record;
  parts.schedulers["record"] = std::make_shared<RecordingScheduler>(record);
  auto options = request();
  options.sampling_method = "record";
  options.seed = 5;
  options.init_image = at::zeros({3, 32, 48});
  TextToImage(parts).denoise(options);
  auto generator = at::detail::createCPUGenerator(5);
  const auto first = at::randn({1, 4, 4, 6}, generator), second = at::randn({1, 4, 4, 6}, generator);
  EXPECT_TRUE(close(record.x0, first * 2 + 0.25, 1e-6));
  EXPECT_TRUE(at::equal(record.noise, second));
}

}  // namespace
}  // namespace lightswitch
