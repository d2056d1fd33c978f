#pragma once

#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/log.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace lightswitch {

class ModelPackage;

/// The one way to name a decoder or encoder: `SOURCE[,key=value…]`, SOURCE being a name the package lists, a weight
/// file or a diffusers folder (config.json beside the weights is honoured), or a plug-in: `PLUGIN.so[:WEIGHTS]`.
struct NetworkSpec {
  std::string source;
  std::map<std::string, std::string> options;  ///< dtype, family, range, latent-kind, scaling-factor, shift-factor,
                                               ///< space, and a family's (snap, bn) or a plug-in's own

  /// @throws OptionError for an empty source, a repeated or unknown option (naming the nearest known one).
  static NetworkSpec parse(std::string_view text);
};

/// Where SPECs are looked up and what they default to.
struct NetworkContext {
  const DecoderRegistry& registry;
  const ModelPackage* package = nullptr;  ///< null: only files can be named
  DType dtype = DType::automatic;         ///< a SPEC's own dtype wins
  c10::Device device = c10::Device(c10::kCPU);
  LogSink log = {};  ///< told when another dtype is used than the one asked for
};

/// Never another decoder than the one named. One whose config.json says force_upcast overflows in fp16: asked for in
/// fp16 it is opened as with `automatic`, and the log says so. @throws OptionError, FileError, FormatError,
/// IntegrityError, WeightsError, PluginError.
std::shared_ptr<const Decoder> open_decoder(const NetworkSpec& spec, const NetworkContext& context);
std::shared_ptr<const Encoder> open_encoder(const NetworkSpec& spec, const NetworkContext& context);

/// Where the calibration of a family's decoder is looked for when it is opened in int8: what the SPEC says, else beside
/// the weights. Whether it is there is not looked at. @throws as open_decoder(), UnsupportedError for a plug-in or
/// pair.
std::filesystem::path calibration_file(const NetworkSpec& spec, const NetworkContext& context);

/// Whether the decoder that a SPEC names is one of clips. Reads names and shapes alone; only a plug-in has to be opened
/// for it, which says no where it knows no clips or the weights are not of them. @throws as open_decoder().
bool decodes_clips(const NetworkSpec& spec, const NetworkContext& context);
/// @throws as open_decoder(), and UnsupportedError for a decoder of pictures.
std::shared_ptr<const TemporalDecoder> open_temporal_decoder(const NetworkSpec& spec, const NetworkContext& context);

/// A diffusers-style config.json flattened to text. @throws FileError, FormatError.
Config read_config(const std::filesystem::path& file);

}  // namespace lightswitch
