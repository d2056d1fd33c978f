#pragma once

#include <lightswitch/plugin_host.hpp>

#include <map>
#include <string>

#include "decoder/plugin_library.hpp"

namespace lightswitch {

/// lightswitch_request with everything that it points to.
struct PluginOrder {
  std::string weights;
  std::map<std::string, std::string> options;  ///< the plug-in's own alone
  Config config;
  DType dtype = DType::automatic;
  c10::Device device = c10::Device(c10::kCPU);
};

/// A SPEC's options, sorted by who understands them: the plug-in, or this host.
struct SortedSettings {
  PluginOrder order;
  Config reading;  ///< how latents and pictures are to be read
};

/// @throws OptionError for an option that nobody knows, FileError and FormatError for the config.json beside the
/// weights.
SortedSettings sort_settings(const PluginLibrary& library, const PluginSource& source, const PluginSettings& settings);

}  // namespace lightswitch
