#pragma once

#include <lightswitch/decoder.hpp>

#include <string>
#include <vector>

#include "nn/layers.hpp"
#include "nn/network.hpp"
#include "taming/layout.hpp"

namespace lightswitch::taming {

/// A block of TAESDV and TAEHV: relu(x + convolutions with ReLU between), the first of which sees the frame before too.
/// There are three of 3x3; in wide files four, of 1x1, 3x3 in groups, 1x1 and 3x3 in groups.
class MemoryBlock {
 public:
  MemoryBlock(nn::WeightLoader& loader, const std::string& name, int64_t width);
  /// @param frames [k, width, h, w]: successive frames.
  /// @param memory the frame before them, undefined (taken for zeros) at a clip's start; becomes the last of `frames`.
  at::Tensor operator()(nn::Run& run, const at::Tensor& frames, at::Tensor& memory) const;

 private:
  nn::Conv2d here_, before_;  ///< halves of the first convolution
  std::vector<nn::Conv2d> others_;
};

/// TAEHV's encoder, for single pictures: each is a clip of one frame, repeated to as many as a latent is made of.
class MemoryEncoder final : public nn::EncoderNetwork {
 public:
  MemoryEncoder(const NetworkRequest& request, const Layout& layout);

 private:
  struct DownStage {
    nn::Conv2d shrink;  ///< makes one frame of `frames`; not used in the first stage, which has blocks alone
    int64_t frames = 1;
    nn::Conv2d downsample;
    std::vector<MemoryBlock> blocks;
  };
  at::Tensor pass(nn::Run& run, const at::Tensor& pictures) const override;
  at::Tensor encode(nn::Run& run, const at::Tensor& clip) const;

  nn::Conv2d conv_in_, conv_out_;
  std::vector<DownStage> stages_;
  int64_t patch_ = 1;   ///< edge of what one pixel of the first convolution is made of
  int64_t frames_ = 1;  ///< of a latent
};

/// TAESDV's and TAEHV's decoder. Frame by frame, so that memory does not grow with the clip; what is remembered makes
/// that exact.
class MemoryNetwork {
 public:
  static constexpr bool depends_on_chunks = false;
  struct Memory {
    std::vector<at::Tensor> blocks = {};  ///< the last frame that each block was given
    bool begun = false;
  };

  MemoryNetwork(nn::WeightLoader& loader, const Layout& layout);
  LatentSpec spec(const Layout& layout, const Config& config) const;
  std::string description(const Layout& layout) const;
  int64_t frames(int64_t latents) const { return growth_ * latents - (growth_ - 1); }
  /// Every latent becomes `growth` frames; of the first of a clip only the last is kept.
  at::Tensor operator()(nn::Run& run, const at::Tensor& latents, Memory& memory) const;

 private:
  struct UpStage {
    nn::Conv2d grow;  ///< used where growth > 0
    int64_t growth = 0;
    nn::UpsampleConv2d upsample;  ///< not used in the first stage
    std::vector<MemoryBlock> blocks;
  };
  at::Tensor next_frames(nn::Run& run, const at::Tensor& latent, Memory& memory) const;

  nn::Conv2d conv_in_, conv_out_;
  std::vector<UpStage> stages_;
  bool relu_out_ = false;  ///< the last stage has a ReLU in place of blocks
  int64_t patch_ = 1;      ///< edge of what one pixel of the last convolution becomes
  int64_t growth_ = 1;
  size_t blocks_ = 0;
};

}  // namespace lightswitch::taming
