#pragma once

#include <lightswitch/audio/frame_gate.hpp>
#include <lightswitch/audio/quantizer.hpp>
#include <lightswitch/audio/soundstream.hpp>
#include <lightswitch/weights.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace lightswitch::audio {

/// The parts of a codec that share one latent space. Immutable: one object serves any number of streams and threads.
class CodecModel {
 public:
  /// A safetensors file: tensors encoder.*, heavy.*, quantizer.codebooks, and, where they are there, light.* and
  /// gate.*; metadata `format` "lightswitch.soundstream", `version` "1", `sample_rate`, and the layout of each network
  /// under its name (Layout::to_metadata). Or a folder with the three .tflite files of Lyra V2.
  /// @throws FileError, FormatError, OptionError for a layout, WeightsError listing what is missing, unexpected and
  /// misshapen.
  static CodecModel open(const std::filesystem::path& path);
  /// The same from weights that are there. @param identity what identity() tells.
  CodecModel(std::shared_ptr<const WeightSource> weights, std::string identity);

  int64_t sample_rate() const { return sample_rate_; }
  /// Samples in a frame.
  int64_t hop() const { return encoder_.layout().hop(); }
  int64_t features() const { return encoder_.layout().features; }
  /// SHA-256 over the files of the model, 64 lower-case hex digits.
  const std::string& identity() const { return identity_; }
  /// Bits a second with so many stages of the quantizer.
  double bits_per_second(int64_t stages) const;
  /// Stages whose bits over all channels are this rate; 0 asks for all of them. @throws OptionError naming the rates
  /// that there are.
  int64_t stages_for(int64_t bits_per_second, int64_t channels) const;

  const SoundStreamEncoder& encoder() const { return encoder_; }
  const ResidualQuantizer& quantizer() const { return quantizer_; }
  const SoundStreamDecoder& heavy() const { return heavy_; }
  const std::optional<SoundStreamDecoder>& light() const { return light_; }
  const std::optional<FrameGate>& gate() const { return gate_; }

 private:
  int64_t sample_rate_;
  std::string identity_;
  SoundStreamEncoder encoder_;
  ResidualQuantizer quantizer_;
  SoundStreamDecoder heavy_;
  std::optional<SoundStreamDecoder> light_;
  std::optional<FrameGate> gate_;
};

}  // namespace lightswitch::audio
