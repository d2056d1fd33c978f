#pragma once

#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/error.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Plug-ins as a host sees them: shared libraries that keep to plugin.h. Opening one runs its code with the rights of
/// this process, so only what the user names is ever opened.
namespace lightswitch {

class TemporalDecoder;  // temporal_decoder.hpp

/// A plug-in broke a rule of plugin.h, or failed without saying which error of error.hpp it is.
class PluginError : public Error {
 public:
  using Error::Error;
};

/// `PLUGIN.so[:WEIGHTS]`.
struct PluginSource {
  std::filesystem::path plugin;
  std::string weights;  ///< file or folder; empty when none is named

  /// nullopt when the text names no shared library: it neither ends in ".so" nor holds ".so:".
  static std::optional<PluginSource> parse(std::string_view text);
};

/// What a plug-in says about itself before it makes anything.
struct PluginInfo {
  struct Option {
    std::string name, summary, default_value;
  };
  std::string name, summary, version;
  std::string abi;  ///< "1.0"
  std::vector<Option> options;
  std::vector<std::string> extensions;  ///< ids of those that this host knows and the plug-in has
};

/// @throws FileError (cannot be read), FormatError (no shared library), PluginError (cannot be loaded, symbol missing,
/// another major version, truncated or null tables; names the field).
PluginInfo describe_plugin(const std::filesystem::path& plugin);

/// How the functions below make their network.
struct PluginSettings {
  /// A SPEC's options: the plug-in's own, and those that the host applies to every plug-in (range, latent-kind,
  /// scaling-factor, shift-factor, space, dtype).
  std::map<std::string, std::string> options = {};
  DType dtype = DType::automatic;  ///< the option wins
  c10::Device device = c10::Device(c10::kCPU);
};

/// A network of the plug-in. The library stays loaded as long as the network lives; symbols of two plug-ins never meet.
/// macs() is 0 where the plug-in does not count.
/// @throws as describe_plugin(), OptionError naming the known options, and what the plug-in reports.
std::shared_ptr<const Decoder> open_plugin_decoder(const PluginSource& source, const PluginSettings& settings = {});
/// @throws also UnsupportedError when the plug-in does not encode.
std::shared_ptr<const Encoder> open_plugin_encoder(const PluginSource& source, const PluginSettings& settings = {});
/// @throws also UnsupportedError when the plug-in knows no clips.
std::shared_ptr<const TemporalDecoder> open_plugin_temporal_decoder(const PluginSource& source,
                                                                    const PluginSettings& settings = {});

}  // namespace lightswitch
