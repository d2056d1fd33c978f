#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "svd/frames.hpp"

namespace lightswitch::svd {

/// A clip that is decoded as one chunk, with the memory of one activation for each frame: layer by layer over the whole
/// clip, so that the temporal norms see all of it.
class WholeClip {
 public:
  /// @param frames outlives the clip. @param latents [T, C, h, w] in the layers' form.
  WholeClip(const Frames& frames, const at::Tensor& latents);

  /// The next pictures [count, 3, H, W]. The first call does nearly all of the work.
  /// @throws Cancelled: the clip is then over.
  at::Tensor next(nn::Run& run, int64_t count);

 private:
  using Layer = std::function<at::Tensor(nn::Run&, at::Tensor)>;
  class Walk;

  at::Tensor next_picture(nn::Run& run);

  const Frames& frames_;
  std::vector<at::Tensor> clip_;  ///< each frame as far as it is computed
  std::vector<Layer> rest_;       ///< layers of single frames that are still to come
  bool walked_ = false;
  size_t shown_ = 0;  ///< frames that the last convolution has been given
  nn::autoencoder::TemporalConv::Stream last_;
};

}  // namespace lightswitch::svd
