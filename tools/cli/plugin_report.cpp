#include "cli/plugin_report.hpp"

#include <lightswitch/plugin_check.hpp>

#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/isolated.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;
using Outcome = PluginVerdict::Outcome;

constexpr std::chrono::seconds kLongestRule{120};

/// A verdict on its way out of the process that found it: the outcome's digit, then the detail.
std::string packed(const PluginVerdict& verdict) {
  return std::to_string(static_cast<int>(verdict.outcome)) + verdict.detail;
}

PluginVerdict unpacked(const IsolatedResult& result) {
  if (!result.failure.empty()) return {Outcome::broken, result.failure};
  if (result.text.empty()) return {Outcome::broken, "the process ended before the rule was tried"};
  return {static_cast<Outcome>(result.text.front() - '0'), result.text.substr(1)};
}

PluginVerdict try_rule(const PluginRule& rule, const PluginSource& source, const PluginSettings& settings,
                       Session& session) {
  return unpacked(run_isolated([&] { return packed(rule.check(source, settings)); }, kLongestRule, session.stop()));
}

std::string line_of(const PluginVerdict& verdict, const PluginRule& rule) {
  return to_string(verdict.outcome) + std::string(": ") +
         (verdict.outcome == Outcome::kept ? std::string(rule.promise) : verdict.detail);
}

}  // namespace

bool try_plugin_rules(Json& report, const PluginSource& source, const PluginSettings& settings, Session& session) {
  const char* missing = nullptr;  // the rule without which the rest cannot be tried
  for (const PluginRule& rule : plugin_rules()) {
    const PluginVerdict verdict = missing ? PluginVerdict{Outcome::skipped, std::string("needs the rule ") + missing}
                                          : try_rule(rule, source, settings, session);
    report["rules"][rule.name] = line_of(verdict, rule);
    if (verdict.outcome == Outcome::broken)
      report["problems"].push_back(std::string(rule.name) + ": " + verdict.detail);
    if (rule.needed && verdict.outcome != Outcome::kept && !missing) missing = rule.name;
  }
  return missing == nullptr;
}

void note_plugin_info(Json& report, const PluginInfo& info) {
  report["name"] = info.name;
  report["summary"] = info.summary;
  report["plugin_version"] = info.version;
  report["abi"] = info.abi;
  for (const PluginInfo::Option& option : info.options)
    report["options"].push_back(option.name + "=" + option.default_value + "  " + option.summary);
  report["extensions"] = info.extensions;
}

}  // namespace lightswitch::cli
