#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <lightswitch/temporal_decoder.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/network.hpp"
#include "taming/layout.hpp"
#include "taming/spec.hpp"

/// What makes decoders of a network for clips. Such a network has
///   ClipNetwork(nn::WeightLoader&, const Layout&)
///   LatentSpec spec(const Layout&, const Config&), std::string description(const Layout&)
///   static constexpr bool depends_on_chunks
///   int64_t frames(int64_t latents): frames that a clip of so many latents has in all
///   struct Memory: what it remembers of the frames so far; a new one begins a clip
///   at::Tensor operator()(nn::Run&, const at::Tensor& latents, Memory&): [T, C, h, w] to [T', 3, H, W]
namespace lightswitch::taming {

/// Every picture is a clip of one frame.
template <typename ClipNetwork>
class ClipPictures final : public nn::DecoderNetwork {
 public:
  ClipPictures(const NetworkRequest& request, const Layout& layout, nn::WeightLoader loader)
      : nn::DecoderNetwork(request), network_(loader, layout) {
    loader.finish();
    spec_ = network_.spec(layout, request.config);
    info_ = loader.info(kName, network_.description(layout));
  }

 private:
  at::Tensor pass(nn::Run& run, const at::Tensor& latents) const override {
    std::vector<at::Tensor> pictures;
    for (int64_t i = 0; i < latents.size(0); ++i) {
      typename ClipNetwork::Memory memory;
      pictures.push_back(network_(run, latents.narrow(0, i, 1), memory));
    }
    return pictures.size() == 1 ? pictures.front() : at::cat(pictures);
  }

  ClipNetwork network_;
};

template <typename ClipNetwork>
class Clips final : public TemporalDecoder {
 public:
  Clips(const NetworkRequest& request, const Layout& layout, nn::WeightLoader loader)
      : device_(request.device), network_(loader, layout), spec_(network_.spec(layout, request.config)) {
    loader.finish();
    info_ = loader.info(kName, network_.description(layout));
  }

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  bool depends_on_chunks() const override { return ClipNetwork::depends_on_chunks; }
  int64_t frames(int64_t latents) const override { return network_.frames(latents); }
  std::unique_ptr<FrameStream> begin() const override { return std::make_unique<Stream>(*this); }

  int64_t macs(int64_t frames, int64_t h, int64_t w) const override {
    nn::Run run = nn::Run::count();
    typename ClipNetwork::Memory memory;
    network_(run, at::empty({frames, spec_.channels, h, w}, at::kMeta), memory);
    return run.macs();
  }

 private:
  class Stream final : public FrameStream {
   public:
    explicit Stream(const Clips& clips) : clips_(clips) {}
    at::Tensor push(const at::Tensor& latents, std::stop_token stop) override {
      return clips_.decode(latents, memory_, std::move(stop));
    }

   private:
    const Clips& clips_;
    typename ClipNetwork::Memory memory_;
  };

  at::Tensor decode(const at::Tensor& latents, typename ClipNetwork::Memory& memory, std::stop_token stop) const {
    const at::Tensor frames = latents.defined() && latents.dim() == 4 ? latents.transpose(0, 1) : latents;
    nn::require_input(frames, "latents with time in front", spec_.channels);
    const c10::NoGradGuard no_grad;
    nn::Run run = nn::Run::compute(std::move(stop));
    return nn::leave(run, network_(run, nn::enter(run, frames, nn::scalar_type(info_.dtype), device_), memory));
  }

  c10::Device device_;
  ClipNetwork network_;
  LatentSpec spec_;
  NetworkInfo info_;
};

}  // namespace lightswitch::taming
