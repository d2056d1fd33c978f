#pragma once

#include <string>
#include <vector>

#include "nn/autoencoder/blocks.hpp"

namespace lightswitch::nn::autoencoder {

/// A 3-tap convolution along time, weights [out, in, 3, 1, 1]; beyond the ends there are zeros.
class TemporalConv {
 public:
  /// @param scale what weights and bias are multiplied by.
  TemporalConv(WeightLoader& loader, const std::string& name, int64_t channels, double scale = 1);
  /// @param frames [T, C, H, W], consecutive frames of one clip.
  at::Tensor operator()(Run& run, const at::Tensor& frames) const;

  /// The same in pieces: what was pushed is remembered as far as later frames see it.
  class Stream {
   public:
    /// The convolution must outlive the stream.
    explicit Stream(const TemporalConv& conv) : conv_(conv) {}
    /// @param frame [1, C, H, W], the next one. @return the one before it, undefined at the first push.
    at::Tensor push(Run& run, const at::Tensor& frame);
    /// The last frame. @throws nothing that push() does not.
    at::Tensor finish(Run& run);

   private:
    at::Tensor between(Run& run, const at::Tensor& after);

    const TemporalConv& conv_;
    at::Tensor before_, here_;
  };

 private:
  at::Tensor compute(Run& run, const at::Tensor& frames, int64_t padding) const;

  std::string name_;
  at::Tensor weight_, bias_;
};

/// A residual block on each frame, then one along time, mixed by a learned factor. The batch is the frames of one clip;
/// the temporal norms take their statistics over all of them.
class SpatioTemporalBlock {
 public:
  static constexpr const char* kFirstConvolution = "spatial_res_block.conv1.weight";

  SpatioTemporalBlock(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, const Plan& plan);
  /// @param frames [T, in, H, W]. @return [T, out, H, W].
  at::Tensor operator()(Run& run, const at::Tensor& frames) const;

  /// The first half, of single frames.
  at::Tensor spatial(Run& run, const at::Tensor& frames) const { return spatial_(run, frames); }
  /// The second half over a whole clip with the memory of a few frames: its norms see all frames, as if they had been
  /// one batch. The first temporal convolution is computed twice, once for the statistics of the norm behind it.
  /// @param frames each [1, out, H, W], what spatial() has made; become what the block makes of the clip.
  void along_time(Run& run, std::vector<at::Tensor>& frames) const;

 private:
  ResidualBlock spatial_;
  GroupNorm norm1_, norm2_;
  TemporalConv conv1_, conv2_;
};

}  // namespace lightswitch::nn::autoencoder
