#pragma once

#include <ATen/core/Tensor.h>
#include <lightswitch/tensor_spec.hpp>

#include <filesystem>
#include <map>
#include <stop_token>
#include <string>

namespace lightswitch {

class Decoder;  // decoder.hpp

/// The smallest and largest number that a layer was given; zero is always among them.
struct ActivationRange {
  double low = 0, high = 0;  ///< low <= 0 <= high, finite
};

/// What an int8 network rounds by: the range of every layer that is computed in eight bits, under the name of its
/// weight in the file without ".weight". Belongs to one set of weights.
struct Calibration {
  std::map<std::string, ActivationRange> ranges;
  std::string origin;  ///< file it was read from, for messages

  /// Takes in what was seen on other latents, too.
  void widen(const Calibration& other);
};

/// What a decoder offers that can be computed in int8.
class Calibrating {
 public:
  virtual ~Calibrating() = default;

  /// One Decoder::forward(), whose layers are watched. @throws UnsupportedError when the decoder itself is int8, else
  /// as forward().
  virtual Calibration watch(const at::Tensor& latents, std::stop_token stop = {}) const = 0;
};

/// The ranges on typical latents: a few dozen are enough, of pictures like those to be decoded.
/// @param latents [N, channels, h, w] of kind `kind`, decoded one by one.
/// @throws UnsupportedError when the decoder cannot be computed in int8, NumericError, TensorError, Cancelled.
Calibration calibrate(const Decoder& decoder, const at::Tensor& latents, LatentKind kind, std::stop_token stop = {});

/// Where the calibration of a weight file is looked for: vae.int8.json beside vae.safetensors.
std::filesystem::path calibration_beside(const std::filesystem::path& weights);

/// JSON: {"format": "lightswitch.calibration", "version": 1, "ranges": {LAYER: [LOW, HIGH], …}}.
/// @throws FileError, FormatError.
Calibration read_calibration(const std::filesystem::path& file);
/// @throws FileError.
void write_calibration(const Calibration& calibration, const std::filesystem::path& file);

}  // namespace lightswitch
