#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "nn/int8/rounding.hpp"
#include "nn/run.hpp"
#include "nn/weight_loader.hpp"

/// Layers that decoder families are made of. Activations are channels_last [N, C, H, W] in the loader's dtype from the
/// first layer to the last; only between two layers of which one feeds() the other they may be bytes. This is the one
/// place where execution is tuned: families say what is computed, layers
/// decide how. Layers that take their input by value write the result over it when it is a temporary.
namespace lightswitch::nn {

class PackedConv;
class Int8Conv;

enum class Activation { none, relu, silu, gelu };

/// Refuses what a network cannot take. `name` and the shape asked for go into the message.
/// @throws TensorError unless x is floating-point [N, channels, H, W] with N, H, W > 0 and H, W multiples of
/// `multiple`.
void require_input(const at::Tensor& x, const char* name, int64_t channels, int64_t multiple = 1);

/// Brings latents or pictures (fp32, any layout) into the form layers work in, and back to contiguous fp32.
at::Tensor enter(Run& run, const at::Tensor& x, at::ScalarType dtype, c10::Device device);
at::Tensor leave(Run& run, const at::Tensor& x);

struct ConvShape {
  int64_t in = 0, out = 0;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t groups = 1;
  bool bias = true;
  /// Padding on the top and left, and on the bottom and right; -1 means kernel / 2.
  int64_t pad_begin = -1, pad_end = -1;
};

/// act(conv(x) + residual). Weight names: NAME.weight, NAME.bias. In an int8 network the wide 3x3 convolutions, which
/// are nearly all of its arithmetic, work in eight bits.
class Conv2d {
 public:
  Conv2d() = default;
  Conv2d(WeightLoader& loader, const std::string& name, const ConvShape& shape, Activation act = Activation::none);
  /// From tensors already in hand (folded batch norm, merged weights). bias may be undefined.
  /// @param name of the layer in the file, without ".weight".
  Conv2d(WeightLoader& loader, std::string name, const at::Tensor& weight, const at::Tensor& bias,
         const ConvShape& shape, Activation act = Activation::none);

  /// `residual` is written over where nobody else sees it.
  at::Tensor operator()(Run& run, const at::Tensor& x, at::Tensor residual = {}) const;
  const ConvShape& shape() const { return shape_; }

  /// What this layer makes goes to `next` and nowhere else: where both work in eight bits, it is rounded once.
  void feeds(const Conv2d& next);
  /// How the input is rounded; nothing where it is not.
  std::optional<Rounding> rounds_input() const;

 private:
  at::Tensor compute(Run& run, const at::Tensor& x, at::Tensor residual) const;
  at::Tensor compute_int8(Run& run, const at::Tensor& x, at::Tensor residual) const;
  at::Tensor compute_packed(Run& run, const at::Tensor& x, at::Tensor residual) const;
  bool works_in_int8() const;

  std::string name_;
  std::shared_ptr<const Int8Conv> int8_;      // in an int8 network, for the layers that are rounded
  std::optional<Rounding> output_;            // of an int8_ that feeds another
  std::shared_ptr<const PackedConv> packed_;  // null where oneDNN does not serve; then the tensors below do
  at::Tensor weight_, bias_;
  ConvShape shape_;
  Activation act_ = Activation::none;
};

/// Nearest 2x upsampling followed by a 3x3 convolution, computed exactly as four 2x2 phases (9 -> 4 multiply-adds per
/// output).
class UpsampleConv2d {
 public:
  UpsampleConv2d() = default;
  UpsampleConv2d(WeightLoader& loader, const std::string& name, int64_t in, int64_t out, bool bias = true);
  at::Tensor operator()(Run& run, const at::Tensor& x) const;

 private:
  std::string name_;
  std::shared_ptr<const Int8Conv> int8_;      // as in Conv2d
  std::shared_ptr<const PackedConv> packed_;  // as in Conv2d
  at::Tensor weight_, bias_;
  int64_t in_ = 0, out_ = 0;
};

/// act(group_norm(x)), statistics in fp32 or better; those of another picture where the run brings them.
class GroupNorm {
 public:
  /// What a group's statistics are taken over. All pictures of the batch as one: where they are the frames of a video,
  /// and, with a group for every channel, batch norm as PyTorch computes it in training mode.
  enum class Over { each_picture, all_pictures };

  GroupNorm() = default;
  GroupNorm(WeightLoader& loader, const std::string& name, int64_t channels, int64_t groups, double eps,
            Activation act = Activation::none, Over over = Over::each_picture);
  at::Tensor operator()(Run& run, at::Tensor x) const;

  /// As Conv2d::feeds().
  void feeds(const Conv2d& next) { output_ = next.rounds_input(); }

  /// Mean and variance of each group, [N, groups, 2], or [1, groups, 2] over all pictures.
  at::Tensor statistics(const at::Tensor& x) const;
  /// With those of other pictures in place of its own: [1, groups, 2].
  at::Tensor with(Run& run, const at::Tensor& statistics, at::Tensor x) const;

 private:
  at::Tensor finish(Run& run, const at::Tensor& statistics, at::Tensor x) const;
  at::Tensor to_bytes(const at::Tensor& x, const at::Tensor& statistics) const;
  at::Tensor on_device(Run& run, const at::Tensor& x, const at::Tensor& statistics) const;

  std::string name_;
  at::Tensor weight_, bias_;
  int64_t groups_ = 0;
  double eps_ = 0;
  Activation act_ = Activation::none;
  Over over_ = Over::each_picture;
  std::optional<Rounding> output_;
};

/// Statistics [N, groups, 2] of N pictures of one size, taken as one picture: [1, groups, 2].
at::Tensor pooled(const at::Tensor& statistics);

/// act(x / sqrt(mean over channels of x^2 + eps) * weight + bias) per pixel, in fp32.
class RmsNorm2d {
 public:
  RmsNorm2d() = default;
  RmsNorm2d(WeightLoader& loader, const std::string& name, int64_t channels, double eps,
            Activation act = Activation::none);
  at::Tensor operator()(Run& run, at::Tensor x) const;

 private:
  at::Tensor compute(Run& run, at::Tensor x) const;

  std::string name_;
  at::Tensor weight_, bias_;
  double eps_ = 0;
  Activation act_ = Activation::none;
  double largest_ = 0;  // no result exceeds it
};

/// softmax(q k^T / sqrt(d)) v over pixels with one or more heads, never materialising the score matrix.
/// @param q, k, v [N, C, H, W].
at::Tensor attention(Run& run, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads = 1);

/// out[c, 2y+a, 2x+b] = in[4c+2a+b] for factor 2.
at::Tensor pixel_shuffle(Run& run, const at::Tensor& x, int64_t factor);
at::Tensor pixel_unshuffle(Run& run, const at::Tensor& x, int64_t factor);

/// Twice the size, each pixel between four of the input (corners not aligned).
at::Tensor upsample_bilinear(Run& run, const at::Tensor& x);

at::Tensor activate(Run& run, at::Tensor x, Activation act);
at::Tensor add(Run& run, at::Tensor a, const at::Tensor& b);

}  // namespace lightswitch::nn
