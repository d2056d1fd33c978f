#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/error.hpp>
#include <lightswitch/tensor_spec.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace lightswitch {

/// Facts about a loaded network, for reports.
struct NetworkInfo {
  std::string family;         ///< "kl", "vit", "taming", or a plug-in's own word
  std::string configuration;  ///< one line: widths, depths, variants
  int64_t parameters = 0;     ///< trained numbers, as stored (before folding)
  DType dtype = DType::fp32;  ///< arithmetic in use, never `automatic`
  /// How many tensors of the file are other parts of the model, which this network leaves alone, by the start of their
  /// names ("encoder.", "loss.").
  std::map<std::string, int64_t> skipped = {};
};

/// Mean and variance of every group of every normalisation layer that spans the picture, in the order of the layers.
/// Means something only to the decoder that measured it.
using NormStatistics = std::vector<at::Tensor>;

/// What lets a decoder with global norms work on tiles: the norms of all tiles use the statistics of one whole picture,
/// so that tones do not shift from tile to tile. Attention still sees its tile alone.
class SharedNorms {
 public:
  virtual ~SharedNorms() = default;

  /// The statistics of one forward() on [1, channels, h, w]. @throws Cancelled.
  virtual NormStatistics measure(const at::Tensor& latents, std::stop_token stop = {}) const = 0;
  /// Decoder::forward with the statistics of another picture in place of its own. @throws Cancelled.
  virtual at::Tensor forward_with(const NormStatistics& statistics, const at::Tensor& latents,
                                  std::stop_token stop = {}) const = 0;
};

class Calibrating;     // calibration.hpp
class RoutedDecoding;  // routed_decoder.hpp

/// A network that turns latents into pictures.
///
/// forward() is the network as it was trained: no scaling, no clamping. decode() in decode.hpp is what applications
/// call: it applies the LatentSpec, checks shapes and numbers, tiles, and returns pictures in [0, 1]. forward() may be
/// called from several threads at once; the object does not change after construction.
class Decoder {
 public:
  virtual ~Decoder() = default;

  virtual const LatentSpec& spec() const = 0;
  virtual const NetworkInfo& info() const = 0;

  /// @param latents [N, channels, h, w] float32 of kind spec().network_input (int64 [N, h, w] for
  /// indices, which a decoder with spec().codebook > 0 takes as well).
  /// @return [N, 3, h * factor, w * factor] float32 in spec().output_range, unclamped.
  /// @throws Cancelled when `stop` is requested; checked between layers.
  virtual at::Tensor forward(const at::Tensor& latents, std::stop_token stop = {}) const = 0;

  /// Multiply-adds of one forward() on [1, channels, h, w], counted by the layers themselves.
  virtual int64_t macs(int64_t h, int64_t w) const = 0;

  /// Bytes that forward() on [1, channels, h, w] has in use at one time, weights not counted, predicted from the
  /// layers. Nothing where a decoder cannot tell.
  virtual std::optional<int64_t> activation_bytes(int64_t /*h*/, int64_t /*w*/) const { return std::nullopt; }

  /// For an error's message, once a picture came out with NaN or infinity: runs forward() again and names the layer
  /// that made the first. Empty when none did or the decoder cannot tell.
  virtual std::string first_non_finite_layer(const at::Tensor& /*latents*/, std::stop_token /*stop*/ = {}) const {
    return {};
  }

  /// Null when the decoder cannot run with statistics measured elsewhere.
  virtual const SharedNorms* shared_norms() const { return nullptr; }

  /// Null when the decoder cannot be computed in int8.
  virtual const Calibrating* calibrating() const { return nullptr; }

  /// Null when there is one way through the decoder.
  virtual const RoutedDecoding* routing() const { return nullptr; }
};

/// A network that turns pictures into latents.
class Encoder {
 public:
  virtual ~Encoder() = default;

  /// The same LatentSpec as the decoder's: factor, channels, scale and shift; output_range is the range the pictures
  /// must have.
  virtual const LatentSpec& spec() const = 0;
  virtual const NetworkInfo& info() const = 0;

  /// @param pictures [N, 3, H, W] float32 in spec().output_range; H and W multiples of the factor.
  /// @return [N, channels, H / factor, W / factor] float32 of kind spec().network_input; a posterior's mode, never a
  /// sample.
  virtual at::Tensor forward(const at::Tensor& pictures, std::stop_token stop = {}) const = 0;

  /// The codebook entries of latents that forward() made.
  /// @param latents [N, channels, h, w] of kind raw. @return [N, h, w] int64, each below spec().codebook.
  /// @throws UnsupportedError when there is no codebook, TensorError, Cancelled.
  virtual at::Tensor to_indices(const at::Tensor& /*latents*/, std::stop_token /*stop*/ = {}) const {
    throw UnsupportedError("this encoder has no codebook", {"", "kind", "raw or diffusion", "indices"});
  }

  /// Multiply-adds of one forward() on [1, 3, H, W].
  virtual int64_t macs(int64_t height, int64_t width) const = 0;
};

}  // namespace lightswitch
