#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/layers.hpp"

/// The networks of tools/train/routed.py. Activations are [N, C, H, W] in the layers' form.
namespace lightswitch::routed {

/// Latents that a branch looks beyond its tile.
inline constexpr int64_t kHalo = 1;

/// Latents to features of the whole picture, at latent resolution.
class Trunk {
 public:
  explicit Trunk(nn::WeightLoader& loader);
  at::Tensor operator()(nn::Run& run, const at::Tensor& latents) const;

  int64_t latent_channels() const { return first_.shape().in; }
  int64_t width() const { return first_.shape().out; }
  /// Latents that a feature depends on, on every side.
  int64_t reach() const { return 1 + 2 * static_cast<int64_t>(blocks_.size()); }

 private:
  struct Block {
    nn::Conv2d conv1, conv2;
  };

  nn::Conv2d first_;
  std::vector<Block> blocks_;
};

/// Features with a halo to pixels, by one convolution and a matrix.
class Light {
 public:
  Light(nn::WeightLoader& loader, int64_t width, int64_t factor);
  /// @param x [n, width, h + 2, w + 2]. @return [n, 3, factor * h, factor * w].
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

 private:
  nn::Conv2d conv_, out_;
  int64_t factor_;
};

/// Features with a halo to pixels, through a stage at each resolution between. Not padded: the halo is what its
/// convolutions use up.
class Heavy {
 public:
  Heavy(nn::WeightLoader& loader, int64_t width);
  /// As Light.
  at::Tensor operator()(nn::Run& run, const at::Tensor& x) const;

  /// Pixels that a latent becomes, along each axis.
  int64_t factor() const { return int64_t{1} << stages_.size(); }

 private:
  struct Stage {
    nn::Conv2d up, conv, widen, narrow;
  };

  nn::Conv2d enter_, out_;
  std::vector<Stage> stages_;
};

/// What the heavy branch is expected to gain on every tile.
class TileGate {
 public:
  TileGate(nn::WeightLoader& loader, int64_t width);
  /// @return [N, tiles down, tiles across] float32; tiles at the right and the bottom may be partial.
  at::Tensor operator()(nn::Run& run, const at::Tensor& features, int64_t tile) const;

 private:
  nn::Conv2d conv_, out_;
};

}  // namespace lightswitch::routed
