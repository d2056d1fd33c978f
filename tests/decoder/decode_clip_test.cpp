#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <cmath>
#include <new>

#include "support/errors.hpp"
#include "support/tensors.hpp"

namespace lightswitch {
namespace {

using testing::close;
using testing::contains;
using testing::expect_error;

/// Three of four channels as colours; each push holds its last frame back. Numbers beyond `largest` become NaN, or are
/// found on the way where it throws.
class FakeTemporalDecoder : public TemporalDecoder {
 public:
  explicit FakeTemporalDecoder(double largest = 1e30, bool throws = false) : largest_(largest), throws_(throws) {
    info_.dtype = largest < 1e30 ? DType::fp16 : DType::fp32;
    spec_.channels = 4;
    spec_.factor = 1;
    spec_.scaling_factor = 0.5;
    spec_.shift_factor = 0.25;
  }
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  bool depends_on_chunks() const override { return false; }
  int64_t frames(int64_t latents) const override { return latents - 1; }
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<Stream>(largest_, throws_); }
  int64_t macs(int64_t, int64_t, int64_t) const override { return 0; }

 private:
  class Stream final : public FrameStream {
   public:
    Stream(double largest, bool throws) : largest_(largest), throws_(throws) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token) override {
      const at::Tensor given = latents.transpose(0, 1).slice(1, 0, 3);
      if (throws_ && given.abs().max().item<double>() > largest_)
        throw NumericError("overflow", {"", "conv", "finite numbers", "others"});
      const at::Tensor frames = given.masked_fill(given.abs() > largest_, std::nan(""));
      const at::Tensor known = held_.defined() ? at::cat({held_, frames}) : frames;
      held_ = known.slice(0, -1);
      return known.slice(0, 0, -1);
    }

   private:
    double largest_;
    bool throws_;
    at::Tensor held_;
  };

  double largest_;
  bool throws_;
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
    EXPECT_EQ(total, 4);
  };
  const auto frames = decoded(latents, options);
  ASSERT_EQ(frames.size(), 3u) << "2, 2 and 1 frames";
  const at::Tensor raw = latents / 0.5 + 0.25;
  const at::Tensor expected = (raw.transpose(0, 1).slice(1, 0, 3) * 0.5 + 0.5).clamp(0, 1);
  EXPECT_TRUE(close(frames[0], expected.slice(0, 0, 1), 1e-6));
  EXPECT_TRUE(close(frames[1], expected.slice(0, 1, 3), 1e-6));
  EXPECT_EQ(told, (std::vector<int64_t>{1, 3, 4})) << "never more than all";
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

/// Gives one frame more or less than it says.
class Miscounting final : public TemporalDecoder {
 public:
  explicit Miscounting(int64_t promised) : promised_(promised) {}
  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  bool depends_on_chunks() const override { return false; }
  int64_t frames(int64_t) const override { return promised_; }
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<Stream>(); }
  int64_t macs(int64_t, int64_t, int64_t) const override { return 0; }

 private:
  class Stream final : public FrameStream {
    at::Tensor push(const at::Tensor& latents, std::stop_token) override {
      return at::zeros({latents.size(1), 3, latents.size(2) * 8, latents.size(3) * 8});
    }
  };
  int64_t promised_;
  LatentSpec spec_;
  NetworkInfo info_;
};

TEST(DecodeClip, RefusesAnotherNumberOfFramesThanPromised) {
  for (const int64_t promised : {2, 4}) {
    const auto error = expect_error<TensorError>(
        [&] { decode_clip(Miscounting(promised), at::zeros({4, 3, 2, 2}), {.chunk = 1}, [](const auto&) {}); });
    EXPECT_TRUE(contains(error.what(), "another number of frames")) << error.what();
  }
}

TEST(DecodeClip, OverflowIsDecodedAgainInAWiderTypeWithoutRepeatingFrames) {
  at::Tensor latents = at::full({4, 5, 2, 2}, 0.1);
  latents.select(1, 3).fill_(-1);
  const FakeTemporalDecoder narrow(1.0);
  std::vector<at::Tensor> frames;
  const auto sink = [&](const at::Tensor& ready) { frames.push_back(ready); };
  ClipOptions options;
  options.chunk = 1;
  EXPECT_TRUE(
      contains(expect_error<NumericError>([&] { decode_clip(narrow, latents, options, sink); }).what(), "fp16"));
  EXPECT_EQ(frames.size(), 3u) << "the frames before";
  frames.clear();
  int asked = 0;
  options.wider = [&](const NumericError& error) {
    ++asked;
    EXPECT_TRUE(contains(error.what(), "12 of 12 are NaN"));
    return std::make_shared<const FakeTemporalDecoder>();
  };
  decode_clip(narrow, latents, options, sink);
  EXPECT_EQ(asked, 1);
  ClipOptions whole;
  whole.kind = options.kind;
  EXPECT_TRUE(close(at::cat(frames), decoded(latents, whole).front(), 0));
  const FakeTemporalDecoder fails_on_the_way(1.0, true);
  frames.clear();
  options.wider = [&](const NumericError& error) {
    EXPECT_TRUE(contains(error.what(), "first after conv")) << error.what();
    return std::make_shared<const FakeTemporalDecoder>();
  };
  decode_clip(fails_on_the_way, latents, options, sink);
  EXPECT_TRUE(close(at::cat(frames), decoded(latents, whole).front(), 0));
  options.wider = [](const NumericError&) { return nullptr; };
  expect_error<NumericError>([&] { decode_clip(narrow, latents, options, sink); });
}

/// Finds no memory for more than `most` latents at once, nor for any after `ends`.
class Cramped final : public FakeTemporalDecoder {
 public:
  explicit Cramped(int64_t most, int64_t ends = 100) : most_(most), ends_(ends) {}
  std::unique_ptr<FrameStream> begin() const override {
    return std::make_unique<CrampedStream>(FakeTemporalDecoder::begin(), most_, ends_);
  }

 private:
  class CrampedStream final : public FrameStream {
   public:
    CrampedStream(std::unique_ptr<FrameStream> roomy, int64_t most, int64_t ends)
        : roomy_(std::move(roomy)), most_(most), ends_(ends) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
      seen_ += latents.size(1);
      if (latents.size(1) > most_ || seen_ > ends_) throw std::bad_alloc();
      return roomy_->push(latents, std::move(stop));
    }

   private:
    std::unique_ptr<FrameStream> roomy_;
    int64_t most_, ends_, seen_ = 0;
  };

  int64_t most_, ends_;
};

TEST(DecodeClip, WhenMemoryRunsOutChunksAreHalved) {
  const at::Tensor latents = testing::random_tensor({4, 9, 2, 3});
  std::vector<int64_t> tried;
  ClipOptions options;
  options.shorter = [&](const MemoryError& error, int64_t chunk) {
    EXPECT_TRUE(contains(error.what(), "memory ran out while a clip was decoded")) << error.what();
    tried.push_back(chunk);
    return true;
  };
  std::vector<at::Tensor> frames;
  decode_clip(Cramped(3), latents, options, [&](const at::Tensor& ready) { frames.push_back(ready); });
  EXPECT_EQ(tried, (std::vector<int64_t>{5, 3}));
  EXPECT_TRUE(close(at::cat(frames), decoded(latents, {}).front(), 0));
}

TEST(DecodeClip, WhenMemoryRunsOutItIsAnErrorUnlessShorterChunksAreWantedAndThere) {
  const at::Tensor latents = testing::random_tensor({4, 9, 2, 3});
  int64_t given = 0;
  const auto sink = [&](const at::Tensor& ready) { given += ready.size(0); };
  expect_error<MemoryError>([&] { decode_clip(Cramped(3), latents, {}, sink); });
  EXPECT_EQ(given, 0);
  ClipOptions options;
  int asked = 0;
  options.shorter = [&](const MemoryError&, int64_t) { return ++asked < 10; };
  const auto error = expect_error<MemoryError>([&] { decode_clip(Cramped(3, 6), latents, options, sink); });
  EXPECT_EQ(error.detail().found, "1") << "latents at once";
  EXPECT_EQ(asked, 4) << "5, 3, 2 and 1 at once";
  EXPECT_EQ(given, 5) << "no frame twice, whatever the chunks";
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
