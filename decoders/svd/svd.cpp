#include "svd/svd.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include "nn/autoencoder/decoder_half.hpp"
#include "nn/autoencoder/file_names.hpp"
#include "nn/autoencoder/kl_encoder.hpp"
#include "nn/autoencoder/spatio_temporal_block.hpp"
#include "nn/network.hpp"

namespace lightswitch::svd {
namespace {

using namespace nn::autoencoder;

constexpr const char* kName = "svd";

/// The decoder of AutoencoderKLTemporalDecoder: latents [T, C, h, w], consecutive frames of one clip, to pictures.
class Frames {
 public:
  explicit Frames(nn::WeightLoader& loader) : half_(loader), time_conv_out_(loader, "time_conv_out", 3) {}

  at::Tensor operator()(nn::Run& run, const at::Tensor& latents) const {
    return time_conv_out_(run, half_(run, latents));
  }
  const DecoderHalf<SpatioTemporalBlock>& half() const { return half_; }

 private:
  DecoderHalf<SpatioTemporalBlock> half_;
  TemporalConv time_conv_out_;
};

nn::WeightLoader make_loader(const NetworkRequest& request) {
  return require_temporal_decoder(*request.weights).loader(request, kDecoder);
}

/// Every picture is a clip of one frame.
class SvdDecoder final : public nn::DecoderNetwork {
 public:
  explicit SvdDecoder(const NetworkRequest& request) : SvdDecoder(request, make_loader(request)) {}

 private:
  SvdDecoder(const NetworkRequest& request, nn::WeightLoader loader) : Network(request), frames_(loader) {
    loader.finish();
    spec_ = kl_spec(frames_.half().channels(), frames_.half().stages(), request);
    info_ = loader.info(kName, frames_.half().description());
  }

  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override {
    std::vector<at::Tensor> pictures;
    for (int64_t i = 0; i < latents.size(0); ++i) pictures.push_back(frames_(run, latents.slice(0, i, i + 1)));
    return pictures.size() == 1 ? pictures.front() : at::cat(pictures);
  }

  Frames frames_;
};

class SvdTemporalDecoder final : public TemporalDecoder {
 public:
  explicit SvdTemporalDecoder(const NetworkRequest& request) : SvdTemporalDecoder(request, make_loader(request)) {}

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  bool depends_on_chunks() const override { return true; }
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<Stream>(*this); }

  int64_t macs(int64_t frames, int64_t h, int64_t w) const override {
    nn::Run run = nn::Run::count();
    frames_(run, at::empty({frames, spec_.channels, h, w}, at::kMeta));
    return run.macs();
  }

 private:
  /// Remembers nothing: what is pushed at once is decoded at once, as diffusers does it.
  class Stream final : public FrameStream {
   public:
    explicit Stream(const SvdTemporalDecoder& decoder) : decoder_(decoder) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
      return decoder_.decode(latents, std::move(stop));
    }

   private:
    const SvdTemporalDecoder& decoder_;
  };

  SvdTemporalDecoder(const NetworkRequest& request, nn::WeightLoader loader)
      : device_(request.device), frames_(loader) {
    loader.finish();
    spec_ = kl_spec(frames_.half().channels(), frames_.half().stages(), request);
    info_ = loader.info(kName, frames_.half().description());
  }

  at::Tensor decode(const at::Tensor& latents, std::stop_token stop) const {
    const at::Tensor frames = latents.defined() && latents.dim() == 4 ? latents.transpose(0, 1) : latents;
    nn::require_input(frames, "latents with time in front", spec_.channels);
    const c10::NoGradGuard no_grad;
    nn::Run run = nn::Run::compute(std::move(stop));
    return nn::leave(run, frames_(run, nn::enter(run, frames, nn::scalar_type(info_.dtype), device_)));
  }

  c10::Device device_;
  Frames frames_;
  LatentSpec spec_;
  NetworkInfo info_;
};

bool recognises(const WeightSource& weights) {
  return find_temporal_decoder(weights).has_value();
}

std::unique_ptr<Decoder> make_decoder(const NetworkRequest& request) {
  return std::make_unique<SvdDecoder>(request);
}

std::unique_ptr<TemporalDecoder> make_temporal_decoder(const NetworkRequest& request) {
  return std::make_unique<SvdTemporalDecoder>(request);
}

std::unique_ptr<Encoder> make_encoder(const NetworkRequest& request) {
  return make_kl_encoder(request, kName);
}

}  // namespace

DecoderFamily family() {
  return {.name = kName,
          .summary =
              "AutoencoderKLTemporalDecoder of Stable Video Diffusion (decoder of clips and of single pictures, "
              "encoder)",
          .recognises = recognises,
          .make_decoder = make_decoder,
          .make_encoder = make_encoder,
          .make_temporal_decoder = make_temporal_decoder,
          .decodes_clips = recognises};
}

}  // namespace lightswitch::svd
