#pragma once

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/text_to_image.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace lightswitch::testing {

/// One id: 1 for an empty text, else 2. Enough to tell the two halves of guidance apart.
class FakeTokenizer final : public Tokenizer {
 public:
  int64_t max_length() const override { return 1; }
  std::vector<int64_t> encode(std::string_view text) const override { return {text.empty() ? 1 : 2}; }
  std::vector<int64_t> tokens(std::string_view text) const override { return encode(text); }
};

/// encoder_hidden_states [B, 1, 1]: -0.1 for the empty text, 0.2 for any other.
class FakeTextEncoder final : public TextEncoder {
 public:
  Conditioning encode(const at::Tensor& ids) const override {
    return {{"encoder_hidden_states", (ids.to(at::kFloat) * 0.3 - 0.4).unsqueeze(2)}};
  }
};

/// tanh(0.7 x + 0.3 cos(t / 97) + condition): the formula of tests/fixtures/make_sampling_fixtures.py.
class FakeDenoiser final : public Denoiser {
 public:
  at::Tensor predict(const at::Tensor& sample, double timestep, const Conditioning& conditioning) const override {
    ++calls;
    if (on_call) on_call();
    const auto wave = at::cos(at::scalar_tensor(timestep, at::kFloat) / 97.0);
    return at::tanh(sample * 0.7 + wave * 0.3 + conditioning.at("encoder_hidden_states").unsqueeze(3));
  }
  mutable std::atomic<int> calls{0};
  std::function<void()> on_call;
};

/// Nearest upsampling of the first three channels; forward() is exact, so conversions can be checked by hand.
class FakeDecoder final : public Decoder {
 public:
  explicit FakeDecoder(LatentSpec spec) : spec_(std::move(spec)) {}
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override {
    if (stop.stop_requested()) throw Cancelled();
    if (on_forward) on_forward();
    last_input = latents;
    return at::repeat_interleave(at::repeat_interleave(latents.slice(1, 0, 3), spec_.factor, 2), spec_.factor, 3);
  }
  int64_t macs(int64_t, int64_t) const override { return 0; }

  mutable at::Tensor last_input;
  std::function<void()> on_forward;

 private:
  LatentSpec spec_;
  NetworkInfo info_{.family = "fake", .configuration = "", .parameters = 0, .dtype = DType::fp32};
};

/// Every picture becomes latents of the constant 0.25.
class FakeEncoder final : public Encoder {
 public:
  explicit FakeEncoder(LatentSpec spec) : spec_(std::move(spec)) {}
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& pictures, std::stop_token) const override {
    return at::full(
        {pictures.size(0), spec_.channels, pictures.size(2) / spec_.factor, pictures.size(3) / spec_.factor}, 0.25);
  }
  int64_t macs(int64_t, int64_t) const override { return 0; }

 private:
  LatentSpec spec_;
  NetworkInfo info_{.family = "fake", .configuration = "", .parameters = 0, .dtype = DType::fp32};
};

inline LatentSpec fake_spec() {
  LatentSpec spec;
  spec.space = "fake";
  spec.network_input = LatentKind::diffusion;
  return spec;
}

}  // namespace lightswitch::testing
