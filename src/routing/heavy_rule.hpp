#pragma once

#include <lightswitch/decoder_registry.hpp>
#include <lightswitch/routing.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lightswitch {

/// Which samples take the heavy path, as a SPEC says it: one of heavy-share, threshold and budget-ms.
struct HeavyRule {
  double heavy_share = 0.3;
  std::optional<GateScore> threshold = {};  ///< instead of the share
  std::optional<double> budget_ms = {};     ///< instead of the share, which it is to become

  /// @throws OptionError.
  static HeavyRule read(const Config& config);
  /// The options that read() knows.
  static std::vector<std::string> options();

  /// The same for a share. @throws OptionError unless it lies in 0 … 1.
  static HeavyRule of_share(double heavy_share);

  /// @throws OptionError for a budget.
  RoutePlan plan(std::span<const GateScore> scores) const;
  /// @throws OptionError for a budget.
  void require_settled() const;
  /// The most samples of so many that may become heavy.
  int64_t most(int64_t samples) const;
  /// "30 % heavy".
  std::string text() const;
};

}  // namespace lightswitch
