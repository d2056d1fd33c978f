#pragma once

#include <c10/core/Device.h>
#include <lightswitch/calibration.hpp>
#include <lightswitch/decoder.hpp>
#include <lightswitch/weights.hpp>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lightswitch {

class TemporalDecoder;  // temporal_decoder.hpp

/// Facts a weight file cannot show (norm groups, activation, scaling factor): a config.json flattened to text, or a
/// package's own. Nested keys are joined with '.', list items carry their index ("block_out_channels.0").
using Config = std::map<std::string, std::string>;

/// What a family needs to build a network.
struct NetworkRequest {
  std::shared_ptr<const WeightSource> weights;
  Config config;  ///< keys the family does not know are ignored: diffusers' files hold many
  DType dtype = DType::automatic;
  c10::Device device = c10::Device(c10::kCPU);
  std::shared_ptr<const Calibration> calibration = nullptr;  ///< needed for int8, ignored otherwise
};

/// One decoder family: how to recognise its files and how to build its networks.
struct DecoderFamily {
  std::string name;     ///< "kl", "vit", "taming"
  std::string summary;  ///< one line for `lightswitch decoders`
  /// True when the keys and shapes belong to this family. Must not throw and must not read tensor data.
  bool (*recognises)(const WeightSource&) = nullptr;
  /// Strict: @throws WeightsError listing every missing, unexpected and misshapen tensor.
  std::unique_ptr<Decoder> (*make_decoder)(const NetworkRequest&) = nullptr;
  /// Null when the family has no encoder. @throws WeightsError as above, also when the file holds no encoder.
  std::unique_ptr<Encoder> (*make_encoder)(const NetworkRequest&) = nullptr;
  /// Null when the family knows no clips. @throws WeightsError as above, also when the file holds no such decoder.
  std::unique_ptr<TemporalDecoder> (*make_temporal_decoder)(const NetworkRequest&) = nullptr;
  /// Null with make_temporal_decoder. True when the decoder in this file is one of clips. As recognises(): must not
  /// throw, must not read tensor data.
  bool (*decodes_clips)(const WeightSource&) = nullptr;
  /// SPEC options that mean something to this family and not to every other ("bn").
  std::vector<std::string> options = {};
};

/// The families an application works with. An object, never process-wide: two registries know nothing of each other.
class DecoderRegistry {
 public:
  DecoderRegistry() = default;
  explicit DecoderRegistry(std::span<const DecoderFamily> families);

  /// @throws OptionError when a family of that name is already there.
  void add(DecoderFamily family);
  const std::vector<DecoderFamily>& families() const { return families_; }

  /// @throws OptionError naming the known families.
  const DecoderFamily& family(std::string_view name) const;
  /// The family whose keys these are. @throws WeightsError when none, or more than one, recognises them.
  const DecoderFamily& recognise(const WeightSource& weights) const;

  /// Builds a network of one family, known or not. @throws whatever the family throws; when the weights do not fit it
  /// and another family recognises them, the WeightsError names that one too.
  std::unique_ptr<Decoder> make_decoder(const DecoderFamily& family, const NetworkRequest& request) const;
  /// @throws UnsupportedError when the family has no encoder, else as make_decoder().
  std::unique_ptr<Encoder> make_encoder(const DecoderFamily& family, const NetworkRequest& request) const;
  /// @throws UnsupportedError when the family has no decoder of clips, else as make_decoder().
  std::unique_ptr<TemporalDecoder> make_temporal_decoder(const DecoderFamily& family,
                                                         const NetworkRequest& request) const;

 private:
  std::vector<DecoderFamily> families_;
};

/// The families built into the library, as an explicit table (target lightswitch::builtin_decoders).
std::span<const DecoderFamily> builtin_decoder_families();

}  // namespace lightswitch
