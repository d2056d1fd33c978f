#include "svd/whole_clip.hpp"

#include <ATen/ATen.h>

#include <utility>

namespace lightswitch::svd {

/// Takes the clip from block to block; layers between blocks wait until the next one asks for a frame, so that no frame
/// is kept at its largest.
class WholeClip::Walk {
 public:
  Walk(nn::Run& run, std::vector<at::Tensor>& clip, std::vector<Layer>& waiting)
      : run_(run), clip_(clip), waiting_(waiting) {}

  void operator()(const nn::autoencoder::SpatioTemporalBlock& block) {
    for (at::Tensor& frame : clip_) {
      at::Tensor x = std::exchange(frame, {});
      for (const Layer& layer : waiting_) x = layer(run_, std::move(x));
      frame = block.spatial(run_, x);
    }
    waiting_.clear();
    block.along_time(run_, clip_);
  }
  template <typename OfFrames>
  void operator()(const OfFrames& layer) {
    waiting_.push_back([&layer](nn::Run& run, at::Tensor x) { return layer(run, std::move(x)); });
  }

 private:
  nn::Run& run_;
  std::vector<at::Tensor>& clip_;
  std::vector<Layer>& waiting_;
};

WholeClip::WholeClip(const Frames& frames, const at::Tensor& latents)
    : frames_(frames), clip_(latents.split(1)), last_(frames.time_conv_out()) {}

at::Tensor WholeClip::next(nn::Run& run, int64_t count) {
  if (!std::exchange(walked_, true)) frames_.half().walk(Walk(run, clip_, rest_));
  std::vector<at::Tensor> pictures;
  while (static_cast<int64_t>(pictures.size()) < count) pictures.push_back(next_picture(run));
  return at::cat(pictures);
}

at::Tensor WholeClip::next_picture(nn::Run& run) {
  while (shown_ < clip_.size()) {
    at::Tensor x = std::exchange(clip_[shown_++], {});
    for (const Layer& layer : rest_) x = layer(run, std::move(x));
    if (at::Tensor picture = last_.push(run, x); picture.defined()) return picture;
  }
  return last_.finish(run);
}

}  // namespace lightswitch::svd
