#pragma once

#include <lightswitch/plugin_host.hpp>

#include <span>
#include <string>

/// Whether a plug-in keeps to the rules of plugin.h, found out by using it. `lightswitch inspect PLUGIN.so` runs every
/// rule.
namespace lightswitch {

struct PluginVerdict {
  enum class Outcome { kept, broken, skipped };
  Outcome outcome = Outcome::kept;
  std::string detail;  ///< what was found, or why it was not looked at; empty when kept
};

const char* to_string(PluginVerdict::Outcome outcome);

/// One rule. Every check opens the plug-in anew, so that rules can be checked in processes of their own.
struct PluginRule {
  const char* name;     ///< a word: "threads"
  const char* promise;  ///< what a plug-in that keeps it does
  bool needed;          ///< while it is not kept, no later rule can be checked
  /// Runs the plug-in's code in this process: one that crashes takes the process with it. What the plug-in throws or
  /// reports becomes a verdict.
  PluginVerdict check(const PluginSource& source, const PluginSettings& settings = {}) const;

  void (*run)(const PluginSource&, const PluginSettings&);  ///< for check()
};

/// In the order in which they make sense.
std::span<const PluginRule> plugin_rules();

}  // namespace lightswitch
