#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "nn/network.hpp"
#include "vit/blocks.hpp"
#include "vit/resample.hpp"

namespace lightswitch::vit {

class VitDecoder final : public nn::DecoderNetwork {
 public:
  VitDecoder(const NetworkRequest& request, const Layout& layout);

 private:
  struct UpStage {
    std::optional<Upsample> upsample;
    Blocks blocks;
  };
  at::Tensor pass(nn::Run& run, const at::Tensor& x) const override;
  int64_t halo(const Layout& layout) const;

  nn::Conv2d project_in_;
  std::vector<UpStage> stages_;
  nn::RmsNorm2d norm_out_;
  std::variant<nn::Conv2d, Upsample> project_out_;
};

class VitEncoder final : public nn::EncoderNetwork {
 public:
  VitEncoder(const NetworkRequest& request, const Layout& layout);

 private:
  struct DownStage {
    Blocks blocks;
    std::optional<Downsample> downsample;
  };
  at::Tensor pass(nn::Run& run, const at::Tensor& x) const override;

  std::variant<nn::Conv2d, Downsample> project_in_;
  std::vector<DownStage> stages_;
  nn::Conv2d project_out_;
};

}  // namespace lightswitch::vit
