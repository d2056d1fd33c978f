#pragma once

#include <filesystem>
#include <string>

namespace lightswitch::testing {

/// A plug-in of tests/abi/fakes.
inline std::filesystem::path fake_plugin(const std::string& name) {
  return std::filesystem::path(LIGHTSWITCH_FAKE_PLUGINS) / (name + ".so");
}

/// A plug-in that this build makes for users: template, kl, taming, …
inline std::filesystem::path bundled_plugin(const std::string& name) {
  return std::filesystem::path(LIGHTSWITCH_BINARY_DIR) / "lib" / "lightswitch" / "decoders" / (name + ".so");
}

}  // namespace lightswitch::testing
