#pragma once

#include <lightswitch/plugin_host.hpp>

#include <nlohmann/json_fwd.hpp>

#include "cli/session.hpp"

namespace lightswitch::cli {

/// Notes under `rules` a verdict for every rule of plugin.h, and the broken ones among `problems`. Each rule is tried
/// in a process of its own, so that a crash or a hang is a verdict like any other.
/// @return whether the plug-in got as far as making a decoder without harm. @throws Cancelled.
bool try_plugin_rules(nlohmann::ordered_json& report, const PluginSource& source, const PluginSettings& settings,
                      Session& session);

/// What a plug-in says about itself: name, version, options, extensions. Runs it in this process.
void note_plugin_info(nlohmann::ordered_json& report, const PluginInfo& info);

}  // namespace lightswitch::cli
