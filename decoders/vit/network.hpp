#pragma once

#include <lightswitch/decoder.hpp>

#include <optional>
#include <variant>
#include <vector>

#include "vit/blocks.hpp"
#include "vit/resample.hpp"

namespace lightswitch::vit {

class VitDecoder final : public Decoder {
 public:
  VitDecoder(const NetworkRequest& request, const Layout& layout);

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& latents, std::stop_token stop) const override;
  int64_t macs(int64_t h, int64_t w) const override;

 private:
  struct UpStage {
    std::optional<Upsample> upsample;
    Blocks blocks;
  };
  at::Tensor run_layers(nn::Run& run, const at::Tensor& latents) const;
  int64_t halo(const Layout& layout) const;

  LatentSpec spec_;
  NetworkInfo info_;
  at::ScalarType dtype_;
  c10::Device device_;
  nn::Conv2d project_in_;
  std::vector<UpStage> stages_;
  nn::RmsNorm2d norm_out_;
  std::variant<nn::Conv2d, Upsample> project_out_;
};

class VitEncoder final : public Encoder {
 public:
  VitEncoder(const NetworkRequest& request, const Layout& layout);

  const LatentSpec& spec() const override { return spec_; }
  const NetworkInfo& info() const override { return info_; }
  at::Tensor forward(const at::Tensor& pictures, std::stop_token stop) const override;
  int64_t macs(int64_t height, int64_t width) const override;

 private:
  struct DownStage {
    Blocks blocks;
    std::optional<Downsample> downsample;
  };
  at::Tensor run_layers(nn::Run& run, const at::Tensor& pictures) const;

  LatentSpec spec_;
  NetworkInfo info_;
  at::ScalarType dtype_;
  c10::Device device_;
  std::variant<nn::Conv2d, Downsample> project_in_;
  std::vector<DownStage> stages_;
  nn::Conv2d project_out_;
};

}  // namespace lightswitch::vit
