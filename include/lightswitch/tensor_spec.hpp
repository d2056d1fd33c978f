#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lightswitch {

/// What a latent tensor holds.
enum class LatentKind {
  raw,        ///< the encoder's own space
  diffusion,  ///< what denoiser and scheduler hold: (raw - shift) * scale
  indices,    ///< codebook entries, int64
};

/// The range a network's output layer was trained to.
enum class OutputRange {
  signed_unit,  ///< [-1, 1]
  unit,         ///< [0, 1]
};

/// Arithmetic type of a network. `automatic` is bf16 where this CPU multiplies it faster than fp32, else fp32.
enum class DType { automatic, fp32, bf16, fp16, int8 };

/// What a decoder eats and gives. Latents are [N, channels, h, w]; pictures [N, 3, h * factor, w * factor].
struct LatentSpec {
  std::string space;                           ///< name of the latent space ("sd1", "scenes"); empty when unknown
  int64_t channels = 4;                        ///< C of the latents
  int64_t factor = 8;                          ///< pixels per latent along each axis
  LatentKind network_input = LatentKind::raw;  ///< what Decoder::forward takes
  /// Entries of the codebook, where there is one: forward then takes indices [N, h, w] int64 below this too.
  int64_t codebook = 0;
  double scaling_factor = 1.0;                          ///< diffusion = (raw - shift_factor) * scaling_factor
  double shift_factor = 0.0;                            ///< see scaling_factor; in units of the raw latents
  OutputRange output_range = OutputRange::signed_unit;  ///< what Decoder::forward returns (not clamped)
  /// Latents on each side that can influence an output pixel; meaningless when global_operations is set.
  int64_t halo = 0;
  /// True when normalisation or attention sees the whole picture: tiles are then never exact.
  bool global_operations = false;
};

const char* to_string(LatentKind kind);
const char* to_string(OutputRange range);
const char* to_string(DType dtype);

/// Parses "raw", "diffusion" or "indices"; nullopt for anything else.
std::optional<LatentKind> parse_latent_kind(const std::string& text);
/// Parses "signed" or "unit"; nullopt for anything else.
std::optional<OutputRange> parse_output_range(const std::string& text);
/// Parses "auto", "fp32", "bf16" or "fp16"; nullopt for anything else.
std::optional<DType> parse_dtype(const std::string& text);

}  // namespace lightswitch
