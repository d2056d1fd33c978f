#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
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
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<Stream>(*decoder_); }
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

  std::shared_ptr<const Decoder> decoder_;
};

}  // namespace

std::shared_ptr<const TemporalDecoder> frame_by_frame(std::shared_ptr<const Decoder> decoder) {
  return std::make_shared<FrameByFrame>(std::move(decoder));
}

}  // namespace lightswitch
