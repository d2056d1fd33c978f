#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <cmath>

#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;

/// Three of four channels as colours; each push holds its last frame back.
class FakeTemporalDecoder final : public TemporalDecoder {
 public:
  FakeTemporalDecoder() {
    spec_.channels = 4;
    spec_.factor = 1;
    spec_.scaling_factor = 0.5;
    spec_.shift_factor = 0.25;
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  bool depends_on_chunks() const override { return false; }
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<Stream>(); }
  int64_t macs(int64_t, int64_t, int64_t) const override { return 0; }

 private:
  class Stream final : public FrameStream {
   public:
    at::Tensor push(const at::Tensor& latents, std::stop_token) override {
      const at::Tensor frames = latents.transpose(0, 1).slice(1, 0, 3);
      const at::Tensor known = held_.defined() ? at::cat({held_, frames}) : frames;
      held_ = known.slice(0, -1);
      return known.slice(0, 0, -1);
    }

   private:
    at::Tensor held_;
  };

  LatentSpec spec_;
  NetworkInfo info_;
};

std::vector<at::Tensor> decoded(const at::Tensor& latents, const ClipOptions& options) {
  std::vector<at::Tensor> frames;
  decode_clip(FakeTemporalDecoder(), latents, options, [&](const at::Tensor& ready) { frames.push_back(ready); });
  return frames;
}

TEST(DecodeClip, ConvertsClampsAndCutsIntoChunks) {
  const at::Tensor latents = testing::random_tensor({4, 5, 2, 3});
  std::vector<int64_t> told;
  ClipOptions options;
  options.chunk = 2;
  options.progress = [&](int64_t done, int64_t total) {
    told.push_back(done);
    EXPECT_EQ(total, 5);
  };
  const auto frames = decoded(latents, options);
  ASSERT_EQ(frames.size(), 3u) << "2, 2 and 1 frames";
  const at::Tensor raw = latents / 0.5 + 0.25;
  const at::Tensor expected = (raw.transpose(0, 1).slice(1, 0, 3) * 0.5 + 0.5).clamp(0, 1);
  EXPECT_TRUE(close(frames[0], expected.slice(0, 0, 1), 1e-6));
  EXPECT_TRUE(close(frames[1], expected.slice(0, 1, 3), 1e-6));
  EXPECT_EQ(told.front(), 1);
  options.kind = LatentKind::raw;
  EXPECT_TRUE(close(decoded(raw, options)[1], frames[1], 1e-6));
}

TEST(DecodeClip, TheWholeClipIsOneChunkUnlessAskedOtherwise) {
  EXPECT_EQ(decoded(at::zeros({4, 5, 2, 3}), {}).size(), 1u);
  EXPECT_EQ(decoded(at::zeros({4, 5, 2, 3}), {.chunk = 9}).size(), 1u);
}

TEST(DecodeClip, RefusesWhatIsNoClip) {
  const auto error = expect_error<TensorError>([] { decoded(at::zeros({5, 3, 2, 2}), {}); });
  EXPECT_TRUE(contains(error.detail().expected, "[4, T, h, w]"));
  EXPECT_TRUE(contains(error.detail().found, "[5, 3, 2, 2]"));
  expect_error<TensorError>([] { decoded(at::zeros({4, 0, 2, 2}), {}); });
  expect_error<TensorError>([] { decoded(at::zeros({1, 4, 3, 2, 2}), {}); });
  expect_error<TensorError>([] { decoded(at::zeros({4, 3, 2, 2}, at::kLong), {}); });
  expect_error<NumericError>([] { decoded(at::full({4, 2, 2, 2}, std::nan("")), {}); });
  expect_error<OptionError>([] { decoded(at::zeros({4, 2, 2, 2}), {.chunk = -1}); });
  expect_error<TensorError>([] { decoded(at::zeros({4, 2, 2, 2}), {.kind = LatentKind::indices}); });
}

TEST(DecodeClip, StopsBetweenChunks) {
  std::stop_source source;
  ClipOptions options;
  options.chunk = 2;
  options.stop = source.get_token();
  int64_t frames = 0;
  const auto sink = [&](const at::Tensor& ready) {
    frames += ready.size(0);
    source.request_stop();
  };
  EXPECT_THROW(decode_clip(FakeTemporalDecoder(), at::zeros({4, 6, 2, 2}), options, sink), Cancelled);
  EXPECT_EQ(frames, 1);
}

}  // namespace
}  // namespace lightswitch
