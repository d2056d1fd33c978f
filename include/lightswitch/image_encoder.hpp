#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lightswitch {

/// A network that says what a picture shows (CLIP's image half), for denoisers that start from a picture.
class ImageEncoder {
 public:
  virtual ~ImageEncoder() = default;

  /// Edge of the square pictures that it takes, in pixels.
  virtual int64_t size() const = 0;
  /// @param pictures [B, 3, size, size] float32 in [0, 1]; the network normalises them itself.
  /// @return [B, L, D] float32: the denoiser's "encoder_hidden_states".
  virtual at::Tensor encode(const at::Tensor& pictures) const = 0;
};

/// Scales a picture to a square as Stable Video Diffusion does before its image encoder: a Gaussian blur of
/// (scale - 1) / 2 pixels along each axis with reflected edges, then bicubic interpolation with aligned corners. The
/// aspect ratio is not kept. (Stability-AI/generative-models, sgm/modules/encoders; kornia's resize with antialias.)
/// @param picture [3, H, W] float32 in [0, 1]. @return [3, size, size], which may leave [0, 1] a little.
at::Tensor resize_for_image_encoder(const at::Tensor& picture, int64_t size);

}  // namespace lightswitch
