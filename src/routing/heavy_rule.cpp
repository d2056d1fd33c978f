#include "routing/heavy_rule.hpp"

#include <lightswitch/error.hpp>

#include <cmath>

#include "nn/weight_loader.hpp"
#include "routing/checks.hpp"

namespace lightswitch {

std::vector<std::string> HeavyRule::options() {
  return {"heavy-share", "threshold", "budget-ms"};
}

HeavyRule HeavyRule::read(const Config& config) {
  std::string first;
  for (const std::string& option : options()) {
    if (!config.count(option)) continue;
    if (!first.empty()) throw OptionError("one rule at a time", {"", option, "no " + first + " beside it", "both"});
    first = option;
  }
  HeavyRule rule = of_share(nn::config_double(config, "heavy-share", HeavyRule{}.heavy_share));
  if (first == "threshold") {
    const double threshold = nn::config_double(config, first, 0);
    if (!(std::abs(threshold) < 16384))
      throw OptionError("out of range", {"", first, "-16384 … 16384", std::to_string(threshold)});
    rule.threshold = static_cast<GateScore>(std::lrint(threshold * gate_score_one));
  } else if (first == "budget-ms") {
    rule.budget_ms = nn::config_double(config, first, 0);
    if (!(*rule.budget_ms > 0))
      throw OptionError("out of range", {"", first, "more than 0 milliseconds", config.at(first)});
  }
  return rule;
}

HeavyRule HeavyRule::of_share(double heavy_share) {
  heavy_samples(heavy_share, 0, "heavy-share");
  HeavyRule rule;
  rule.heavy_share = heavy_share;
  return rule;
}

void HeavyRule::require_settled() const {
  if (budget_ms)
    throw OptionError("a budget of time has to be turned into a share of heavy samples first",
                      {"", "budget-ms", "heavy-share=X, or settle_budget()", std::to_string(*budget_ms)});
}

RoutePlan HeavyRule::plan(std::span<const GateScore> scores) const {
  require_settled();
  return threshold ? plan_by_threshold(scores, *threshold) : plan_by_share(scores, heavy_share);
}

int64_t HeavyRule::most(int64_t samples) const {
  return threshold || budget_ms ? samples : heavy_samples(heavy_share, static_cast<size_t>(samples), "heavy-share");
}

std::string HeavyRule::text() const {
  if (threshold) return "heavy above a threshold";
  if (budget_ms) return "heavy within a budget of time";
  return std::to_string(std::lrint(100 * heavy_share)) + " % heavy";
}

}  // namespace lightswitch
