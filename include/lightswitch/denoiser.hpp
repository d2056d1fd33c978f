#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/text_encoder.hpp>

#include <cstdint>

namespace lightswitch {

/// The network that a sampler calls once or twice a step.
class Denoiser {
 public:
  virtual ~Denoiser() = default;

  /// Latent height and width must be multiples of this.
  virtual int64_t size_multiple() const { return 1; }

  /// True for a network distilled from guided predictions (LCM): it reads "guidance_scale" [B] from its conditioning,
  /// and one pass does for two.
  virtual bool takes_guidance() const { return false; }

  /// @param sample [B, C, h, w] float32, already scaled by the scheduler's scale_model_input.
  /// @param timestep in the scheduler's units, 0 … num_train_timesteps.
  /// @param conditioning batch size B.
  /// @return [B, C, h, w] float32: epsilon, v or the sample, whichever the scheduler was configured for.
  virtual at::Tensor predict(const at::Tensor& sample, double timestep, const Conditioning& conditioning) const = 0;
};

}  // namespace lightswitch
