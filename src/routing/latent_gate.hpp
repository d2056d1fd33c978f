#pragma once

#include <lightswitch/routing.hpp>
#include <lightswitch/weights.hpp>

#include "nn/layers.hpp"

namespace lightswitch {

/// What a heavy decoder would gain over a light one on whole pictures: three convolutions over the latents as the
/// denoiser holds them, and a mean. Fitted by `python -m train gate` (tools/train/gate.py).
class LatentGate final : public Gate {
 public:
  /// @param weights gate.conv1, gate.conv2 (3x3), gate.out (1x1). @throws WeightsError.
  explicit LatentGate(std::shared_ptr<const WeightSource> weights);

  int64_t channels() const { return conv1_.shape().in; }
  at::Tensor scores(const at::Tensor& latents) const override;
  PathCost cost(at::IntArrayRef shape) const override;

 private:
  explicit LatentGate(nn::WeightLoader loader);
  at::Tensor run(nn::Run& run, const at::Tensor& x) const;

  nn::Conv2d conv1_, conv2_, out_;
  int64_t parameters_ = 0;
};

}  // namespace lightswitch
