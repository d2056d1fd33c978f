#pragma once

#include <string>
#include <vector>

#include "nn/autoencoder/stages.hpp"

namespace lightswitch::nn::autoencoder {

/// Pictures to latents: conv_in, stages that halve the size, the middle, conv_out, quant_conv where the file has it.
class EncoderHalf {
 public:
  enum class Output {
    latents,
    moments,  ///< means, then as many log-variances
  };

  /// @param loader made for kEncoder. @throws OptionError, UnsupportedError (see read_plan).
  EncoderHalf(WeightLoader& loader, Output output);

  at::Tensor operator()(Run& run, const at::Tensor& pictures) const;

  /// Channels of the latents.
  int64_t channels() const { return channels_; }
  size_t stages() const { return stages_.size(); }
  std::string description() const;

 private:
  struct Stage {
    BlockRun<ResidualBlock> blocks;
    std::vector<Conv2d> downsampler;  // none in the last stage
  };

  void load_output(WeightLoader& loader, Output output);

  Plan plan_;
  Middle<ResidualBlock> middle_;
  int64_t channels_ = 0;
  Conv2d conv_in_, conv_out_;
  std::vector<int64_t> widths_;
  std::vector<Stage> stages_;
  GroupNorm norm_out_;
};

}  // namespace lightswitch::nn::autoencoder
