#include "svd/svd.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <lightswitch/error.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <optional>

#include "nn/autoencoder/file_names.hpp"
#include "nn/autoencoder/kl_encoder.hpp"
#include "nn/network.hpp"
#include "svd/frames.hpp"
#include "svd/whole_clip.hpp"

namespace lightswitch::svd {
namespace {

using namespace nn::autoencoder;

constexpr const char* kName = "svd";

/// How a clip is cut into what sees itself.
enum class Chunking {
  separate,  ///< each chunk sees itself alone, as diffusers decodes
  exact,     ///< every frame sees the whole clip, however it is cut
};

Chunking chunking_of(const Config& config) {
  const std::string word = nn::config_text(config, "chunking", "separate");
  if (word == "separate") return Chunking::separate;
  if (word == "exact") return Chunking::exact;
  throw OptionError("unknown value", {"", "chunking", "separate or exact", word});
}

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
    chunking_of(request.config);  // of clips, but checked here, too
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
  bool depends_on_chunks() const override { return chunking_ == Chunking::separate; }
  std::unique_ptr<FrameStream> begin() const override { return begin_clip({}); }
  std::unique_ptr<FrameStream> begin_clip(const at::Tensor& latents) const override {
    if (chunking_ == Chunking::exact) return std::make_unique<Exact>(*this, latents);
    return std::make_unique<Separate>(*this);
  }

  int64_t macs(int64_t frames, int64_t h, int64_t w) const override {
    nn::Run run = nn::Run::count();
    frames_(run, at::empty({frames, spec_.channels, h, w}, at::kMeta));
    return run.macs();
  }

 private:
  /// Remembers nothing: what is pushed at once is decoded at once, as diffusers does it.
  class Separate final : public FrameStream {
   public:
    explicit Separate(const SvdTemporalDecoder& decoder) : decoder_(decoder) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
      nn::Run run = nn::Run::compute(std::move(stop));
      const c10::NoGradGuard no_grad;
      return nn::leave(run, decoder_.frames_(run, decoder_.entered(run, latents)));
    }

   private:
    const SvdTemporalDecoder& decoder_;
  };

  /// The whole clip is known from the start, or is the first push.
  class Exact final : public FrameStream {
   public:
    Exact(const SvdTemporalDecoder& decoder, at::Tensor latents) : decoder_(decoder), latents_(std::move(latents)) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
      nn::Run run = nn::Run::compute(std::move(stop));
      const c10::NoGradGuard no_grad;
      const int64_t count = decoder_.entered(run, latents).size(0);
      if (!clip_) {
        if (!latents_.defined()) latents_ = latents;
        left_ = latents_.size(1);
        clip_.emplace(decoder_.frames_, decoder_.entered(run, latents_));
      }
      if (count > left_)
        throw UnsupportedError("frames that see the whole clip need it at the start",
                               {"", "chunking", "a clip that is pushed at once, or begin_clip()", "more pushes"});
      left_ -= count;
      return nn::leave(run, clip_->next(run, count));
    }

   private:
    const SvdTemporalDecoder& decoder_;
    at::Tensor latents_;
    int64_t left_ = 0;  ///< frames that were not pushed yet
    std::optional<WholeClip> clip_;
  };

  SvdTemporalDecoder(const NetworkRequest& request, nn::WeightLoader loader)
      : device_(request.device), frames_(loader), chunking_(chunking_of(request.config)) {
    loader.finish();
    spec_ = kl_spec(frames_.half().channels(), frames_.half().stages(), request);
    info_ = loader.info(kName, frames_.half().description());
  }

  /// [C, T, h, w] as [T, C, h, w] in the layers' form. @throws TensorError.
  at::Tensor entered(nn::Run& run, const at::Tensor& latents) const {
    const at::Tensor frames = latents.defined() && latents.dim() == 4 ? latents.transpose(0, 1) : latents;
    nn::require_input(frames, "latents with time in front", spec_.channels);
    return nn::enter(run, frames, nn::scalar_type(info_.dtype), device_);
  }

  c10::Device device_;
  Frames frames_;
  Chunking chunking_;
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
          .decodes_clips = recognises,
          .options = {"chunking"}};
}

}  // namespace lightswitch::svd
