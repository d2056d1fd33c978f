#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include "decoder/latents.hpp"

namespace lightswitch {
namespace {

class FrameByFrame final : public TemporalDecoder {
 public:
  explicit FrameByFrame(std::shared_ptr<const Decoder> decoder) : decoder_(std::move(decoder)) {}

  const LatentSpec& spec() const override { return decoder_->spec(); }
  const NetworkInfo& info() const override { return decoder_->info(); }
  bool depends_on_chunks() const override { return false; }
  std::unique_ptr<FrameStream> begin() const override {
    if (routes_pictures())
      throw UnsupportedError("frames are routed when all of a clip are known", {"", "clip", "begin_clip()", "begin()"});
    return std::make_unique<Stream>(*decoder_);
  }
  std::unique_ptr<FrameStream> begin_clip(const at::Tensor& latents) const override {
    if (!routes_pictures()) return begin();
    return std::make_unique<RoutedStream>(*decoder_, latents.transpose(0, 1));
  }
  int64_t macs(int64_t frames, int64_t h, int64_t w) const override { return frames * decoder_->macs(h, w); }

 private:
  class Stream final : public FrameStream {
   public:
    explicit Stream(const Decoder& decoder) : decoder_(decoder) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
      if (!latents.defined() || latents.dim() != 4)
        throw TensorError("unusable latents", {"", "latents", "[C, T, h, w]", describe(latents)});
      std::vector<at::Tensor> frames;
      for (const at::Tensor& latent : latents.split(1, 1))
        frames.push_back(decoder_.forward(latent.transpose(0, 1).contiguous(), stop));
      return at::cat(frames);
    }

   private:
    const Decoder& decoder_;
  };

  /// Every frame by the decoder of its path.
  class RoutedStream final : public FrameStream {
   public:
    RoutedStream(const Decoder& decoder, const at::Tensor& frames)
        : decoder_(decoder), routes_(decoder.routing()->plan(frames, decoder.spec().network_input, true)) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
      std::vector<at::Tensor> frames;
      for (const at::Tensor& latent : latents.split(1, 1))
        frames.push_back(forward_to_unit(*decoder_.routing()->path(routes_.at(next_++).plan[0]),
                                         latent.transpose(0, 1).contiguous(), decoder_.spec().network_input, stop));
      return at::cat(frames);
    }

   private:
    const Decoder& decoder_;
    std::vector<PictureRoute> routes_;
    size_t next_ = 0;
  };

  bool routes_pictures() const { return decoder_->routing() && decoder_->routing()->path(Path::light); }

  std::shared_ptr<const Decoder> decoder_;
};

}  // namespace

std::shared_ptr<const TemporalDecoder> frame_by_frame(std::shared_ptr<const Decoder> decoder) {
  return std::make_shared<FrameByFrame>(std::move(decoder));
}

}  // namespace lightswitch
