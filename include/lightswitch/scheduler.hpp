#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace lightswitch {

/// One sampling run: the state between the first and the last step. Belongs to one request and one thread.
class SchedulerRun {
 public:
  virtual ~SchedulerRun() = default;

  /// Denoising steps of this run, strength already taken into account. Multistep and second-order samplers may differ
  /// from the number that was asked for.
  virtual int64_t size() const = 0;
  virtual double timestep(int64_t i) const = 0;
  /// Unit noise times this is the first sample of a text-to-image run.
  virtual double initial_noise_scale() const = 0;
  virtual at::Tensor scale_model_input(const at::Tensor& sample, int64_t i) const = 0;
  /// True when step i wants unit noise of the sample's shape.
  virtual bool needs_noise(int64_t i) const = 0;

  struct Step {
    at::Tensor sample;        ///< the next, less noisy sample
    at::Tensor predicted_x0;  ///< the clean latents this step believes in; what previews decode
  };
  /// @param noise unit noise shaped like sample when needs_noise(i), else an undefined tensor.
  virtual Step step(const at::Tensor& model_output, int64_t i, const at::Tensor& sample, const at::Tensor& noise) = 0;
  /// Clean latents x0 with noise of step i's level: the start of an image-to-image run.
  virtual at::Tensor add_noise(const at::Tensor& x0, const at::Tensor& noise, int64_t i) const = 0;
};

/// A sampler. Draws no random numbers: noise always comes from the caller. Shared between threads without change.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  /// @param steps >= 1.  @param strength in (0, 1]: share of the schedule that runs; 1 for text to image.
  virtual std::unique_ptr<SchedulerRun> begin(int64_t steps, double strength = 1.0) const = 0;
};

}  // namespace lightswitch
